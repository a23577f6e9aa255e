#pragma once

#include "codelets/device/overlap_sums.hpp"
#include "codelets/fourier_projection.hpp"

// What fourier_projection.cu and the stages of a projection have in common. Only device bodies include this.
namespace tessera {

// P O of wave z at a pixel of the probe.
TESSERA_HD cfloat overlap_at(const BatchShape& s, const FramePosition* frames, const ProbeModes& probe,
                             const ObjectWindow& object, std::int32_t z, std::int32_t y, std::int32_t x) {
    const WaveIndex of = wave_at(s, z);
    return probe(s, of.frame, of.mode, y, x) * object.of_mode(s, of.object_mode)(s, frames[of.frame], y, x);
}

// wave = reflect P O + (1 - reflect) psi. x, y: of the frame.
struct ReflectedWave {
    BatchShape s;
    const FramePosition* frames;
    ProbeModes probe;
    ObjectWindow object;
    const cfloat* psi;
    float reflect;
    cfloat* waves;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t z) const {
        const std::ptrdiff_t i = z * area_of(s.frame) + at(s.frame, y, x);
        const Shape2 before = padding_before(s);
        const std::int32_t py = y - before.y, px = x - before.x;
        cfloat wave = (1 - reflect) * psi[i];
        if (py >= 0 && px >= 0 && py < s.probe.y && px < s.probe.x) {
            wave = scale_add(reflect, overlap_at(s, frames, probe, object, z, py, px), wave);
        }
        waves[i] = wave;
    }
};

// A pixel of a frame's far fields against the measured amplitude.
struct Modulus {
    BatchShape s;
    Measurements measurements;
    float scale;
    TESSERA_HD pixel::ModulusError<float> operator()(const cfloat* waves, std::int32_t frame,
                                                     std::int32_t pixel, float& used) const {
        const float intensity = sum_of_modes(s, waves, frame, pixel);
        const Measured all = measurements(s, frame, pixel);
        const Measured m = all.compared_with(fma(intensity, scale, all.background), s.saturated_from);
        used = m.mask;
        return pixel::modulus_error(intensity * scale, m.counts, m.background, m.mask,
                                    noise_epsilon(NoiseModel::amplitude), 0.0f, 1.0f);
    }
};

// Squared errors of a frame's amplitudes, and the pixels in use.
struct ModulusErrors {
    Modulus modulus;
    const cfloat* waves;
    static constexpr int num_sums = 2;
    TESSERA_HD void operator()(std::int32_t pixel, std::int32_t frame, float (&sums)[num_sums]) const {
        float used = 0;
        sums[0] += modulus(waves, frame, pixel, used).squared;
        sums[1] += used;
    }
};

// The share of a frame's error that stays, in place of the number of its pixels. x: frame.
struct SharesFinishSums {
    double power_bound;
    double* errors;  // (frame, squared error and pixels in use, then share)
    double* powers;  // (frame): the mean squared errors; null: not wanted
    TESSERA_HD void operator()(std::int32_t frame, std::int32_t, std::int32_t) const {
        const double pixels = errors[2 * frame + 1];
        const double power = pixels > 0 ? errors[2 * frame] / pixels : 0.0;
        if (powers != nullptr) powers[frame] = power;
        errors[2 * frame + 1] = power <= power_bound ? 1.0 : ::sqrt(power_bound / power);
    }
};

// waves *= factor * scale. x: pixel, y: frame.
struct ApplyModulus {
    Modulus modulus;
    const double* errors;  // (frame, squared error and share)
    cfloat* waves;
    TESSERA_HD void operator()(std::int32_t pixel, std::int32_t frame, std::int32_t) const {
        const auto share = static_cast<float>(errors[2 * frame + 1]);
        float used = 0;
        const float quotient = modulus(waves, frame, pixel, used).quotient;
        const float factor = modulus.scale * pixel::relaxed_modulus_factor(quotient, share, 1.0f);
        const BatchShape& s = modulus.s;
        cfloat* wave = waves + static_cast<std::ptrdiff_t>(frame) * s.num_waves() * area_of(s.frame) + pixel;
        for (std::int32_t k = 0; k < s.num_waves(); ++k)
            wave[k * area_of(s.frame)] = factor * wave[k * area_of(s.frame)];
    }
};

// psi <- map.psi psi + map.overlap P O + map.fourier wave. x, y: of the frame.
struct UpdateExitWave {
    BatchShape s;
    const FramePosition* frames;
    ProbeModes probe;
    ObjectWindow object;
    const cfloat* waves;
    ProjectionMap map;
    const IterationState* state;
    cfloat* psi;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t z) const {
        if (state->stopped != 0) return;
        const std::ptrdiff_t i = z * area_of(s.frame) + at(s.frame, y, x);
        const Shape2 before = padding_before(s);
        const std::int32_t py = y - before.y, px = x - before.x;
        cfloat wave = scale_add(map.fourier, waves[i], map.psi * psi[i]);
        if (py >= 0 && px >= 0 && py < s.probe.y && px < s.probe.x) {
            wave = scale_add(map.overlap, overlap_at(s, frames, probe, object, z, py, px), wave);
        }
        psi[i] = wave;
    }
};

struct ProjectionFinishSums {
    const double* costs;   // (frame, 2), null: not asked for
    const double* errors;  // (frame, 2)
    std::int32_t num_frames;
    const IterationState* state;
    BatchSums* sums;
    TESSERA_HD void operator()() const {
        if (state->stopped != 0) return;
        for (std::int32_t j = 0; j < num_frames; ++j) {
            if (costs != nullptr) {
                sums->cost += costs[2 * j];
                sums->squared_error += costs[2 * j + 1];
            }
            sums->bad_frames += errors[2 * j] - errors[2 * j] == 0 ? 0 : 1;  // not finite
        }
    }
};

// The far fields of these frames with the measured moduli; `errors`: (frame, squared error and share);
// `powers`, if wanted: their mean squared errors.
inline void apply_moduli(Device& device, const Modulus& modulus, double power_bound, std::int32_t num_frames,
                         cfloat* waves, double* errors, double* powers = nullptr) {
    const auto pixels = static_cast<std::int32_t>(modulus.s.frame.area());
    device.reduce_rows<ModulusErrors::num_sums, Sum>(num_frames, pixels, ModulusErrors{modulus, waves},
                                                     errors);
    device.for_each({num_frames}, SharesFinishSums{power_bound, errors, powers});
    device.for_each({pixels, num_frames}, ApplyModulus{modulus, errors, waves});
}

// The object's sums of the new exit waves psi of these frames; `chi`: scratch for as many waves.
inline void add_object_sums(Device& device, const BatchShape& s, const FramePosition* frames,
                            std::int32_t num_frames, const ProbeModes& probe, const ObjectWindow& object,
                            const cfloat* psi, const IterationState* state, cfloat* chi, cfloat* window) {
    device.for_each({s.frame.x, s.frame.y, num_frames * s.num_waves()},
                    Residual{s, frames, probe, object, psi, state, chi});
    gather_object_sums(device, s, frames, num_frames, probe, chi, state, window);
}

}  // namespace tessera
