#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codelets/propagate.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "codelets/cost_model.hpp"
#include "codelets/frame_model-inl.hpp"
#include "codelets/propagate.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

void propagate_batch(const PropagateArgs& args, const Buffers& buffers) {
    const BatchShape& s = args.shape;
    if (buffers.get<const IterationState>(2)->stopped != 0) return;
    const DetectorView detector = detector_view(buffers.get<const std::byte>(1), s);
    Propagator propagator(s, detector.transfer, Workspace::of_this_worker());
    const auto* frames = buffers.get<const FramePosition>(0);
    auto* wave = buffers.get<cfloat>(3);
    for (std::int32_t j = 0; j < s.num_frames; ++j) {
        propagator.place(frames[j]);
        for (int i = 0; i < s.num_waves(); ++i, wave += s.frame.area()) {
            if (args.direction == Direction::forward) {
                propagator.forward(wave);
            } else {
                propagator.backward(wave);
            }
        }
    }
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera {
namespace {

HWY_EXPORT(propagate_batch);

void propagate_cpu(const PropagateArgs& args, const Buffers& buffers) {
    HWY_DYNAMIC_DISPATCH(propagate_batch)(args, buffers);
}

Cost propagate_cost(const PropagateArgs& args) {
    return stage_cost(args.shape, 1, 0, args.shape.near_field ? 6 : 0, args.shape.near_field ? 6 : 2);
}

}  // namespace

BufferBytes PropagateArgs::buffer_bytes() const {
    return {frames_bytes(shape), detector_bytes(shape), sizeof(IterationState), exit_wave_bytes(shape)};
}

const Codelet<PropagateArgs> propagate =
    Codelet<PropagateArgs>::make<propagate_cpu, TESSERA_ON_DEVICE(propagate_device), propagate_cost>(
        "propagate", {Access::read, Access::read, Access::read, Access::read_write});

}  // namespace tessera
#endif  // HWY_ONCE
