#pragma once

#include "config/key_visitor.hpp"
#include "config/run_config.hpp"
#include "config/simulation_config.hpp"

namespace tessera {

// The schemas of the two files, for reading and for writing: run_config.cpp, simulation_config.cpp.
void describe(KeyVisitor& io, RunConfig& c);
void describe(KeyVisitor& io, SimulationConfig& c);

// Words that both files use.
inline constexpr Word<Propagation> propagation_words[] = {{"auto", Propagation::automatic},
                                                          {"far_field", Propagation::far_field},
                                                          {"near_field", Propagation::near_field}};

}  // namespace tessera
