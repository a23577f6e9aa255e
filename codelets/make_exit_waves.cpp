#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codelets/make_exit_waves.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "codelets/cost_model.hpp"
#include "codelets/frame_stages-inl.hpp"
#include "codelets/make_exit_waves.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

// Calls make(model, waves of the frame, where they are in their batch's) for every frame of a batch.
template <class Make>
void for_each_frame(const BatchShape& s, const Buffers& buffers, Moving along, cfloat* waves,
                    const Make& make) {
    FrameModel model(s, buffers.get<const std::byte>(1), buffers.get<const std::byte>(2), nullptr,
                     Workspace::of_this_worker());
    model.prepare(along);
    const auto* frames = buffers.get<const FramePosition>(0);
    const Lights lights(buffers.get<const std::byte>(0), s);
    for (std::int32_t j = 0; j < s.num_frames; ++j) {
        const std::size_t at = static_cast<std::size_t>(j) * s.waves_size();
        model.place(frames[j], lights.of(j));
        make(model, waves + at, at);
    }
}

void make_exit_waves_of_batch(const MakeExitWavesArgs& args, const Buffers& buffers) {
    const BatchShape& s = args.shape;
    if (buffers.get<const IterationState>(3)->stopped != 0) return;
    for_each_frame(s, buffers, moving_in(args.order, args.probe), buffers.get<cfloat>(4),
                   [&](FrameModel& model, cfloat* waves, std::size_t) HWY_ATTR {
                       for (int i = 0; i < s.num_waves(); ++i)
                           exit_wave_of(args.order, args.probe, model, i, wave_of(waves, i, s), s);
                   });
}

void reflect_waves_of_batch(const ReflectWavesArgs& args, const Buffers& buffers) {
    if (buffers.get<const IterationState>(3)->stopped != 0) return;
    const auto* psi = buffers.get<const cfloat>(4);
    for_each_frame(args.shape, buffers, Moving::nothing, buffers.get<cfloat>(5),
                   [&](FrameModel& model, cfloat* waves, std::size_t at)
                       HWY_ATTR { reflect_frame(model, psi + at, args.reflect, waves, args.shape); });
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera {
namespace {

HWY_EXPORT(make_exit_waves_of_batch);
HWY_EXPORT(reflect_waves_of_batch);

void make_exit_waves_cpu(const MakeExitWavesArgs& args, const Buffers& buffers) {
    HWY_DYNAMIC_DISPATCH(make_exit_waves_of_batch)(args, buffers);
}

void reflect_waves_cpu(const ReflectWavesArgs& args, const Buffers& buffers) {
    HWY_DYNAMIC_DISPATCH(reflect_waves_of_batch)(args, buffers);
}

Cost make_exit_waves_cost(const MakeExitWavesArgs& args) {
    const bool moves_probe = args.order != WaveOrder::here && args.probe == ProbeMotion::moving;
    return stage_cost(args.shape, 0, moves_probe ? 2 : 1, moves_probe ? 14 : 6, 2);
}

Cost reflect_waves_cost(const ReflectWavesArgs& args) {
    return stage_cost(args.shape, 0, 1, 12, 3);
}

}  // namespace

BufferBytes MakeExitWavesArgs::buffer_bytes() const {
    return {frames_bytes(shape), probe_bytes(shape), moving_field_bytes(shape.tile_size()),
            sizeof(IterationState), exit_wave_bytes(shape)};
}

BufferBytes ReflectWavesArgs::buffer_bytes() const {
    return {frames_bytes(shape),    probe_bytes(shape),     moving_field_bytes(shape.tile_size()),
            sizeof(IterationState), exit_wave_bytes(shape), exit_wave_bytes(shape)};
}

const Codelet<MakeExitWavesArgs> make_exit_waves =
    Codelet<MakeExitWavesArgs>::make<make_exit_waves_cpu, TESSERA_ON_DEVICE(make_exit_waves_device),
                                     make_exit_waves_cost>(
        "make_exit_waves", {Access::read, Access::read, Access::read, Access::read, Access::write});

const Codelet<ReflectWavesArgs> reflect_waves =
    Codelet<ReflectWavesArgs>::make<reflect_waves_cpu, TESSERA_ON_DEVICE(reflect_waves_device),
                                    reflect_waves_cost>(
        "reflect_waves",
        {Access::read, Access::read, Access::read, Access::read, Access::read, Access::write});

}  // namespace tessera
#endif  // HWY_ONCE
