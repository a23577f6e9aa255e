#include "codelets/vote_to_stop.hpp"

#include <chrono>

namespace tessera {
namespace {

void vote_to_stop_cpu(const VoteToStopArgs& args, const Buffers& buffers) {
    BatchSums& sums = *batch_sums(buffers.get<std::byte>(0));
    if (args.must_stop()) ++sums.stop_votes;
    if (args.is_ready()) ++sums.checkpoint_votes;
}

Cost vote_to_stop_cost(const VoteToStopArgs&) {
    return {1, sizeof(BatchSums)};
}

}  // namespace

bool VoteToStopArgs::must_stop() const {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return (requested != nullptr && requested->load()) ||
           std::chrono::duration<double>(now).count() > deadline_s;
}

const Codelet<VoteToStopArgs> vote_to_stop =
    Codelet<VoteToStopArgs>::make<vote_to_stop_cpu, TESSERA_ON_DEVICE(vote_to_stop_device),
                                  vote_to_stop_cost>("vote_to_stop", {Access::read_write});

}  // namespace tessera
