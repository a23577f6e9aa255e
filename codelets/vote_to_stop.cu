#include "codelets/vote_to_stop.hpp"

#include "codelets/device/device.hpp"

namespace tessera {
namespace {

struct VoteScalars {
    BatchSums* sums;
    std::int64_t stop, checkpoint;
    TESSERA_HD void operator()() const {
        sums->stop_votes += stop;
        sums->checkpoint_votes += checkpoint;
    }
};

}  // namespace

void vote_to_stop_device(const VoteToStopArgs& args, const Buffers& buffers, Device& device) {
    const bool stop = args.must_stop(), ready = args.is_ready();
    if (stop || ready) device.once(VoteScalars{batch_sums(buffers.get<std::byte>(0)), stop, ready});
}

}  // namespace tessera
