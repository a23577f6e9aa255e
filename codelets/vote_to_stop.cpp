#include "codelets/vote_to_stop.hpp"

namespace tessera {
namespace {

void vote_to_stop_cpu(const VoteToStopArgs&, const Buffers& buffers) {
    ++batch_sums(buffers.get<std::byte>(0))->stop_votes;
}

Cost vote_to_stop_cost(const VoteToStopArgs&) {
    return {1, sizeof(BatchSums)};
}

}  // namespace

const Codelet<VoteToStopArgs> vote_to_stop =
    Codelet<VoteToStopArgs>::make<vote_to_stop_cpu, TESSERA_ON_DEVICE(vote_to_stop_device),
                                  vote_to_stop_cost>("vote_to_stop", {Access::read_write});

}  // namespace tessera
