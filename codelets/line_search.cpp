#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codelets/line_search.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "codelets/cost_model.hpp"
#include "codelets/frame_stages-inl.hpp"
#include "codelets/iteration_rules.hpp"
#include "codelets/line_search.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

inline void make_fields(const LineSearchArgs& args, FrameModel& model, const Propagator& propagator,
                        const FieldsAlong& fields) {
    const BatchShape& s = args.shape;
    const auto make = [&](WaveOrder order, int i, cfloat* wave) HWY_ATTR {
        exit_wave_of(order, args.probe, model, i, wave, s);
        propagator.forward(wave);
    };
    for (int i = 0; i < s.num_waves(); ++i) {
        if (args.waves == KeptWaves::none) make(WaveOrder::here, i, wave_of(fields.a, i, s));
        make(WaveOrder::along, i, wave_of(fields.b, i, s));
        if (args.probe == ProbeMotion::moving) make(WaveOrder::along_twice, i, wave_of(fields.c, i, s));
    }
}

// Every trial is a walk of its own from the moved probe through the moved object.
void line_search_through_slices(const LineSearchArgs& args, const Buffers& buffers, FrameModel& model,
                                Propagator& propagator, BatchSums& sums) {
    const BatchShape& s = args.shape;
    const double centre = buffers.get<const IterationState>(5)->ladder_centre;
    const DetectorView detector = detector_view(buffers.get<const std::byte>(2), s);
    const auto* frames = buffers.get<const FramePosition>(1);
    const Lights lights(buffers.get<const std::byte>(1), s);
    cfloat* waves = Workspace::of_this_worker().get<cfloat>(Workspace::Slot::waves, s.waves_size());
    with_counts(buffers.get<const void>(0), s.pattern_type, [&](const auto* patterns) HWY_ATTR {
        for (std::int32_t j = 0; j < s.num_frames; ++j) {
            const auto frame = static_cast<std::size_t>(j);
            model.place(frames[frame], lights.of(j));
            propagator.place(frames[frame]);
            for (std::size_t i = 0; i < num_sliced_trials; ++i) {
                model.move(static_cast<float>(sliced_trial_step(centre, i)));
                for (int k = 0; k < s.num_modes; ++k) {
                    cfloat* wave = waves + static_cast<std::size_t>(k) * s.frame.area();
                    model.exit_wave(k, wave);
                    propagator.forward(wave);
                }
                with_noise_model(s.noise_model, [&](auto noise) HWY_ATTR {
                    sums.trial_cost[i + 1] +=
                        compare<Factor::skip, noise()>(waves, patterns + frame * detector_shape(s).area(),
                                                       detector, propagator.scale() * lights.intensity(j), s)
                            .cost;
                });
            }
        }
    });
}

void line_search_of_batch(const LineSearchArgs& args, const Buffers& buffers) {
    const BatchShape& s = args.shape;
    BatchSums& sums = *batch_sums(buffers.get<std::byte>(6));
    sums = BatchSums{};
    const auto* state = buffers.get<const IterationState>(5);
    if (state->stopped != 0) return;

    Workspace& workspace = Workspace::of_this_worker();
    const DetectorView detector = detector_view(buffers.get<const std::byte>(2), s);
    Propagator propagator(s, detector.transfer, workspace);
    FrameModel model(s, buffers.get<const std::byte>(3), buffers.get<const std::byte>(4),
                     detector.slice_transfers, workspace);
    model.prepare(args.probe == ProbeMotion::moving ? Moving::object_and_probe : Moving::object);
    if (s.num_slices > 1) return line_search_through_slices(args, buffers, model, propagator, sums);
    const TrialSteps steps(state->ladder_centre);
    const auto* frames = buffers.get<const FramePosition>(1);
    const Lights lights(buffers.get<const std::byte>(1), s);
    cfloat* kept = args.waves == KeptWaves::none ? nullptr : buffers.get<cfloat>(7);
    const std::size_t size = s.waves_size();
    FieldsAlong fields = {};
    if (kept == nullptr) {
        fields = {workspace.get<cfloat>(Workspace::Slot::waves, size),
                  workspace.get<cfloat>(Workspace::Slot::waves_along, size),
                  workspace.get<cfloat>(Workspace::Slot::waves_along_twice, size)};
    }
    with_counts(buffers.get<const void>(0), s.pattern_type, [&](const auto* patterns) HWY_ATTR {
        for (std::int32_t j = 0; j < s.num_frames; ++j) {
            const auto frame = static_cast<std::size_t>(j);
            model.place(frames[frame], lights.of(j));
            propagator.place(frames[frame]);
            if (kept != nullptr) {
                cfloat* here = kept + 3 * frame * size;
                fields = {here, here + size, here + 2 * size};
            }
            make_fields(args, model, propagator, fields);
            FieldsAlong compared = fields;
            if (args.probe == ProbeMotion::fixed) {
                // A kept C must vanish too: the next gradient adds it.
                if (kept != nullptr) std::memset(static_cast<void*>(fields.c), 0, size * sizeof(cfloat));
                compared.c = nullptr;
            }
            compare_frame_along(compared, patterns + frame * detector_shape(s).area(), detector,
                                propagator.scale() * lights.intensity(j), steps, s, sums);
        }
    });
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera {
namespace {

HWY_EXPORT(line_search_of_batch);

void line_search_cpu(const LineSearchArgs& args, const Buffers& buffers) {
    HWY_DYNAMIC_DISPATCH(line_search_of_batch)(args, buffers);
}

void line_search_keeping_waves_cpu(const LineSearchArgs& args, const Buffers& buffers) {
    line_search_cpu(args, buffers);
}

Cost line_search_cost(const LineSearchArgs& args) {
    const bool moving = args.probe == ProbeMotion::moving;
    if (args.shape.num_slices > 1) return frames_cost(args.shape, num_sliced_trials, moving ? 2 : 1);
    return frames_cost(args.shape, (args.waves == KeptWaves::none ? 1 : 0) + (moving ? 2 : 1), moving ? 2 : 1,
                       150);
}

}  // namespace

double trial_step(double centre, std::size_t i) {
    return centre * std::ldexp(1.0, static_cast<int>(i) - 4);
}

double sliced_trial_step(double centre, std::size_t i) {
    return centre * rules::sliced_trial_factor(static_cast<int>(i));
}

BufferBytes LineSearchArgs::buffer_bytes() const {
    return {patterns_bytes(shape),
            frames_bytes(shape),
            detector_bytes(shape),
            probe_bytes(shape),
            moving_field_bytes(shape.tile_size()),
            sizeof(IterationState),
            sizeof(BatchSums),
            waves == KeptWaves::none ? 0 : wave_bytes(shape)};
}

const Codelet<LineSearchArgs> line_search =
    Codelet<LineSearchArgs>::make<line_search_cpu, TESSERA_ON_DEVICE(line_search_device), line_search_cost>(
        "line_search",
        {Access::read, Access::read, Access::read, Access::read, Access::read, Access::read, Access::write});

const Codelet<LineSearchArgs> line_search_keeping_waves =
    Codelet<LineSearchArgs>::make<line_search_keeping_waves_cpu, TESSERA_ON_DEVICE(line_search_device),
                                  line_search_cost>(
        "line_search_keeping_waves", {Access::read, Access::read, Access::read, Access::read, Access::read,
                                      Access::read, Access::write, Access::read_write});

}  // namespace tessera
#endif  // HWY_ONCE
