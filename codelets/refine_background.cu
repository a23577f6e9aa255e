#include "codelets/refine_background.hpp"

#include "codelets/device/frame_evaluation.hpp"

namespace tessera {
namespace {

// x: the pixel, which adds up the frames of a turn in their order.
struct AddBackgroundDerivatives {
    BatchShape s;
    Measurements measurements;
    IntensityScale scale;
    std::int32_t num_frames;
    const cfloat* waves;
    const float* seen;  // intensities; null: the far field's
    const IterationState* state;
    cfloat* sums;
    TESSERA_HD void operator()(std::int32_t pixel, std::int32_t, std::int32_t) const {
        if (state->stopped != 0) return;
        cfloat sum = sums[pixel];
        for (std::int32_t j = 0; j < num_frames; ++j) {
            const float light = seen != nullptr ? seen[j * area_of(detector_shape(s)) + pixel]
                                                : sum_of_modes(s, waves, j, pixel);
            const Measured all = measurements(s, j, pixel);
            const float intensity = fma(light, scale(j), all.background);
            const Measured m = all.compared_with(intensity, s.saturated_from);
            sum.re += misfit_of(s.noise_model, intensity, m).factor;
            sum.im += curvature_of(s.noise_model, intensity, m);
        }
        sums[pixel] = sum;
    }
};

struct CountedCurvatures {
    static constexpr int num_sums = 1;
    const cfloat* derivatives;
    float num_frames;
    TESSERA_HD void operator()(std::int32_t pixel, std::int32_t, float (&sums)[num_sums]) const {
        sums[0] += counted_curvature(derivatives[pixel], num_frames);
    }
};

struct MeanOfPixelsScalars {
    const double* sum;
    double num_pixels;
    float* mean;
    TESSERA_HD void operator()() const { *mean = static_cast<float>(*sum / num_pixels); }
};

struct UpdateBackground {
    const cfloat* derivatives;
    const float* mean_curvature;
    float step_size;
    const IterationState* state;
    float* background;
    float* noted;
    TESSERA_HD void operator()(std::int32_t pixel, std::int32_t, std::int32_t) const {
        if (state->stopped != 0) return;
        background[pixel] =
            updated_background(background[pixel], derivatives[pixel], *mean_curvature, step_size);
        noted[pixel] = background[pixel];
    }
};

}  // namespace

void find_background_derivatives_device(const FindBackgroundDerivativesArgs& args, const Buffers& buffers,
                                        Device& device) {
    const BatchShape& s = args.shape;
    auto* out = buffers.get<std::byte>(6);
    device.clear(out, sums_bytes(detector_shape(s).area()));
    FrameEvaluations evaluations(s, buffers, device);
    evaluations.for_each_turn(buffers.get<const FramePosition>(1), [&](std::int32_t first,
                                                                       std::int32_t num_frames) {
        const float* seen = evaluations.spread().intensity(evaluations.waves(), num_frames);
        device.for_each({static_cast<std::int32_t>(detector_shape(s).area())},
                        AddBackgroundDerivatives{s, measurements_from(buffers, s, first), evaluations.scale(),
                                                 num_frames, evaluations.waves(), seen,
                                                 buffers.get<const IterationState>(5), probe_part(out)});
    });
}

void update_background_device(const UpdateBackgroundArgs& args, const Buffers& buffers, Device& device) {
    auto* background = reinterpret_cast<float*>(buffers.get<std::byte>(1) + background_offset(args.detector));
    const cfloat* derivatives = probe_part(buffers.get<const std::byte>(0));
    const auto pixels = static_cast<std::int32_t>(args.detector.area());
    auto* sum = device.scratch<double>(Scratch::row_sums, 1);
    auto* mean = device.scratch<float>(Scratch::product, 1);
    device.reduce_rows<CountedCurvatures::num_sums, Sum>(
        1, pixels, CountedCurvatures{derivatives, args.num_frames}, sum);
    device.once(MeanOfPixelsScalars{sum, static_cast<double>(pixels), mean});
    device.for_each({pixels},
                    UpdateBackground{derivatives, mean, args.step_size, buffers.get<const IterationState>(2),
                                     background, buffers.get<float>(3)});
}

}  // namespace tessera
