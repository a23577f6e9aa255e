#pragma once

#include "codelets/device/frame_fields.hpp"

// What a batch adds to an overlap projection on a device, from its exit waves. Only device bodies include
// this.
namespace tessera {

// chi = psi - P O, what the overlap projection's numerators are made of. x, y: of the frame.
struct Residual {
    BatchShape s;
    const FramePosition* frames;
    ProbeModes probe;
    ObjectWindow object;
    const cfloat* psi;
    const IterationState* state;
    cfloat* chi;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t z) const {
        if (is_idle(*state)) return;
        const std::ptrdiff_t i = z * area_of(s.frame) + at(s.frame, y, x);
        const Shape2 before = padding_before(s);
        const std::int32_t py = y - before.y, px = x - before.x;
        cfloat wave = psi[i];
        if (py >= 0 && px >= 0 && py < s.probe.y && px < s.probe.x) {
            const WaveIndex of = wave_at(s, z);
            wave = wave - probe(s, of.frame, of.mode, py, px) *
                              object.of_mode(s, of.object_mode)(s, frames[of.frame], py, px);
        }
        chi[i] = wave;
    }
};

// window += sum over frames and modes of |P|^2, in real parts. x, y: of the batch's window.
struct GatherProbePower {
    BatchShape s;
    const FramePosition* frames;
    std::int32_t num_frames;
    ProbeModes probe;
    const IterationState* state;
    cfloat* window;

    TESSERA_HD float power(std::int32_t frame, std::int32_t y, std::int32_t x) const {
        if (y < 0 || x < 0 || y >= s.probe.y || x >= s.probe.x) return 0;
        float sum = 0;
        for (std::int32_t k = 0; k < s.num_modes; ++k) sum = norm_add(probe(s, frame, k, y, x), sum);
        return sum;
    }

    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t) const {
        if (is_idle(*state)) return;
        float sum = window[at(s.window, y, x)].re;
        for (std::int32_t j = 0; j < num_frames; ++j) {
            const FramePosition& where = frames[j];
            const std::int32_t py = s.window_y + y - where.y, px = s.window_x + x - where.x;
            if (s.interpolation != Interpolation::bilinear) {
                sum += power(j, py, px);
                continue;
            }
            const float fy = where.frac_y, fx = where.frac_x;
            sum = fma((1 - fy) * (1 - fx), power(j, py, px), sum);
            sum = fma((1 - fy) * fx, power(j, py, px - 1), sum);
            sum = fma(fy * (1 - fx), power(j, py - 1, px), sum);
            sum = fma(fy * fx, power(j, py - 1, px - 1), sum);
        }
        window[at(s.window, y, x)].re = sum;
    }
};

// weight = sum over the batch's frames and the object's modes of |O|^2, in real parts. x, y: of the probe.
struct GatherObjectPower {
    BatchShape s;
    const FramePosition* frames;
    ObjectWindow object;
    const IterationState* state;
    cfloat* weight;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t) const {
        if (is_idle(*state)) return;
        float sum = 0;
        for (std::int32_t j = 0; j < s.num_frames; ++j)
            for (std::int32_t m = 0; m < s.num_object_modes; ++m)
                sum = norm_add(object.of_mode(s, m)(s, frames[j], y, x), sum);
        weight[at(s.probe, y, x)] = {sum, 0};
    }
};

// The object's sums of a turn's frames into the batch's window: numerators from chi, then weight.
inline void gather_object_sums(Device& device, const BatchShape& s, const FramePosition* frames,
                               std::int32_t num_frames, const ProbeModes& probe, const cfloat* chi,
                               const IterationState* state, cfloat* window) {
    device.for_each({s.window.x, s.window.y, s.num_object_modes},
                    GatherObjectGradient{s, frames, num_frames, probe, chi, state, window});
    device.for_each(
        {s.window.x, s.window.y},
        GatherProbePower{s, frames, num_frames, probe, state, window + volume(s.window, s.num_object_modes)});
}

}  // namespace tessera
