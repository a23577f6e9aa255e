// Vectorised sweeps over the far fields of one frame and its counts: cost, derivatives, trial steps. What
// codelets/wave_sweeps-inl.hpp says of waves holds here.
#if defined(TESSERA_CODELETS_COMPARISON_SWEEPS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_CODELETS_COMPARISON_SWEEPS_INL_HPP
#undef TESSERA_CODELETS_COMPARISON_SWEEPS_INL_HPP
#else
#define TESSERA_CODELETS_COMPARISON_SWEEPS_INL_HPP
#endif

#include "codelets/point_spread-inl.hpp"
#include "codelets/wave_sweeps-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

// What a frame's comparison yields, summed in double over chunks of a fixed size.
struct FrameCost {
    double cost = 0;
    double squared_error = 0;
};
inline constexpr std::size_t chunk_pixels = 1024;

template <NoiseModel noise>
HWY_INLINE Misfit<Vec> misfit(Vec intensity, Vec counts, Vec mask, Vec epsilon) {
    const Vec one = broadcast(1.0f);
    if constexpr (noise == NoiseModel::amplitude)
        return amplitude_misfit(intensity, counts, mask, epsilon, one);
    if constexpr (noise == NoiseModel::poisson) return poisson_misfit(intensity, counts, mask, epsilon, one);
    if constexpr (noise == NoiseModel::gaussian)
        return gaussian_misfit(intensity, counts, mask, broadcast(0.5f), one);
}

// A pixel that its frame does not use has no weight.
struct Measured {
    Vec counts, mask;
};
template <class Count, class Lanes>
HWY_INLINE Measured measured(const Count* counts, const float* mask, Lanes lanes) {
    const Vec raw = load_counts(counts, lanes), weight = load(mask, lanes);
    if constexpr (std::is_unsigned_v<Count>) {
        return {raw, where_less(raw, broadcast(static_cast<float>(unused_count<Count>)), weight, zero())};
    } else {
        return {maximum(raw, zero()), where_not_negative(raw, weight)};
    }
}

// Saturated counts, which only a model with less light is compared with.
class Saturation {
  public:
    explicit Saturation(const BatchShape& s)
        : is_possible_(std::isfinite(s.saturated_from)), from_(broadcast(s.saturated_from)) {}
    HWY_INLINE Vec mask(Vec intensity, const Measured& data) const {
        return is_possible_ ? one_sided_mask(intensity, data.counts, data.mask, from_, zero()) : data.mask;
    }
    HWY_INLINE Measured compared_with(Vec intensity, const Measured& data) const {
        return {data.counts, mask(intensity, data)};
    }

  private:
    bool is_possible_;
    Vec from_;
};

template <class Lanes>
HWY_INLINE Vec sum_of_modes(const cfloat* waves, Lanes lanes, const BatchShape& s) {
    Vec intensity = norm(load(waves, lanes));
    for (int k = 1; k < s.num_waves(); ++k)
        intensity = norm_add(load(waves + static_cast<std::size_t>(k) * s.frame.area(), lanes), intensity);
    return intensity;
}
template <class Lanes>
HWY_INLINE void multiply_modes(Vec by, cfloat* waves, Lanes lanes, const BatchShape& s) {
    for (int k = 0; k < s.num_waves(); ++k) {
        cfloat* wave = waves + static_cast<std::size_t>(k) * s.frame.area();
        store(by * load(static_cast<const cfloat*>(wave), lanes), wave, lanes);
    }
}

// What the detector's pixels see of sum |Psi|^2, in scratch memory; null where each sees its own.
inline float* seen_intensity(const cfloat* HWY_RESTRICT waves, const DetectorView& detector,
                             const BatchShape& s) {
    if (!sees_several_pixels(s)) return nullptr;
    return seen_planes<1>(detector, s, [&](std::size_t i, auto lanes, Vec(&seen)[1]) HWY_ATTR {
        seen[0] = sum_of_modes(waves + i, lanes, s);
    });
}

// Far fields *= the adjoint of that of factors of the detector's pixels.
inline void multiply_seen(float* HWY_RESTRICT factor, cfloat* HWY_RESTRICT waves,
                          const DetectorView& detector, const BatchShape& s) {
    if (detector.blur != nullptr) blur(factor, detector.blur, s);
    const auto width = static_cast<std::size_t>(s.frame.x);
    float* line = Workspace::of_this_worker().get<float>(Workspace::Slot::blurred_rows, width);
    for (int y = 0; y < s.frame.y; ++y) {
        const float* row = factor + detector_row(y, s);
        if (s.upsampling > 1) {
            spread_row(row, s, line);
            row = line;
        }
        cfloat* wave = waves + static_cast<std::size_t>(y) * width;
        for_each_vector(width, [&](std::size_t x, auto lanes)
                                   HWY_ATTR { multiply_modes(load(row + x, lanes), wave + x, lanes, s); });
    }
}

