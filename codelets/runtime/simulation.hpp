#pragma once

#include <cstddef>
#include <type_traits>

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

// The ranks of a simulation are in one process, one of them running at a time, but each has variables of its
// own. What is alike for all of them is there once: `make`, which sends no message, returns a pointer to it
// where this rank is the first to ask for what has that name, and nobody deletes it.
void* noted_for_all_ranks(const char* name);  // null: nothing yet
void note_for_all_ranks(const char* name, void* what);
template <class Make>
auto& once_for_all_ranks(const char* name, const Make& make) {
    using What = std::remove_pointer_t<decltype(make())>;
    if (void* there = noted_for_all_ranks(name); there != nullptr) return *static_cast<What*>(there);
    What* made = make();
    note_for_all_ranks(name, made);
    return *made;
}

}  // namespace tessera
