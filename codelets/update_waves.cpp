#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codelets/update_waves.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "codelets/cost_model.hpp"
#include "codelets/frame_stages-inl.hpp"
#include "codelets/update_waves.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

void update_waves_of_batch(const UpdateWavesArgs& args, const Buffers& buffers) {
    const BatchShape& s = args.shape;
    if (buffers.get<const IterationState>(3)->stopped != 0) return;
    FrameModel model(s, buffers.get<const std::byte>(1), buffers.get<const std::byte>(2), nullptr,
                     Workspace::of_this_worker());
    model.prepare(Moving::nothing);
    const auto* frames = buffers.get<const FramePosition>(0);
    const auto* waves = buffers.get<const cfloat>(4);
    const double* powers = far_field_steps(buffers.get<const std::byte>(4), s);
    auto* psi = buffers.get<cfloat>(6);
    for (std::int32_t j = 0; j < s.num_frames; ++j) {
        const std::size_t at = static_cast<std::size_t>(j) * s.waves_size();
        model.place(frames[j]);
        const bool is_left = powers[j] <= args.power_bound;
        update_exit_waves(model, args.map, is_left ? nullptr : waves + at, psi + at, s);
        if (args.object == ObjectPartial::compute)
            add_object_sums(model, psi + at, buffers.get<std::byte>(5), s);
    }
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera {
namespace {

HWY_EXPORT(update_waves_of_batch);

void update_waves_cpu(const UpdateWavesArgs& args, const Buffers& buffers) {
    HWY_DYNAMIC_DISPATCH(update_waves_of_batch)(args, buffers);
}

Cost update_waves_cost(const UpdateWavesArgs& args) {
    const bool has_sums = args.object == ObjectPartial::compute;
    return stage_cost(args.shape, 0, 1, has_sums ? 30 : 15, has_sums ? 6 : 4);
}

}  // namespace

BufferBytes UpdateWavesArgs::buffer_bytes() const {
    return {frames_bytes(shape),    probe_bytes(shape),    moving_field_bytes(shape.tile_size()),
            sizeof(IterationState), residual_bytes(shape), overlap_out_bytes(shape),
            exit_wave_bytes(shape)};
}

const Codelet<UpdateWavesArgs> update_waves =
    Codelet<UpdateWavesArgs>::make<update_waves_cpu, TESSERA_ON_DEVICE(update_waves_device),
                                   update_waves_cost>(
        "update_waves", {Access::read, Access::read, Access::read, Access::read, Access::read,
                         Access::read_write, Access::read_write});

}  // namespace tessera
#endif  // HWY_ONCE