// Cost of the far fields; with `Factor::apply` they are multiplied by the derivative's factor and `scale`,
// ready to be propagated back. `scale` is the propagator's: |wave|^2 * scale = intensity.
enum class Factor { skip, apply };
template <Factor factor, NoiseModel noise, class Count>
FrameCost compare(cfloat* waves, const Count* HWY_RESTRICT counts, const DetectorView& detector, float scale,
                  const BatchShape& s) {
    const std::size_t n = detector_shape(s).area();
    const float* HWY_RESTRICT mask = detector.mask;
    const float* HWY_RESTRICT background = detector.background;
    const Vec scales = broadcast(scale), epsilons = broadcast(noise_epsilon(noise));
    const Saturation saturation(s);
    float* seen = seen_intensity(waves, detector, s);  // null: the far field's; then the place of factors
    FrameCost total;
    for (std::size_t chunk = 0; chunk < n; chunk += chunk_pixels) {
        Vec cost = zero(), squared_error = zero();
        for_each_vector(std::min(chunk_pixels, n - chunk), [&](std::size_t j, auto lanes) HWY_ATTR {
            const std::size_t i = chunk + j;
            Vec intensity = seen != nullptr ? load(seen + i, lanes) : sum_of_modes(waves + i, lanes, s);
            intensity = background != nullptr ? fma(intensity, scales, load(background + i, lanes))
                                              : intensity * scales;
            const Measured data = saturation.compared_with(intensity, measured(counts + i, mask + i, lanes));
            const Misfit<Vec> m = misfit<noise>(intensity, data.counts, data.mask, epsilons);
            cost = cost + m.cost;
            if constexpr (noise != NoiseModel::amplitude || factor == Factor::skip) {
                squared_error = squared_error + amplitude_error(intensity, data.counts, data.mask);
            }
            if constexpr (factor == Factor::apply) {
                const Vec by = m.factor * scales;
                if (seen != nullptr) {
                    store(by, seen + i, lanes);
                } else {
                    multiply_modes(by, waves + i, lanes, s);
                }
            }
        });
        total.cost += static_cast<double>(sum_of_lanes(cost));
        total.squared_error += static_cast<double>(sum_of_lanes(squared_error));
    }
    if constexpr (noise == NoiseModel::amplitude && factor == Factor::apply) total.squared_error = total.cost;
    if constexpr (factor == Factor::apply) {
        if (seen != nullptr) multiply_seen(seen, waves, detector, s);
    }
    return total;
}

template <NoiseModel noise>
HWY_INLINE Vec curvature(Vec intensity, const Measured& data, Vec epsilon) {
    if constexpr (noise == NoiseModel::amplitude)
        return amplitude_curvature(intensity, data.mask, epsilon, broadcast(0.5f));
    if constexpr (noise == NoiseModel::poisson) return poisson_curvature(intensity, data.mask, epsilon);
    if constexpr (noise == NoiseModel::gaussian)
        return gaussian_curvature(data.counts, data.mask, broadcast(1.0f));
}

// The far fields of a frame and their derivatives along both axes of its position.
struct FieldsByPlace {
    const cfloat* here;
    const cfloat* along_y;
    const cfloat* along_x;
};
// Intensity and half of its derivatives.
struct IntensitySlopes {
    Vec intensity, by_y, by_x;
};
template <class Lanes>
HWY_INLINE IntensitySlopes slopes_of(const FieldsByPlace& fields, std::size_t i, Lanes lanes,
                                     const BatchShape& s) {
    IntensitySlopes sum = {zero(), zero(), zero()};
    for (int k = 0; k < s.num_waves(); ++k) {
        const std::size_t at = static_cast<std::size_t>(k) * s.frame.area() + i;
        const ComplexVec field = load(fields.here + at, lanes);
        sum.intensity = norm_add(field, sum.intensity);
        sum.by_y = dot_add(field, load(fields.along_y + at, lanes), sum.by_y);
        sum.by_x = dot_add(field, load(fields.along_x + at, lanes), sum.by_x);
    }
    return sum;
}
template <class Lanes>
HWY_INLINE IntensitySlopes load_slopes(const float* planes, Lanes lanes, const BatchShape& s) {
    const std::size_t n = detector_shape(s).area();
    return {load(planes, lanes), load(planes + n, lanes), load(planes + 2 * n, lanes)};
}
inline const float* seen_slopes(const FieldsByPlace& fields, const DetectorView& detector,
                                const BatchShape& s) {
    if (!sees_several_pixels(s)) return nullptr;
    return seen_planes<3>(detector, s, [&](std::size_t i, auto lanes, Vec(&seen)[3]) HWY_ATTR {
        const IntensitySlopes slopes = slopes_of(fields, i, lanes, s);
        seen[0] = slopes.intensity;
        seen[1] = slopes.by_y;
        seen[2] = slopes.by_x;
    });
}

