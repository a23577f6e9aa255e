#pragma once

#include <string>
#include <vector>

#include "codelets/runtime/simulation.hpp"
#include "config/machine_config.hpp"
#include "tiling/machine.hpp"

// From the machine file to what forecasts assume of a node, simulated or modelled.
namespace tessera::app {

SimulatedNode node_of(const NodeConfig& config);
// Sets the durations of tasks on those kinds of workers that the machine has, and says where they come from,
// a line each. Throws a data Error when a calibration has no times of codelets.
std::vector<std::string> durations_of(const NodeConfig& node, const Machine& machine);

}  // namespace tessera::app
