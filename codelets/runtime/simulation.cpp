#include "codelets/runtime/simulation.hpp"

namespace tessera {
namespace {

SimulatedNode node_of_this_rank;

}  // namespace

void simulate_node(const SimulatedNode& node) {
    node_of_this_rank = node;
    set_nominal_speeds(node.core, node.gpu);
}

const SimulatedNode& simulated_node() {
    return node_of_this_rank;
}

}  // namespace tessera
