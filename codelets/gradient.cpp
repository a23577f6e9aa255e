#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codelets/gradient.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "codelets/cost_model.hpp"
#include "codelets/frame_stages-inl.hpp"
#include "codelets/gradient.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

// The far fields of a frame: made by the propagator, or kept from before.
inline void far_fields(const GradientArgs& args, FrameModel& model, const Propagator& propagator, float step,
                       cfloat* kept, cfloat* waves) {
    const BatchShape& s = args.shape;
    if (args.waves == KeptWaves::advance) return advance_kept(kept, step, waves, s);
    for (int i = 0; i < s.num_waves(); ++i) {
        model.exit_wave(i, wave_of(waves, i, s));
        propagator.forward(wave_of(waves, i, s));
    }
    if (args.waves == KeptWaves::refresh) keep_waves(waves, kept, s);
}

void gradient_of_batch(const GradientArgs& args, const Buffers& buffers) {
    const BatchShape& s = args.shape;
    std::byte* out = buffers.get<std::byte>(6);
    std::memset(out, 0, out_bytes(s));
    const auto* state = buffers.get<const IterationState>(5);
    if (state->stopped != 0) return;

    Workspace& workspace = Workspace::of_this_worker();
    const DetectorView detector = detector_view(buffers.get<const std::byte>(2), s);
    Propagator propagator(s, detector.transfer, workspace);
    FrameModel model(s, buffers.get<const std::byte>(3), buffers.get<const std::byte>(4),
                     detector.slice_transfers, workspace);
    model.prepare(Moving::nothing);
    cfloat* waves = workspace.get<cfloat>(Workspace::Slot::waves, s.waves_size());
    const bool keeps_fields = args.waves == KeptWaves::refresh || args.waves == KeptWaves::advance;
    cfloat* kept = keeps_fields ? buffers.get<cfloat>(7) : nullptr;
    std::byte* residual = args.waves == KeptWaves::residual ? buffers.get<std::byte>(7) : nullptr;
    const Moving moving = args.probe == ProbeMotion::moving ? Moving::object_and_probe : Moving::object;
    const auto* frames = buffers.get<const FramePosition>(1);
    const Lights lights(buffers.get<const std::byte>(1), s);
    BatchSums& sums = *batch_sums(out);

    with_counts(buffers.get<const void>(0), s.pattern_type, [&](const auto* patterns) HWY_ATTR {
        for (std::int32_t j = 0; j < s.num_frames; ++j) {
            const auto frame = static_cast<std::size_t>(j);
            model.place(frames[frame], lights.of(j));
            propagator.place(frames[frame]);
            cfloat* kept_here = kept == nullptr ? nullptr : kept + 3 * frame * s.waves_size();
            far_fields(args, model, propagator, static_cast<float>(state->step), kept_here, waves);
            differentiate(waves, patterns + frame * detector_shape(s).area(), detector, propagator.scale(),
                          lights.intensity(j),
                          residual == nullptr ? nullptr : far_field_steps(residual, s) + frame, s, sums);
            for (int i = 0; i < s.num_waves(); ++i) {
                cfloat* wave = wave_of(waves, i, s);
                propagator.backward(wave);
                model.add_gradients(i, wave, window_part(out, s.probe_size()), probe_part(out), moving);
            }
            if (residual != nullptr) {
                std::memcpy(static_cast<void*>(residual_waves(residual) + frame * s.waves_size()), waves,
                            s.waves_size() * sizeof(cfloat));
            }
        }
    });
    model.finish(probe_part(out), moving);
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera {
namespace {

HWY_EXPORT(gradient_of_batch);

void gradient_cpu(const GradientArgs& args, const Buffers& buffers) {
    HWY_DYNAMIC_DISPATCH(gradient_of_batch)(args, buffers);
}

Cost gradient_cost(const GradientArgs& args) {
    const double forward = args.waves == KeptWaves::advance ? 0 : 1;
    return frames_cost(args.shape, forward + 1, args.probe == ProbeMotion::moving ? 2 : 1);
}

// The second codelet needs a body of its own name: codelets are told apart by their function.
void gradient_keeping_waves_cpu(const GradientArgs& args, const Buffers& buffers) {
    gradient_cpu(args, buffers);
}

}  // namespace

BufferBytes GradientArgs::buffer_bytes() const {
    return {patterns_bytes(shape),
            frames_bytes(shape),
            detector_bytes(shape),
            probe_bytes(shape),
            moving_field_bytes(shape.tile_size()),
            sizeof(IterationState),
            out_bytes(shape),
            waves == KeptWaves::none       ? 0
            : waves == KeptWaves::residual ? residual_bytes(shape)
                                           : wave_bytes(shape)};
}

const Codelet<GradientArgs> gradient =
    Codelet<GradientArgs>::make<gradient_cpu, TESSERA_ON_DEVICE(gradient_device), gradient_cost>(
        "gradient",
        {Access::read, Access::read, Access::read, Access::read, Access::read, Access::read, Access::write});

const Codelet<GradientArgs> gradient_keeping_waves =
    Codelet<GradientArgs>::make<gradient_keeping_waves_cpu, TESSERA_ON_DEVICE(gradient_device),
                                gradient_cost>(
        "gradient_keeping_waves", {Access::read, Access::read, Access::read, Access::read, Access::read,
                                   Access::read, Access::write, Access::read_write});

}  // namespace tessera
#endif  // HWY_ONCE
