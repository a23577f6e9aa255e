#pragma once

#include "codelets/device/device.hpp"
#include "codelets/noise.hpp"
#include "codelets/unit_phase.hpp"
#include "pixel/formulas.hpp"

// The forward model of a batch's frames and its adjoint, index by index: what device bodies hand to
// Device::for_each. Fields are (frame of this turn, wave, y, x), dense, with z = frame * num_waves + wave, or
// of the probe (frame, mode, y, x) with z = frame * num_modes + mode. The CPU's counterpart, vectorised, is
// codelets/frame_model-inl.hpp.
namespace tessera {

TESSERA_HD std::ptrdiff_t at(Shape2 shape, std::int32_t y, std::int32_t x) {
    return static_cast<std::ptrdiff_t>(y) * shape.x + x;
}
TESSERA_HD std::ptrdiff_t area_of(Shape2 shape) {
    return static_cast<std::ptrdiff_t>(shape.y) * shape.x;
}
// Does nobody want what this task makes?
TESSERA_HD bool is_idle(const IterationState& state) {
    return state.stopped != 0 || state.overlap_done != 0;
}
// Where the probe's first pixel sits in the wave.
TESSERA_HD Shape2 padding_before(const BatchShape& s) {
    return {(s.frame.y - s.probe.y) / 2, (s.frame.x - s.probe.x) / 2};
}

// Whose wave z is.
struct WaveIndex {
    std::int32_t frame, object_mode, mode;
};
TESSERA_HD WaveIndex wave_at(const BatchShape& s, std::int32_t z) {
    const std::int32_t wave = z % s.num_waves();
    return {z / s.num_waves(), s.object_mode_of(wave), s.probe_mode_of(wave)};
}

// The probe's modes as a frame sees them: the same for all frames, or shifted for each of them.
struct ProbeModes {
    const cfloat* data;
    std::ptrdiff_t frame_stride;  // 0: the same
    TESSERA_HD cfloat operator()(const BatchShape& s, std::int32_t frame, std::int32_t mode, std::int32_t y,
                                 std::int32_t x) const {
        return data[frame * frame_stride + mode * area_of(s.probe) + at(s.probe, y, x)];
    }
};

// How frames are lit, from the first of a turn on (codelets/variable_probe.hpp): all alike where there is no
// data.
struct FrameLights {
    const float* data = nullptr;
    std::int32_t num_opr_modes = 0;
    TESSERA_HD const float* of(std::int32_t frame) const {
        return data + static_cast<std::ptrdiff_t>(frame) * light_size(num_opr_modes);
    }
    TESSERA_HD float intensity(std::int32_t frame) const {
        return data == nullptr ? 1.0f : *of(frame) * *of(frame);
    }
    TESSERA_HD cfloat weight(std::int32_t frame, std::int32_t i) const {
        return {of(frame)[1 + 2 * i], of(frame)[2 + 2 * i]};
    }
};

// What |wave|^2 is multiplied by.
struct IntensityScale {
    float common;
    FrameLights lights;
    TESSERA_HD float operator()(std::int32_t frame) const { return common * lights.intensity(frame); }
};

// By what the first mode of the probe (or its spectrum) deviates in each frame.
struct Deviations {
    const cfloat* opr_modes;  // (i, y, x)
    FrameLights lights;
    TESSERA_HD cfloat add_to(cfloat value, std::int32_t frame, std::int32_t mode, std::ptrdiff_t pixel,
                             std::ptrdiff_t area) const {
        if (mode != 0 || lights.data == nullptr) return value;
        for (std::int32_t i = 0; i < lights.num_opr_modes; ++i)
            value = mul_add(lights.weight(frame, i), opr_modes[i * area + pixel], value);
        return value;
    }
};

// A plane of the object (or of its direction) in a frame's window.
struct ObjectWindow {
    const cfloat* data;  // the extended tile
    float vacuum;        // beyond it: 1, and 0 of the direction

