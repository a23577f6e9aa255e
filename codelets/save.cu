#include "codelets/device/device.hpp"
#include "codelets/save.hpp"

namespace tessera {
namespace {

struct SaveValues {
    const cfloat* from;
    const IterationState* state;
    cfloat* to;
    TESSERA_HD void operator()(std::int32_t i, std::int32_t, std::int32_t) const {
        if (state->stopped == 0) to[i] = from[i];
    }
};

}  // namespace

void save_device(const SaveArgs& args, const Buffers& buffers, Device& device) {
    const auto* state = buffers.get<const IterationState>(3);
    auto* to = buffers.get<cfloat>(4);
    for (std::size_t i = 0; i < args.bytes.size(); ++i) {
        const std::size_t count = args.bytes[i] / sizeof(cfloat);
        device.for_each({static_cast<std::int32_t>(count)},
                        SaveValues{buffers.get<const cfloat>(i), state, to});
        to += count;
    }
}

}  // namespace tessera