// Of a frame's cost by its position: see codelets/refine_positions.hpp.
template <NoiseModel noise, class Count>
PositionDerivatives derivatives_along(const FieldsByPlace& fields, const Count* HWY_RESTRICT counts,
                                      const DetectorView& detector, float scale, const BatchShape& s) {
    const std::size_t n = detector_shape(s).area();
    const float* HWY_RESTRICT mask = detector.mask;
    const float* HWY_RESTRICT background = detector.background;
    const Vec scales = broadcast(scale), twice = broadcast(2 * scale),
              epsilons = broadcast(noise_epsilon(noise));
    const Saturation saturation(s);
    const float* HWY_RESTRICT seen = seen_slopes(fields, detector, s);  // null: the far field's
    PositionDerivatives total = {};
    for (std::size_t chunk = 0; chunk < n; chunk += chunk_pixels) {
        Vec sums[5] = {zero(), zero(), zero(), zero(), zero()};
        for_each_vector(std::min(chunk_pixels, n - chunk), [&](std::size_t j, auto lanes) HWY_ATTR {
            const std::size_t i = chunk + j;
            auto [intensity, by_y, by_x] =
                seen != nullptr ? load_slopes(seen + i, lanes, s) : slopes_of(fields, i, lanes, s);
            const Vec offset = background != nullptr ? load(background + i, lanes) : zero();
            intensity = fma(intensity, scales, offset);
            by_y = by_y * twice;
            by_x = by_x * twice;
            const Measured data = saturation.compared_with(intensity, measured(counts + i, mask + i, lanes));
            const Vec slope = misfit<noise>(intensity, data.counts, data.mask, epsilons).factor;
            const Vec weight = curvature<noise>(intensity, data, epsilons);
            const Vec weighted_y = weight * by_y;
            sums[0] = fma(slope, by_y, sums[0]);
            sums[1] = fma(slope, by_x, sums[1]);
            sums[2] = fma(weighted_y, by_y, sums[2]);
            sums[3] = fma(weighted_y, by_x, sums[3]);
            sums[4] = fma(weight * by_x, by_x, sums[4]);
        });
        for (int i = 0; i < 2; ++i) total.gradient[i] += static_cast<double>(sum_of_lanes(sums[i]));
        for (int i = 0; i < 3; ++i) total.curvature[i] += static_cast<double>(sum_of_lanes(sums[2 + i]));
    }
    return total;
}

// The step along their derivative that suits the far fields of a frame best: 1 for the amplitude model, which
// the derivative leads all the way; of the poisson model Newton's.
template <NoiseModel noise, class Count>
double far_field_step(const cfloat* waves, const Count* HWY_RESTRICT counts, const DetectorView& detector,
                      float scale, const BatchShape& s) {
    if constexpr (noise != NoiseModel::poisson) return 1;
    const std::size_t n = s.frame.area();
    const Saturation saturation(s);
    double fall = 0, curvature = 0;
    for (std::size_t chunk = 0; chunk < n; chunk += chunk_pixels) {
        Vec falls = zero(), curvatures = zero();
        for_each_vector(std::min(chunk_pixels, n - chunk), [&](std::size_t j, auto lanes) HWY_ATTR {
            const std::size_t i = chunk + j;
            Vec intensity = zero();
            for (std::size_t k = 0; k < static_cast<std::size_t>(s.num_waves()); ++k)
                intensity = norm_add(load(waves + k * n + i, lanes), intensity);
            intensity = intensity * broadcast(scale);
            if (detector.background != nullptr) intensity = intensity + load(detector.background + i, lanes);
            const Measured data =
                saturation.compared_with(intensity, measured(counts + i, detector.mask + i, lanes));
            const Misfit<Vec> m =
                misfit<noise>(intensity, data.counts, data.mask, broadcast(noise_epsilon(noise)));
            const FallAlong<Vec> along =
                poisson_fall_along(intensity, data.counts, m.factor, broadcast(0.5f), broadcast(1.0f));
            falls = falls + along.fall;
            curvatures = curvatures + along.curvature;
        });
        fall += static_cast<double>(sum_of_lanes(falls));
        curvature += static_cast<double>(sum_of_lanes(curvatures));
    }
    return poisson_step(fall, curvature);
}

