#pragma once

#include <cstddef>

#include "codelets/runtime/codelet.hpp"
#include "config/run_config.hpp"

namespace tessera {

// A build whose StarPU runs on SimGrid computes nothing: tasks and messages take simulated time on a machine
// that need not exist. Data has sizes and no content of its own, so nothing may look at it.
#if defined(TESSERA_WITH_SIMGRID)
inline constexpr bool is_simulation = true;
#else
inline constexpr bool is_simulation = false;
#endif

// Is anything ever read of what data hold? Not in a simulation, nor where a graph is only recorded.
bool data_have_content();

// What one rank has to itself in a simulation, or in a model of a run.
struct SimulatedNode {
    int num_cores = 1;
    int num_gpus = 0;
    std::size_t host_memory_bytes = 0, gpu_memory_bytes = 0;  // of each GPU
    NominalSpeed core, gpu;
};
// Before StarPU starts; what runs on this machine never calls it.
void simulate_node(const SimulatedNode& node);
const SimulatedNode* simulated_node();  // null: this machine
std::size_t usable_gpu_memory(const RuntimeConfig& config, const SimulatedNode& node);

}  // namespace tessera
