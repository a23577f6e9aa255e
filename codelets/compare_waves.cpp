#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codelets/compare_waves.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "codelets/compare_waves.hpp"
#include "codelets/cost_model.hpp"
#include "codelets/frame_stages-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

void compare_waves_of_batch(const CompareWavesArgs& args, const Buffers& buffers) {
    const BatchShape& s = args.shape;
    const auto* state = buffers.get<const IterationState>(3);
    if (state->stopped != 0) return;
    const DetectorView detector = detector_view(buffers.get<const std::byte>(2), s);
    const Propagator propagator(s, detector.transfer, Workspace::of_this_worker());
    const Lights lights(buffers.get<const std::byte>(1), s);
    auto* waves = buffers.get<cfloat>(4);
    double* steps =
        args.waves == KeptWaves::residual ? far_field_steps(buffers.get<std::byte>(4), s) : nullptr;
    BatchSums& sums = *batch_sums(buffers.get<std::byte>(5));
    const bool is_kept = args.waves == KeptWaves::refresh || args.waves == KeptWaves::advance;
    cfloat* kept = is_kept ? buffers.get<cfloat>(6) : nullptr;
    with_counts(buffers.get<const void>(0), s.pattern_type, [&](const auto* patterns) HWY_ATTR {
        for (std::int32_t j = 0; j < s.num_frames; ++j) {
            const auto frame = static_cast<std::size_t>(j);
            const auto* counts = patterns + frame * detector_shape(s).area();
            cfloat* here = waves + frame * s.waves_size();
            if (args.comparison == Comparison::overlap_cost) {
                add_overlap_cost(here, counts, detector, propagator.scale(), s, sums);
                continue;
            }
            cfloat* kept_here = is_kept ? kept + 3 * frame * s.waves_size() : nullptr;
            if (args.waves == KeptWaves::advance)
                advance_kept(kept_here, static_cast<float>(state->step), here, s);
            if (args.waves == KeptWaves::refresh) keep_waves(here, kept_here, s);
            differentiate(here, counts, detector, propagator.scale(), lights.intensity(j),
                          steps == nullptr ? nullptr : steps + frame, s, sums);
        }
    });
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera {
namespace {

HWY_EXPORT(compare_waves_of_batch);

void compare_waves_cpu(const CompareWavesArgs& args, const Buffers& buffers) {
    HWY_DYNAMIC_DISPATCH(compare_waves_of_batch)(args, buffers);
}

Cost compare_waves_cost(const CompareWavesArgs& args) {
    const double kept = args.waves == KeptWaves::advance ? 4 : args.waves == KeptWaves::refresh ? 1 : 0;
    return with_patterns(args.shape, stage_cost(args.shape, 0, 0, 25, 3 + kept));
}

// The second codelet needs a body of its own name: codelets are told apart by their function.
void compare_waves_keeping_cpu(const CompareWavesArgs& args, const Buffers& buffers) {
    compare_waves_cpu(args, buffers);
}

}  // namespace

BufferBytes CompareWavesArgs::buffer_bytes() const {
    const bool is_kept = waves == KeptWaves::refresh || waves == KeptWaves::advance;
    return {patterns_bytes(shape),
            frames_bytes(shape),
            detector_bytes(shape),
            sizeof(IterationState),
            waves == KeptWaves::residual ? residual_bytes(shape) : exit_wave_bytes(shape),
            sizeof(BatchSums),
            is_kept ? wave_bytes(shape) : 0};
}

const Codelet<CompareWavesArgs> compare_waves =
    Codelet<CompareWavesArgs>::make<compare_waves_cpu, TESSERA_ON_DEVICE(compare_waves_device),
                                    compare_waves_cost>(
        "compare_waves",
        {Access::read, Access::read, Access::read, Access::read, Access::read_write, Access::read_write});

const Codelet<CompareWavesArgs> compare_waves_keeping =
    Codelet<CompareWavesArgs>::make<compare_waves_keeping_cpu, TESSERA_ON_DEVICE(compare_waves_device),
                                    compare_waves_cost>(
        "compare_waves_keeping", {Access::read, Access::read, Access::read, Access::read, Access::read_write,
                                  Access::read_write, Access::read_write});

}  // namespace tessera
#endif  // HWY_ONCE
