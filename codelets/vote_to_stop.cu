#include "codelets/vote_to_stop.hpp"

#include "codelets/device/device.hpp"

namespace tessera {
namespace {

struct VoteScalars {
    BatchSums* sums;
    TESSERA_HD void operator()() const { ++sums->stop_votes; }
};

}  // namespace

void vote_to_stop_device(const VoteToStopArgs& args, const Buffers& buffers, Device& device) {
    if (args.must_stop()) device.once(VoteScalars{batch_sums(buffers.get<std::byte>(0))});
}

}  // namespace tessera
