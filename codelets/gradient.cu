#include "codelets/gradient.hpp"

#include "codelets/device/frame_costs.hpp"
#include "codelets/device/frame_fields.hpp"
#include "codelets/device/point_spread.hpp"
#include "codelets/gradient_on_chip.hpp"

namespace tessera {
namespace {

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

// The frames of a batch, some at a time, from the exit wave to the gathered gradients.
class GradientOfBatch {
  public:
    GradientOfBatch(const GradientArgs& args, const Buffers& buffers, Device& device)
        : args_(args),
          s_(args.shape),
          buffers_(buffers),
          device_(device),
          turn_(frames_at_a_time(s_, device.wave_budget_bytes())),
          is_moving_(args.probe == ProbeMotion::moving),
          state_(buffers.get<const IterationState>(5)),
          out_(buffers.get<std::byte>(6)),
          kept_(keeps_fields(args) ? buffers.get<cfloat>(7) : nullptr),
          residual_(args.waves == KeptWaves::residual ? buffers.get<std::byte>(7) : nullptr),
          detector_(detector_view(buffers.get<const std::byte>(2), s_)),
          propagator_(device, s_, detector_.transfer, turn_),
          spread_(device, s_, detector_, turn_, 1),
          object_(device, s_, moving_field(buffers.get<const std::byte>(4), s_.tile_size()).value,
                  detector_.slice_transfers, turn_),
          probe_(device, s_, moving_field(buffers.get<const std::byte>(3), s_.probe_size()).value,
                 Scratch::spectrum, Scratch::probe, turn_, opr_modes(buffers.get<const std::byte>(3), s_)),
          ramps_(probe_ramps(device, s_, turn_)),
          waves_(device.scratch<cfloat>(Scratch::waves, static_cast<std::size_t>(turn_) * s_.waves_size())),
          costs_(device.scratch<double>(Scratch::row_sums, 2 * static_cast<std::size_t>(s_.num_frames))) {}

    void run() {
        device_.clear(out_, out_bytes(s_));
        if (is_moving_) {
            const std::size_t size = num_sum_groups * s_.probe_size();
            groups_ = device_.scratch<cfloat>(Scratch::groups, size);
            device_.clear(groups_, size * sizeof(cfloat));
        }
        for (std::int32_t first = 0; first < s_.num_frames; first += turn_) {
            take_turn(first, s_.num_frames - first < turn_ ? s_.num_frames - first : turn_);
        }
        device_.once(FrameCostsFinishSums{costs_, s_.num_frames, state_, batch_sums(out_)});
        if (is_moving_) finish_probe();
    }

  private:
    static bool keeps_fields(const GradientArgs& args) {
        return args.waves == KeptWaves::refresh || args.waves == KeptWaves::advance;
    }

    void take_turn(std::int32_t first, std::int32_t num_frames) {
        const auto* frames = buffers_.get<const FramePosition>(1) + first;
        place_ramps(device_, s_, frames, num_frames, ramps_);
        const FrameLights lights = lights_from(buffers_, s_, first);
        propagator_.place(frames, num_frames, lights);
        object_.place(frames, num_frames, probe_.at(ramps_, num_frames, lights));
        make_far_fields(first, num_frames);
        choose_far_field_steps(first, num_frames);
        const Compare compare = {s_, measurements_from(buffers_, s_, first), propagator_.scale(), true,
                                 waves_};
        spread_.compare(compare, num_frames, costs_ + 2 * static_cast<std::ptrdiff_t>(first));
        propagator_.backward(waves_);
        if (residual_ != nullptr) {
            const std::size_t size = s_.waves_size();
            device_.copy(residual_waves(residual_) + static_cast<std::size_t>(first) * size, waves_,
                         static_cast<std::size_t>(num_frames) * size * sizeof(cfloat));
        }
        object_.walk_back(waves_, [&](std::int32_t slice, const BatchShape& shape, const cfloat* chi) {
            gather_object(shape, frames, num_frames, slice, chi);
            if (slice == 0 && is_moving_) gather_probe(shape, frames, num_frames, chi);
        });
    }

