#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "config/batch_config.hpp"
#include "config/key_visitor.hpp"
#include "config/machine_config.hpp"
#include "config/run_config.hpp"
#include "config/simulation_config.hpp"

namespace tessera {

// The schemas of the files, for reading and for writing: run_config.cpp, simulation_config.cpp,
// batch_config.cpp, machine_config.cpp.
void describe(KeyVisitor& io, RunConfig& c);
void describe(KeyVisitor& io, EngineConfig& c);  // engine_config.cpp
void describe(KeyVisitor& io, SimulationConfig& c);
void describe(KeyVisitor& io, BatchConfig& c);
void describe(KeyVisitor& io, MachineConfig& c);

// A map from keys to lists, both of which only the reader of a changed run file can judge.
std::string read_value(const YamlNode& node, const Rule& rule, VariedKeys& varied);
std::string value_text(const VariedKeys& varied, const Rule& rule);

// Words and ranges that several files use.
// As messages name them.
inline constexpr std::string_view projecting_engines = "engines DM, RAAR and AP";
inline constexpr std::string_view minibatch_engines = "engines ePIE, rPIE, mPIE and LSQML";
inline constexpr std::string_view gradient_engines = "engines CG, GD, ePIE, rPIE, mPIE and LSQML";
inline constexpr Word<Propagation> propagation_words[] = {{"auto", Propagation::automatic},
                                                          {"far_field", Propagation::far_field},
                                                          {"near_field", Propagation::near_field}};
inline constexpr Word<SlicePropagation> slice_propagation_words[] = {
    {"fresnel", SlicePropagation::fresnel}, {"angular_spectrum", SlicePropagation::angular_spectrum}};
inline const Rule voltage_range_kV = within(0.01, 10000);
inline const Rule convergence_range_mrad = above_up_to(0, 500);

// Of an object: num_slices, slice_spacings_m, slice_propagation.
template <class Object>
void describe_slices(KeyVisitor& io, Object& c) {
    constexpr int max_num_slices = 1000;
    constexpr std::string_view sliced = "num_slices above 1";
    io.key("num_slices", c.num_slices, within(1, max_num_slices));
    const bool is_sliced = c.num_slices > 1;
    const auto num_spacings = static_cast<std::size_t>(c.num_slices - 1);
    io.key("slice_spacings_m", c.slice_spacings_m, above(0).times(num_spacings).only_if(is_sliced, sliced));
    io.choice("slice_propagation", c.slice_propagation, slice_propagation_words,
              anything().only_if(is_sliced, sliced));
    io.check(!is_sliced || !c.slice_spacings_m.empty(), "slice_spacings_m",
             fmt::format("is required with {}: one length for all, or a list of {}", sliced, num_spacings));
}

// Planes of an object are one or the other.
inline constexpr int max_object_modes = 100;
template <class Object>
void check_modes_or_slices(KeyVisitor& io, const Object& c) {
    io.check(
        c.num_modes == 1 || c.num_slices == 1, "num_modes",
        fmt::format("must be 1 with num_slices {}: an object has several modes or several slices, not both",
                    c.num_slices));
}

}  // namespace tessera
