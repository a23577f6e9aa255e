#include "codelets/runtime/simulation.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

#include "codelets/runtime/graph_recorder.hpp"

namespace tessera {
namespace {

std::optional<SimulatedNode> node_of_this_rank;

// The environment is the process's; another process that inherits it has another number.
std::string variable_of(const char* name) {
    return fmt::format("TESSERA_{}_OF_{}", name, getpid());
}

}  // namespace

bool data_have_content() {
    return !is_simulation && GraphRecorder::current() == nullptr;
}

void simulate_node(const SimulatedNode& node) {
    node_of_this_rank = node;
    set_nominal_speeds(node.core, node.gpu);
}

const SimulatedNode* simulated_node() {
    return node_of_this_rank ? &*node_of_this_rank : nullptr;
}

std::size_t usable_gpu_memory(const RuntimeConfig& config, const SimulatedNode& node) {
    const std::size_t usable = node.gpu_memory_bytes / 10 * 9;
    return std::min<std::size_t>(usable, config.memory_limit_gpu_bytes.value_or(usable));
}

void* noted_for_all_ranks(const char* name) {
    const char* address = std::getenv(variable_of(name).c_str());
    if (address == nullptr) return nullptr;
    return reinterpret_cast<void*>(static_cast<std::uintptr_t>(std::strtoull(address, nullptr, 16)));
}

void note_for_all_ranks(const char* name, void* what) {
    const std::string address = fmt::format("{:x}", reinterpret_cast<std::uintptr_t>(what));
    setenv(variable_of(name).c_str(), address.c_str(), 1);
}

}  // namespace tessera
