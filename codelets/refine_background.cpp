#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codelets/refine_background.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "codelets/cost_model.hpp"
#include "codelets/frame_evaluation-inl.hpp"
#include "codelets/refine_background.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

// Adds one frame's derivatives by the background to `sums`.
template <NoiseModel noise, class Count>
void add_background_derivatives(const cfloat* HWY_RESTRICT waves, const Count* HWY_RESTRICT counts,
                                const DetectorView& detector, float scale, const BatchShape& s,
                                cfloat* HWY_RESTRICT sums) {
    const Vec scales = broadcast(scale), epsilons = broadcast(noise_epsilon(noise));
    const Saturation saturation(s);
    const float* HWY_RESTRICT seen = seen_intensity(waves, detector, s);  // null: the far field's
    for_each_vector(detector_shape(s).area(), [&](std::size_t i, auto lanes) HWY_ATTR {
        const Vec light = seen != nullptr ? load(seen + i, lanes) : sum_of_modes(waves + i, lanes, s);
        const Vec intensity = fma(light, scales, load(detector.background + i, lanes));
        const Measured data =
            saturation.compared_with(intensity, measured(counts + i, detector.mask + i, lanes));
        ComplexVec sum = load(static_cast<const cfloat*>(sums + i), lanes);
        sum.re = sum.re + misfit<noise>(intensity, data.counts, data.mask, epsilons).factor;
        sum.im = sum.im + curvature<noise>(intensity, data, epsilons);
        store(sum, sums + i, lanes);
    });
}

void find_background_derivatives_of_batch(const FindBackgroundDerivativesArgs& args, const Buffers& buffers) {
    const BatchShape& s = args.shape;
    std::byte* out = buffers.get<std::byte>(6);
    std::memset(out, 0, sums_bytes(detector_shape(s).area()));
    if (buffers.get<const IterationState>(5)->stopped != 0) return;
    *batch_sums(out) = BatchSums{};
    FrameEvaluation evaluation(s, buffers.get<const std::byte>(1), buffers.get<const std::byte>(2),
                               buffers.get<const std::byte>(3), buffers.get<const std::byte>(4));
    const DetectorView detector = detector_view(buffers.get<const std::byte>(2), s);
    const auto* frames = buffers.get<const FramePosition>(1);
    with_counts(buffers.get<const void>(0), s.pattern_type, [&](const auto* patterns) HWY_ATTR {
        with_noise_model(s.noise_model, [&](auto noise) HWY_ATTR {
            for (std::int32_t j = 0; j < s.num_frames; ++j) {
                const auto frame = static_cast<std::size_t>(j);
                const cfloat* waves = evaluation.far_fields(frames[frame], j);
                add_background_derivatives<noise()>(waves, patterns + frame * detector_shape(s).area(),
                                                    detector, evaluation.scale(j), s, probe_part(out));
            }
        });
    });
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera {
namespace {

HWY_EXPORT(find_background_derivatives_of_batch);

void find_background_derivatives_cpu(const FindBackgroundDerivativesArgs& args, const Buffers& buffers) {
    HWY_DYNAMIC_DISPATCH(find_background_derivatives_of_batch)(args, buffers);
}

Cost find_background_derivatives_cost(const FindBackgroundDerivativesArgs& args) {
    return frames_cost(args.shape, 1, 1);
}

void update_background_cpu(const UpdateBackgroundArgs& args, const Buffers& buffers) {
    if (buffers.get<const IterationState>(2)->stopped != 0) return;
    const cfloat* derivatives = probe_part(buffers.get<const std::byte>(0));
    auto* background = reinterpret_cast<float*>(buffers.get<std::byte>(1) + background_offset(args.detector));
    double sum = 0;
    for (std::size_t i = 0; i < args.detector.area(); ++i)
        sum += static_cast<double>(counted_curvature(derivatives[i], args.num_frames));
    const auto mean = static_cast<float>(sum / static_cast<double>(args.detector.area()));
    for (std::size_t i = 0; i < args.detector.area(); ++i)
        background[i] = updated_background(background[i], derivatives[i], mean, args.step_size);
    std::memcpy(buffers.get<float>(3), background, args.detector.area() * sizeof(float));
}

Cost update_background_cost(const UpdateBackgroundArgs& args) {
    return pixels_cost(static_cast<double>(args.detector.area()), 6, 2 * sizeof(cfloat) + 3 * sizeof(float));
}

}  // namespace

BufferBytes FindBackgroundDerivativesArgs::buffer_bytes() const {
    return {patterns_bytes(shape),
            frames_bytes(shape),
            detector_bytes(shape),
            probe_bytes(shape),
            moving_field_bytes(shape.tile_size()),
            sizeof(IterationState),
            sums_bytes(detector_shape(shape).area())};
}

BufferBytes UpdateBackgroundArgs::buffer_bytes() const {
    const std::size_t map = detector.area() * sizeof(float);
    return {sums_bytes(detector.area()), background_offset(detector) + map, sizeof(IterationState), map};
}

const Codelet<FindBackgroundDerivativesArgs> find_background_derivatives =
    Codelet<FindBackgroundDerivativesArgs>::make<find_background_derivatives_cpu,
                                                 TESSERA_ON_DEVICE(find_background_derivatives_device),
                                                 find_background_derivatives_cost>(
        "find_background_derivatives",
        {Access::read, Access::read, Access::read, Access::read, Access::read, Access::read, Access::write});

const Codelet<UpdateBackgroundArgs> update_background =
    Codelet<UpdateBackgroundArgs>::make<update_background_cpu, TESSERA_ON_DEVICE(update_background_device),
                                        update_background_cost>(
        "update_background", {Access::read, Access::read_write, Access::read, Access::read_write});

}  // namespace tessera
#endif  // HWY_ONCE
