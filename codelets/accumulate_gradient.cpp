#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codelets/accumulate_gradient.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "codelets/accumulate_gradient.hpp"
#include "codelets/cost_model.hpp"
#include "codelets/frame_model-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

void accumulate_gradient_of_batch(const AccumulateGradientArgs& args, const Buffers& buffers) {
    const BatchShape& s = args.shape;
    if (buffers.get<const IterationState>(3)->stopped != 0) return;
    FrameModel model(s, buffers.get<const std::byte>(1), buffers.get<const std::byte>(2), nullptr,
                     Workspace::of_this_worker());
    model.prepare(Moving::nothing);
    const Moving moving = args.probe == ProbeMotion::moving ? Moving::object_and_probe : Moving::object;
    const auto* frames = buffers.get<const FramePosition>(0);
    const Lights lights(buffers.get<const std::byte>(0), s);
    const auto* chi = buffers.get<const cfloat>(4);
    auto* out = buffers.get<std::byte>(5);
    for (std::int32_t j = 0; j < s.num_frames; ++j) {
        model.place(frames[j], lights.of(j));
        for (int i = 0; i < s.num_waves(); ++i, chi += s.frame.area())
            model.add_gradients(i, chi, window_part(out, s.probe_size()), probe_part(out), moving);
    }
    model.finish(probe_part(out), moving);
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera {
namespace {

HWY_EXPORT(accumulate_gradient_of_batch);

void accumulate_gradient_cpu(const AccumulateGradientArgs& args, const Buffers& buffers) {
    HWY_DYNAMIC_DISPATCH(accumulate_gradient_of_batch)(args, buffers);
}

Cost accumulate_gradient_cost(const AccumulateGradientArgs& args) {
    const bool is_moving = args.probe == ProbeMotion::moving;
    return stage_cost(args.shape, 0, is_moving ? 2 : 1, is_moving ? 16 : 8, is_moving ? 5 : 3);
}

}  // namespace

BufferBytes AccumulateGradientArgs::buffer_bytes() const {
    return {frames_bytes(shape),    probe_bytes(shape),     moving_field_bytes(shape.tile_size()),
            sizeof(IterationState), exit_wave_bytes(shape), out_bytes(shape)};
}

const Codelet<AccumulateGradientArgs> accumulate_gradient = Codelet<AccumulateGradientArgs>::make<
    accumulate_gradient_cpu, TESSERA_ON_DEVICE(accumulate_gradient_device), accumulate_gradient_cost>(
    "accumulate_gradient",
    {Access::read, Access::read, Access::read, Access::read, Access::read, Access::read_write});

}  // namespace tessera
#endif  // HWY_ONCE
