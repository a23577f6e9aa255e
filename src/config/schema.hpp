#pragma once

#include "config/key_visitor.hpp"
#include "config/run_config.hpp"
#include "config/simulation_config.hpp"

namespace tessera {

// The schemas of the two files, for reading and for writing: run_config.cpp, simulation_config.cpp.
void describe(KeyVisitor& io, RunConfig& c);
void describe(KeyVisitor& io, SimulationConfig& c);

// Words and ranges that both files use.
inline constexpr Word<Propagation> propagation_words[] = {{"auto", Propagation::automatic},
                                                          {"far_field", Propagation::far_field},
                                                          {"near_field", Propagation::near_field}};
inline constexpr Word<SlicePropagation> slice_propagation_words[] = {
    {"fresnel", SlicePropagation::fresnel}, {"angular_spectrum", SlicePropagation::angular_spectrum}};
inline constexpr int max_num_slices = 10000;
inline const Rule voltage_range_kV = within(0.01, 10000);

}  // namespace tessera
