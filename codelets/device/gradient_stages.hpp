#pragma once

#include "codelets/device/frame_fields.hpp"
#include "codelets/gradient.hpp"

// What gradient.cu and the stages of a gradient have in common. Only device bodies include this.
namespace tessera {

// Kept A += s B + s^2 C with the step taken since, and the waves = A. Kept: (frame, A B C, wave, y, x).
struct AdvanceWaves {
    std::ptrdiff_t size;  // of a frame's waves
    const IterationState* state;
    cfloat* kept;
    cfloat* waves;
    TESSERA_HD void operator()(std::int32_t i, std::int32_t frame, std::int32_t) const {
        cfloat* mine = kept + 3 * frame * size + i;
        const float step = state->stopped != 0 ? 0.0f : static_cast<float>(state->step);
        cfloat a = mine[0];
        if (step != 0) {
            a = scale_add(step * step, mine[2 * size], scale_add(step, mine[size], a));
            mine[0] = a;
        }
        waves[frame * size + i] = a;
    }
};

struct KeepWaves {
    std::ptrdiff_t size;
    const cfloat* waves;
    cfloat* kept;
    TESSERA_HD void operator()(std::int32_t i, std::int32_t frame, std::int32_t) const {
        kept[3 * frame * size + i] = waves[frame * size + i];
    }
};

// The fall of the poisson cost along the far fields' derivative, and its curvature. y: the frame.
struct FallAlongFarFields {
    static constexpr int num_sums = 2;
    BatchShape s;
    Measurements measurements;
    IntensityScale scale;
    const cfloat* waves;
    TESSERA_HD void operator()(std::int32_t pixel, std::int32_t frame, float (&sums)[num_sums]) const {
        float intensity = sum_of_modes(s, waves, frame, pixel);
        const Measured all = measurements(s, frame, pixel);
        intensity = fma(intensity, scale(frame), all.background);
        const Measured m = all.compared_with(intensity, s.saturated_from);
        const float factor = misfit_of(s.noise_model, intensity, m).factor;
        const pixel::FallAlong<float> along =
            pixel::poisson_fall_along(intensity, m.counts, factor, 0.5f, 1.0f);
        sums[0] += along.fall;
        sums[1] += along.curvature;
    }
};

struct FarFieldStepsFinishSums {
    const double* sums;  // (frame, 2); null: the amplitude model
    FrameLights lights;
    std::int32_t num_frames;
    double* steps;
    TESSERA_HD void operator()() const {
        for (std::int32_t j = 0; j < num_frames; ++j) {
            const double step = sums == nullptr ? 1.0 : pixel::poisson_step(sums[2 * j], sums[2 * j + 1]);
            steps[j] = step / static_cast<double>(lights.intensity(j));
        }
    }
};

// Of the far fields of these frames: one for each to `steps`.
inline void choose_far_field_steps(Device& device, const BatchShape& s, const Measurements& measurements,
                                   const IntensityScale& scale, const cfloat* waves, std::int32_t num_frames,
                                   double* steps) {
    double* sums = nullptr;
    if (s.noise_model == NoiseModel::poisson) {
        sums = device.scratch<double>(Scratch::team_sums, 2 * static_cast<std::size_t>(num_frames));
        device.reduce_rows<FallAlongFarFields::num_sums, Sum>(
            num_frames, static_cast<std::int32_t>(s.frame.area()),
            FallAlongFarFields{s, measurements, scale, waves}, sums);
    }
    device.once(FarFieldStepsFinishSums{sums, scale.lights, num_frames, steps});
}

// The gradients of a batch's frames, some at a time, gathered into the batch's out.
class GradientSums {
  public:
    GradientSums(Device& device, const BatchShape& s, ProbeMotion probe, const cfloat* ramps,
                 std::int32_t turn, const IterationState* state, std::byte* out)
        : device_(device),
          s_(s),
          is_moving_(probe == ProbeMotion::moving),
          ramps_(ramps),
          turn_(turn),
          state_(state),
          out_(out) {}

    void begin() {
        if (!is_moving_) return;
        const std::size_t size = num_sum_groups * s_.probe_size();
        groups_ = device_.scratch<cfloat>(Scratch::groups, size);
        device_.clear(groups_, size * sizeof(cfloat));
    }

    // Of a slice, or of all modes of the object; `shape` says how chi lies in memory.
    void add_object(const BatchShape& shape, const FramePosition* frames, std::int32_t num_frames,
                    std::int32_t slice, const ProbeModes& incident, const cfloat* chi) {
        cfloat* window = window_part(out_, s_.probe_size()) + volume(s_.window, slice);
        device_.for_each({s_.window.x, s_.window.y, s_.num_object_modes},
                         GatherObjectGradient{shape, frames, num_frames, incident, chi, state_, window});
    }

    // By the first slice; nothing of a fixed probe.
    void add_probe(const BatchShape& shape, const FramePosition* frames, std::int32_t num_frames,
                   const ObjectWindow& object, const cfloat* chi) {
        if (!is_moving_) return;
        cfloat* product = nullptr;
        if (ramps_ != nullptr) {
            const std::int32_t num_modes = num_frames * s_.num_modes;
            product =
                device_.scratch<cfloat>(Scratch::product, static_cast<std::size_t>(turn_) * s_.probe_size());
            device_.for_each({s_.probe.x, s_.probe.y, num_modes},
                             ProbeProduct{shape, frames, object, chi, product});
            device_.forward(product, s_.probe, num_modes);
        }
        device_.for_each(
            {s_.probe.x, s_.probe.y, num_sum_groups * s_.num_modes},
            GatherProbeGradient{shape, frames, num_frames, object, chi, product, ramps_, groups_});
    }

    // Fourier interpolation adds up the gradient's spectrum; one transform per batch brings it back.
    void finish() {
        if (!is_moving_) return;
        const auto size = static_cast<std::ptrdiff_t>(s_.probe_size());
        cfloat* part = probe_part(out_);
        device_.for_each({static_cast<std::int32_t>(size)}, AddGroups{size, groups_, state_, part});
        if (ramps_ != nullptr) device_.backward(part, s_.probe, s_.num_modes);
    }

  private:
    Device& device_;
    const BatchShape& s_;
    bool is_moving_;
    const cfloat* ramps_;  // of the frames that are added; null: no fourier interpolation
    std::int32_t turn_;
    const IterationState* state_;
    std::byte* out_;
    cfloat* groups_ = nullptr;
};

}  // namespace tessera