    // Of the first mode, the window of another.
    TESSERA_HD ObjectWindow of_mode(const BatchShape& s, std::int32_t mode) const {
        return {data + mode * area_of(s.tile), s.is_dark_in_vacuum(mode) ? 0.0f : vacuum};
    }
    TESSERA_HD cfloat pixel(const BatchShape& s, std::int32_t y, std::int32_t x) const {
        if (s.reaches_out && (y < 0 || x < 0 || y >= s.tile.y || x >= s.tile.x)) return {vacuum, 0};
        return data[at(s.tile, y, x)];
    }
    TESSERA_HD cfloat operator()(const BatchShape& s, const FramePosition& where, std::int32_t y,
                                 std::int32_t x) const {
        const std::int32_t v = where.y + y, u = where.x + x;
        if (s.interpolation != Interpolation::bilinear) return pixel(s, v, u);
        const float fy = where.frac_y, fx = where.frac_x;
        cfloat sum = {0, 0};
        sum = scale_add((1 - fy) * (1 - fx), pixel(s, v, u), sum);
        sum = scale_add((1 - fy) * fx, pixel(s, v, u + 1), sum);
        sum = scale_add(fy * (1 - fx), pixel(s, v + 1, u), sum);
        return scale_add(fy * fx, pixel(s, v + 1, u + 1), sum);
    }
};

// One axis of exp(-2 pi i q f), q in the transform's order: x is the entry (y axis, then x axis), y the
// frame.
struct PhaseRamps {
    const FramePosition* frames;
    Shape2 shape;
    float scale;    // in the y axis
    cfloat* ramps;  // (frame, y + x)
    TESSERA_HD void operator()(std::int32_t i, std::int32_t frame, std::int32_t) const {
        const bool along_y = i < shape.y;
        const std::int32_t count = along_y ? shape.y : shape.x, index = along_y ? i : i - shape.y;
        const float fraction = along_y ? frames[frame].frac_y : frames[frame].frac_x;
        const std::int32_t q = index < (count + 1) / 2 ? index : index - count;
        const float half_turns = -2.0f * fraction * static_cast<float>(q) / static_cast<float>(count);
        const float factor = along_y ? scale : 1.0f;
        const cfloat phase = unit_phase(half_turns);
        ramps[static_cast<std::ptrdiff_t>(frame) * (shape.y + shape.x) + i] = {factor * phase.re,
                                                                               factor * phase.im};
    }
};

TESSERA_HD cfloat ramp_at(const cfloat* ramps, Shape2 shape, std::int32_t frame, std::int32_t y,
                          std::int32_t x) {
    const cfloat* mine = ramps + static_cast<std::ptrdiff_t>(frame) * (shape.y + shape.x);
    return mine[y] * mine[shape.y + x];
}

// The spectrum of each mode, shifted for each frame: to be transformed back.
struct ShiftSpectrum {
    BatchShape s;
    const cfloat* spectrum;  // (mode, y, x)
    Deviations deviations;   // of spectra
    const cfloat* ramps;
    cfloat* shifted;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t z) const {
        const std::int32_t frame = z / s.num_modes, mode = z % s.num_modes;
        const std::ptrdiff_t pixel = at(s.probe, y, x);
        shifted[z * area_of(s.probe) + pixel] = ramp_at(ramps, s.probe, frame, y, x) *
                                                deviations.add_to(spectrum[mode * area_of(s.probe) + pixel],
                                                                  frame, mode, pixel, area_of(s.probe));
    }
};

// The modes as each frame is lit, at whole pixels. x: over (y, x), y: frame * num_modes + mode.
struct LightModes {
    BatchShape s;
    const cfloat* modes;
    Deviations deviations;
    cfloat* lit;
    TESSERA_HD void operator()(std::int32_t pixel, std::int32_t z, std::int32_t) const {
        const std::int32_t frame = z / s.num_modes, mode = z % s.num_modes;
        const std::ptrdiff_t area = area_of(s.probe);
        lit[z * area + pixel] = deviations.add_to(modes[mode * area + pixel], frame, mode, pixel, area);
    }
};