// A, B, C of one frame along the direction; C is null when it vanishes.
struct FieldsAlong {
    cfloat* a;
    cfloat* b;
    cfloat* c;
};

template <class Lanes>
HWY_INLINE IntensityPolynomial<Vec> polynomial_of(const FieldsAlong& fields, std::size_t i, Lanes lanes,
                                                  const BatchShape& s) {
    IntensityPolynomial<Vec> p = {zero(), zero(), zero(), zero(), zero()};
    for (int k = 0; k < s.num_waves(); ++k) {
        const std::size_t at = static_cast<std::size_t>(k) * s.frame.area() + i;
        p = fields.c != nullptr ? add_mode(p, load(static_cast<const cfloat*>(fields.a + at), lanes),
                                           load(static_cast<const cfloat*>(fields.b + at), lanes),
                                           load(static_cast<const cfloat*>(fields.c + at), lanes))
                                : add_mode(p, load(static_cast<const cfloat*>(fields.a + at), lanes),
                                           load(static_cast<const cfloat*>(fields.b + at), lanes));
    }
    return p;
}
// What pixels see is linear in the intensity, and so in the polynomial's coefficients.
inline constexpr std::size_t num_coefficients = 5;
template <class Lanes>
HWY_INLINE IntensityPolynomial<Vec> load_polynomial(const float* planes, Lanes lanes, const BatchShape& s) {
    const std::size_t n = detector_shape(s).area();
    return {load(planes, lanes), load(planes + n, lanes), load(planes + 2 * n, lanes),
            load(planes + 3 * n, lanes), load(planes + 4 * n, lanes)};
}
inline const float* seen_polynomial(const FieldsAlong& fields, const DetectorView& detector,
                                    const BatchShape& s) {
    if (!sees_several_pixels(s)) return nullptr;
    const auto values = [&](std::size_t i, auto lanes, Vec(&seen)[num_coefficients]) HWY_ATTR {
        const IntensityPolynomial<Vec> p = polynomial_of(fields, i, lanes, s);
        seen[0] = p.c0;
        seen[1] = p.c1;
        seen[2] = p.c2;
        seen[3] = p.c3;
        seen[4] = p.c4;
    };
    return seen_planes<num_coefficients>(detector, s, values);
}

// Adds the frame's costs at step 0 and at each trial step to `cost`.
template <NoiseModel noise, class Count>
void compare_along(const FieldsAlong& fields, const Count* HWY_RESTRICT counts, const DetectorView& detector,
                   float scale, const float* steps, const BatchShape& s, double* cost) {
    const std::size_t n = detector_shape(s).area();
    const float* HWY_RESTRICT mask = detector.mask;
    const float* HWY_RESTRICT background = detector.background;
    const Vec scales = broadcast(scale), epsilons = broadcast(noise_epsilon(noise));
    const Saturation saturation(s);
    const float* HWY_RESTRICT seen = seen_polynomial(fields, detector, s);  // null: the far field's
    for (std::size_t chunk = 0; chunk < n; chunk += chunk_pixels) {
        Vec sums[num_trials + 1];
        for (Vec& sum : sums) sum = zero();
        for_each_vector(std::min(chunk_pixels, n - chunk), [&](std::size_t j, auto lanes) HWY_ATTR {
            const std::size_t i = chunk + j;
            const IntensityPolynomial<Vec> p =
                seen != nullptr ? load_polynomial(seen + i, lanes, s) : polynomial_of(fields, i, lanes, s);
            const Vec offset = background != nullptr ? load(background + i, lanes) : zero();
            const Measured data = measured(counts + i, mask + i, lanes);
            const auto add = [&](std::size_t trial, Vec intensity) HWY_ATTR {
                const Vec counted = fma(maximum(intensity, zero()), scales, offset);
                const Vec used = saturation.mask(counted, data);
                sums[trial] = sums[trial] + misfit<noise>(counted, data.counts, used, epsilons).cost;
            };
            add(0, p.c0);
            for (std::size_t trial = 0; trial < num_trials; ++trial) {
                add(trial + 1, intensity_at(p, broadcast(steps[trial])));
            }
        });
        for (std::size_t trial = 0; trial <= num_trials; ++trial) {
            cost[trial] += static_cast<double>(sum_of_lanes(sums[trial]));
        }
    }
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#endif