    void make_far_fields(std::int32_t first, std::int32_t num_frames) {
        const auto size = static_cast<std::ptrdiff_t>(s_.waves_size());
        const Extent all = {static_cast<std::int32_t>(size), num_frames};
        cfloat* kept = kept_ == nullptr ? nullptr : kept_ + 3 * first * size;
        if (args_.waves == KeptWaves::advance) {
            device_.for_each(all, AdvanceWaves{size, state_, kept, waves_});
            return;
        }
        object_.exit_waves(waves_);
        propagator_.forward(waves_);
        if (args_.waves == KeptWaves::refresh) device_.for_each(all, KeepWaves{size, waves_, kept});
    }

    void choose_far_field_steps(std::int32_t first, std::int32_t num_frames) {
        if (residual_ == nullptr) return;
        double* sums = nullptr;
        if (s_.noise_model == NoiseModel::poisson) {
            sums = device_.scratch<double>(Scratch::team_sums, 2 * static_cast<std::size_t>(turn_));
            device_.reduce_rows<FallAlongFarFields::num_sums, Sum>(
                num_frames, static_cast<std::int32_t>(s_.frame.area()),
                FallAlongFarFields{s_, measurements_from(buffers_, s_, first), propagator_.scale(), waves_},
                sums);
        }
        device_.once(FarFieldStepsFinishSums{sums, lights_from(buffers_, s_, first), num_frames,
                                             far_field_steps(residual_, s_) + first});
    }

    // `shape` says how chi lies in memory.
    void gather_object(const BatchShape& shape, const FramePosition* frames, std::int32_t num_frames,
                       std::int32_t slice, const cfloat* chi) {
        cfloat* window = window_part(out_, s_.probe_size()) + volume(s_.window, slice);
        device_.for_each(
            {s_.window.x, s_.window.y, s_.num_object_modes},
            GatherObjectGradient{shape, frames, num_frames, object_.incident(slice), chi, state_, window});
    }

    void gather_probe(const BatchShape& shape, const FramePosition* frames, std::int32_t num_frames,
                      const cfloat* chi) {
        cfloat* product = nullptr;
        if (ramps_ != nullptr) {
            const std::int32_t num_modes = num_frames * s_.num_modes;
            product =
                device_.scratch<cfloat>(Scratch::product, static_cast<std::size_t>(turn_) * s_.probe_size());
            device_.for_each({s_.probe.x, s_.probe.y, num_modes},
                             ProbeProduct{shape, frames, object_.slice(0), chi, product});
            device_.forward(product, s_.probe, num_modes);
        }
        device_.for_each(
            {s_.probe.x, s_.probe.y, num_sum_groups * s_.num_modes},
            GatherProbeGradient{shape, frames, num_frames, object_.slice(0), chi, product, ramps_, groups_});
    }

    // Fourier interpolation adds up the gradient's spectrum; one transform per batch brings it back.
    void finish_probe() {
        const auto size = static_cast<std::ptrdiff_t>(s_.probe_size());
        cfloat* part = probe_part(out_);
        device_.for_each({static_cast<std::int32_t>(size)}, AddGroups{size, groups_, state_, part});
        if (ramps_ != nullptr) device_.backward(part, s_.probe, s_.num_modes);
    }

    const GradientArgs& args_;
    const BatchShape& s_;
    const Buffers& buffers_;
    Device& device_;
    std::int32_t turn_;  // frames at a time
    bool is_moving_;
    const IterationState* state_;
    std::byte* out_;
    cfloat* kept_;
    std::byte* residual_;
    DetectorView detector_;
    FramePropagator propagator_;
    PointSpread spread_;
    SlicedObject object_;
    ShiftedProbe probe_;
    cfloat* ramps_;
    cfloat* waves_;
    double* costs_;
    cfloat* groups_ = nullptr;
};

}  // namespace

void gradient_device(const GradientArgs& args, const Buffers& buffers, Device& device) {
    if (gradient_on_chip(args, buffers, device)) return;
    GradientOfBatch(args, buffers, device).run();
}

}  // namespace tessera