// psi = P O, zero around the probe. x, y: of the frame.
struct ExitWave {
    BatchShape s;
    const FramePosition* frames;
    ProbeModes probe;
    ObjectWindow object;
    cfloat* waves;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t z) const {
        const Shape2 before = padding_before(s);
        const std::int32_t py = y - before.y, px = x - before.x;
        cfloat wave = {0, 0};
        if (py >= 0 && px >= 0 && py < s.probe.y && px < s.probe.x) {
            const WaveIndex of = wave_at(s, z);
            wave = probe(s, of.frame, of.mode, py, px) *
                   object.of_mode(s, of.object_mode)(s, frames[of.frame], py, px);
        }
        waves[z * area_of(s.frame) + at(s.frame, y, x)] = wave;
    }
};

// The batch's window of the object moved along its direction, (slice, y, x). x, y: of the window, z: slice.
struct MoveObject {
    BatchShape s;
    const cfloat* value;
    const cfloat* direction;
    float factor;  // of the ladder's centre
    const IterationState* state;
    cfloat* moved;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t slice) const {
        const std::ptrdiff_t i = slice * area_of(s.tile) + at(s.tile, s.window_y + y, s.window_x + x);
        const float step = factor * static_cast<float>(state->ladder_centre);
        moved[slice * area_of(s.window) + at(s.window, y, x)] = scale_add(step, direction[i], value[i]);
    }
};

// The probe's modes moved along their direction, for each frame. z = frame * num_modes + mode.
struct MoveProbe {
    BatchShape s;
    ProbeModes probe, direction;
    float factor;
    const IterationState* state;
    cfloat* moved;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t z) const {
        const std::int32_t frame = z / s.num_modes, mode = z % s.num_modes;
        const float step = factor * static_cast<float>(state->ladder_centre);
        moved[z * area_of(s.probe) + at(s.probe, y, x)] =
            scale_add(step, direction(s, frame, mode, y, x), probe(s, frame, mode, y, x));
    }
};

// Positions of the frames in the batch's window instead of the tile. x: the frame.
struct PositionsInWindow {
    BatchShape s;
    const FramePosition* frames;
    FramePosition* moved;
    TESSERA_HD void operator()(std::int32_t j, std::int32_t, std::int32_t) const {
        const FramePosition& where = frames[j];
        moved[j] = {where.y - s.window_y, where.x - s.window_x, where.frac_y, where.frac_x};
    }
};

// P dO + dP O, the exit wave's first derivative along the direction.
struct ExitWaveAlong {
    BatchShape s;
    const FramePosition* frames;
    ProbeModes probe, probe_direction;
    ObjectWindow object, object_direction;
    cfloat* waves;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t z) const {
        const Shape2 before = padding_before(s);
        const std::int32_t py = y - before.y, px = x - before.x;
        cfloat wave = {0, 0};
        if (py >= 0 && px >= 0 && py < s.probe.y && px < s.probe.x) {
            const WaveIndex of = wave_at(s, z);
            const FramePosition& where = frames[of.frame];
            const cfloat o = object.of_mode(s, of.object_mode)(s, where, py, px),
                         d = object_direction.of_mode(s, of.object_mode)(s, where, py, px);
            const cfloat first = probe(s, of.frame, of.mode, py, px) * d;
            wave = mul_add(probe_direction(s, of.frame, of.mode, py, px), o, first);
        }
        waves[z * area_of(s.frame) + at(s.frame, y, x)] = wave;
    }
};

// The near field between two transforms: waves *= transfer, or its conjugate, and the shift back by the
// fraction of a pixel (see codelets/wave_sweeps-inl.hpp).
struct MultiplyTransfer {
    BatchShape s;
    const cfloat* transfer;
    const cfloat* ramps;  // null: no shift
    bool conjugate;
    cfloat* waves;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t z) const {
        cfloat factor = transfer[at(s.frame, y, x)];
        if (ramps != nullptr) factor = conj_mul(ramp_at(ramps, s.frame, z / s.num_waves(), y, x), factor);
        cfloat& wave = waves[z * area_of(s.frame) + at(s.frame, y, x)];
        wave = conjugate ? conj_mul(factor, wave) : factor * wave;
    }
};

