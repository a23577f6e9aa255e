#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codelets/compare_trials.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "codelets/compare_trials.hpp"
#include "codelets/cost_model.hpp"
#include "codelets/frame_stages-inl.hpp"
#include "codelets/line_search.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

// B and C of a frame to its kept A; null: C vanishes, which the next gradient must find there.
inline void keep_along(const cfloat* b, const cfloat* c, cfloat* kept, const BatchShape& s) {
    const std::size_t size = s.waves_size(), bytes = size * sizeof(cfloat);
    std::memcpy(static_cast<void*>(kept + size), b, bytes);
    if (c != nullptr) {
        std::memcpy(static_cast<void*>(kept + 2 * size), c, bytes);
    } else {
        std::memset(static_cast<void*>(kept + 2 * size), 0, bytes);
    }
}

void compare_trials_of_batch(const CompareTrialsArgs& args, const Buffers& buffers) {
    const BatchShape& s = args.shape;
    const auto* state = buffers.get<const IterationState>(3);
    if (state->stopped != 0) return;
    const DetectorView detector = detector_view(buffers.get<const std::byte>(2), s);
    const Propagator propagator(s, detector.transfer, Workspace::of_this_worker());
    const Lights lights(buffers.get<const std::byte>(1), s);
    const TrialSteps steps(state->ladder_centre);
    const bool is_kept = args.waves != KeptWaves::none;
    auto *a = buffers.get<cfloat>(5), *b = buffers.get<cfloat>(6);
    cfloat* c = args.probe == ProbeMotion::moving ? buffers.get<cfloat>(7) : nullptr;
    BatchSums& sums = *batch_sums(buffers.get<std::byte>(4));
    const std::size_t size = s.waves_size();
    with_counts(buffers.get<const void>(0), s.pattern_type, [&](const auto* patterns) HWY_ATTR {
        for (std::int32_t j = 0; j < s.num_frames; ++j) {
            const auto frame = static_cast<std::size_t>(j);
            FieldsAlong fields = {a + frame * size, b + frame * size,
                                  c == nullptr ? nullptr : c + frame * size};
            if (is_kept) {
                cfloat* kept = a + 3 * frame * size;
                keep_along(fields.b, fields.c, kept, s);
                fields.a = kept;
            }
            compare_frame_along(fields, patterns + frame * detector_shape(s).area(), detector,
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

HWY_EXPORT(compare_trials_of_batch);

void compare_trials_cpu(const CompareTrialsArgs& args, const Buffers& buffers) {
    HWY_DYNAMIC_DISPATCH(compare_trials_of_batch)(args, buffers);
}

Cost compare_trials_cost(const CompareTrialsArgs& args) {
    const double fields = args.probe == ProbeMotion::moving ? 3 : 2;
    return with_patterns(args.shape,
                         stage_cost(args.shape, 0, 0, 100, args.waves == KeptWaves::none ? fields : 5));
}

// The second codelet needs a body of its own name: codelets are told apart by their function.
void compare_trials_keeping_cpu(const CompareTrialsArgs& args, const Buffers& buffers) {
    compare_trials_cpu(args, buffers);
}

}  // namespace

BufferBytes CompareTrialsArgs::buffer_bytes() const {
    const bool is_kept = waves != KeptWaves::none;
    return {patterns_bytes(shape),  frames_bytes(shape),
            detector_bytes(shape),  sizeof(IterationState),
            sizeof(BatchSums),      is_kept ? wave_bytes(shape) : exit_wave_bytes(shape),
            exit_wave_bytes(shape), exit_wave_bytes(shape)};
}

const Codelet<CompareTrialsArgs> compare_trials =
    Codelet<CompareTrialsArgs>::make<compare_trials_cpu, TESSERA_ON_DEVICE(compare_trials_device),
                                     compare_trials_cost>(
        "compare_trials", {Access::read, Access::read, Access::read, Access::read, Access::read_write,
                           Access::read, Access::read, Access::read});

const Codelet<CompareTrialsArgs> compare_trials_keeping =
    Codelet<CompareTrialsArgs>::make<compare_trials_keeping_cpu, TESSERA_ON_DEVICE(compare_trials_device),
                                     compare_trials_cost>(
        "compare_trials_keeping", {Access::read, Access::read, Access::read, Access::read, Access::read_write,
                                   Access::read_write, Access::read, Access::read});

}  // namespace tessera
#endif  // HWY_ONCE
