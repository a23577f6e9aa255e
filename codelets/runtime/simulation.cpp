#include "codelets/runtime/simulation.hpp"

#include <algorithm>
#include <optional>

#include "codelets/runtime/graph_recorder.hpp"

namespace tessera {
namespace {

std::optional<SimulatedNode> node_of_this_rank;

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

}  // namespace tessera