// ---- Comparison with the counts

// Counts as the scan has them, below zero where the frame does not use the pixel.
template <class Count>
TESSERA_HD float decoded(Count count) {
    if constexpr (std::is_unsigned_v<Count>) {
        return count == unused_count<Count> ? -1.0f : static_cast<float>(count);
    } else {
        return static_cast<float>(count);
    }
}
struct Counts {
    const void* data;
    PatternType type;
    TESSERA_HD float operator()(std::ptrdiff_t i) const {
        switch (type) {
            case PatternType::u8:
                return decoded(static_cast<const std::uint8_t*>(data)[i]);
            case PatternType::u16:
                return decoded(static_cast<const std::uint16_t*>(data)[i]);
            case PatternType::i32:
                return decoded(static_cast<const std::int32_t*>(data)[i]);
            case PatternType::f32:
                return decoded(static_cast<const float*>(data)[i]);
        }
        return 0;
    }
};

// What one pixel of one frame is compared with.
struct Measured {
    float counts, mask, background;
    // Once the model is known: saturated counts are compared only with one that has less light.
    TESSERA_HD Measured compared_with(float intensity, float saturated_from) const {
        return {counts, pixel::one_sided_mask(intensity, counts, mask, saturated_from, 0.0f), background};
    }
};
struct Measurements {
    Counts counts;
    DetectorView detector;
    TESSERA_HD Measured operator()(const BatchShape& s, std::int32_t frame, std::int32_t pixel) const {
        const float raw = counts(frame * area_of(detector_shape(s)) + pixel);
        const float background = detector.background != nullptr ? detector.background[pixel] : 0.0f;
        return {raw > 0 ? raw : 0.0f, where_not_negative(raw, detector.mask[pixel]), background};
    }
};

TESSERA_HD pixel::Misfit<float> misfit_of(NoiseModel model, float intensity, const Measured& m) {
    const float epsilon = noise_epsilon(model);
    switch (model) {
        case NoiseModel::amplitude:
            return pixel::amplitude_misfit(intensity, m.counts, m.mask, epsilon, 1.0f);
        case NoiseModel::poisson:
            return pixel::poisson_misfit(intensity, m.counts, m.mask, epsilon, 1.0f);
        case NoiseModel::gaussian:
            return pixel::gaussian_misfit(intensity, m.counts, m.mask, 0.5f, 1.0f);
    }
    return {0, 0};
}

// Of Gauss-Newton steps.
TESSERA_HD float curvature_of(NoiseModel model, float intensity, const Measured& m) {
    const float epsilon = noise_epsilon(model);
    switch (model) {
        case NoiseModel::amplitude:
            return pixel::amplitude_curvature(intensity, m.mask, epsilon, 0.5f);
        case NoiseModel::poisson:
            return pixel::poisson_curvature(intensity, m.mask, epsilon);
        case NoiseModel::gaussian:
            return pixel::gaussian_curvature(m.counts, m.mask, 1.0f);
    }
    return 0;
}

TESSERA_HD float sum_of_modes(const BatchShape& s, const cfloat* waves, std::int32_t frame,
                              std::int32_t pixel) {
    const std::ptrdiff_t area = area_of(s.frame);
    const cfloat* wave = waves + static_cast<std::ptrdiff_t>(frame) * s.num_waves() * area + pixel;
    float intensity = 0;
    for (std::int32_t k = 0; k < s.num_waves(); ++k) intensity = norm_add(wave[k * area], intensity);
    return intensity;
}

// A frame's cost and squared error; with `multiply`, its waves are multiplied by the derivative's factor and
// `scale`, ready to be propagated back. |wave|^2 * scale of its frame = intensity.
struct Compare {
    BatchShape s;
    Measurements measurements;
    IntensityScale scale;
    bool multiply;
    cfloat* waves;
    float* seen = nullptr;  // where pixels see several of the far field's: intensities, then the factors
    static constexpr int num_sums = 2;
    TESSERA_HD void operator()(std::int32_t pixel, std::int32_t frame, float (&sums)[num_sums]) const {
        const std::ptrdiff_t area = area_of(s.frame), here = frame * area_of(detector_shape(s)) + pixel;
        float intensity = seen != nullptr ? seen[here] : sum_of_modes(s, waves, frame, pixel);
        const Measured all = measurements(s, frame, pixel);
        intensity = fma(intensity, scale(frame), all.background);
        const Measured m = all.compared_with(intensity, s.saturated_from);
        const pixel::Misfit<float> misfit = misfit_of(s.noise_model, intensity, m);
        sums[0] += misfit.cost;
        sums[1] += pixel::amplitude_error(intensity, m.counts, m.mask);
        if (!multiply) return;
        const float factor = misfit.factor * scale(frame);
        if (seen != nullptr) {
            seen[here] = factor;
            return;
        }
        cfloat* wave = waves + static_cast<std::ptrdiff_t>(frame) * s.num_waves() * area + pixel;
        for (std::int32_t k = 0; k < s.num_waves(); ++k) wave[k * area] = factor * wave[k * area];
    }
};

// The i-th pixel of the far field, of upsampling^2, that a pixel of the detector sees.
TESSERA_HD std::int32_t seen_pixel(const BatchShape& s, std::int32_t pixel, std::int32_t i) {
    const std::int32_t width = detector_shape(s).x;
    const std::int32_t y = first_seen(pixel / width, s.upsampling, s.frame.y) + i / s.upsampling,
                       x = first_seen(pixel % width, s.upsampling, s.frame.x) + i % s.upsampling;
    return y % s.frame.y * s.frame.x + x % s.frame.x;
}
TESSERA_HD std::int32_t num_seen_pixels(const BatchShape& s) {
    return s.upsampling * s.upsampling;
}

// ---- The adjoint: every target pixel gathers what the frames add to it, in the order of the frames

// window += sum over frames and modes of the probe of conj(P) chi. x, y: of the batch's window, z: the
// object's mode.
struct GatherObjectGradient {
    BatchShape s;
    const FramePosition* frames;
    std::int32_t num_frames;
    ProbeModes probe;
    const cfloat* waves;
    const IterationState* state;
    cfloat* window;

    // conj(P) chi of one frame at a pixel of its probe window; nothing outside.
    TESSERA_HD cfloat add_frame(std::int32_t object_mode, std::int32_t frame, std::int32_t y, std::int32_t x,
                                float weight, cfloat sum) const {
        if (y < 0 || x < 0 || y >= s.probe.y || x >= s.probe.x) return sum;
        const Shape2 before = padding_before(s);
        const std::ptrdiff_t pixel = at(s.frame, before.y + y, before.x + x);
        cfloat product = {0, 0};
        for (std::int32_t k = 0; k < s.num_modes; ++k) {
            const std::ptrdiff_t wave =
                (static_cast<std::ptrdiff_t>(frame) * s.num_object_modes + object_mode) * s.num_modes + k;
            product = conj_mul_add(probe(s, frame, k, y, x), waves[wave * area_of(s.frame) + pixel], product);
        }
        return scale_add(weight, product, sum);
    }

    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t m) const {
        if (is_idle(*state)) return;
        cfloat& target = window[m * area_of(s.window) + at(s.window, y, x)];
        cfloat sum = target;
        for (std::int32_t j = 0; j < num_frames; ++j) {
            const FramePosition& where = frames[j];
            const std::int32_t py = s.window_y + y - where.y, px = s.window_x + x - where.x;
            if (s.interpolation != Interpolation::bilinear) {
                sum = add_frame(m, j, py, px, 1.0f, sum);
                continue;
            }
            // The transpose of reading between four pixels.
            const float fy = where.frac_y, fx = where.frac_x;
            sum = add_frame(m, j, py, px, (1 - fy) * (1 - fx), sum);
            sum = add_frame(m, j, py, px - 1, (1 - fy) * fx, sum);
            sum = add_frame(m, j, py - 1, px, fy * (1 - fx), sum);
            sum = add_frame(m, j, py - 1, px - 1, fy * fx, sum);
        }
        target = sum;
    }
};

// sum over the object's modes of conj(O) chi, dense in the probe's shape: to be transformed and shifted back
// (fourier interpolation). z = frame * num_modes + mode.
struct ProbeProduct {
    BatchShape s;
    const FramePosition* frames;
    ObjectWindow object;
    const cfloat* waves;
    cfloat* product;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t z) const {
        const Shape2 before = padding_before(s);
        const std::int32_t frame = z / s.num_modes, mode = z % s.num_modes;
        const cfloat* chi = waves + (std::ptrdiff_t{frame} * s.num_waves() + mode) * area_of(s.frame) +
                            at(s.frame, before.y + y, before.x + x);
        cfloat sum = conj_mul(object(s, frames[frame], y, x), chi[0]);
        for (std::int32_t m = 1; m < s.num_object_modes; ++m)
            sum = conj_mul_add(object.of_mode(s, m)(s, frames[frame], y, x),
                               chi[std::ptrdiff_t{m} * s.num_modes * area_of(s.frame)], sum);
        product[z * area_of(s.probe) + at(s.probe, y, x)] = sum;
    }
};

// groups[g] += the probe gradient of the frames of group g. x, y: of the probe; z = group * num_modes + mode.
struct GatherProbeGradient {
    BatchShape s;
    const FramePosition* frames;
    std::int32_t num_frames;
    ObjectWindow object;    // without fourier interpolation: sums conj(O) chi
    const cfloat* waves;    // chi
    const cfloat* product;  // with it: sums conj(ramp) product; otherwise null
    const cfloat* ramps;
    cfloat* groups;  // (group, mode, y, x)
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t z) const {
        const std::int32_t group = z / s.num_modes, mode = z % s.num_modes;
        const Shape2 before = padding_before(s);
        const std::ptrdiff_t in_frame = at(s.frame, before.y + y, before.x + x), in_probe = at(s.probe, y, x);
        cfloat& target = groups[z * area_of(s.probe) + in_probe];
        cfloat sum = target;
        const std::int32_t begin = group * num_frames / num_sum_groups,
                           end = (group + 1) * num_frames / num_sum_groups;
        for (std::int32_t j = begin; j < end; ++j) {
            if (product != nullptr) {
                const std::ptrdiff_t field = static_cast<std::ptrdiff_t>(j) * s.num_modes + mode;
                sum = conj_mul_add(ramp_at(ramps, s.probe, j, y, x),
                                   product[field * area_of(s.probe) + in_probe], sum);
            } else {
                sum = add_frame(j, mode, y, x, in_frame, sum);
            }
        }
        target = sum;
    }
    TESSERA_HD cfloat add_frame(std::int32_t frame, std::int32_t mode, std::int32_t y, std::int32_t x,
                                std::ptrdiff_t in_frame, cfloat sum) const {
        for (std::int32_t m = 0; m < s.num_object_modes; ++m) {
            const std::ptrdiff_t wave =
                (static_cast<std::ptrdiff_t>(frame) * s.num_object_modes + m) * s.num_modes + mode;
            sum = conj_mul_add(object.of_mode(s, m)(s, frames[frame], y, x),
                               waves[wave * area_of(s.frame) + in_frame], sum);
        }
        return sum;
    }
};

// probe part = sum of the groups; x: over (mode, y, x).
struct AddGroups {
    std::ptrdiff_t size;
    const cfloat* groups;
    const IterationState* state;
    cfloat* probe_part;
    TESSERA_HD void operator()(std::int32_t i, std::int32_t, std::int32_t) const {
        if (is_idle(*state)) return;
        cfloat sum = groups[i];
        for (std::int32_t g = 1; g < num_sum_groups; ++g) sum = sum + groups[g * size + i];
        probe_part[i] = sum;
    }
};

}  // namespace tessera
