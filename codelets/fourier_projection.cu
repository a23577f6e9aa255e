#include "codelets/fourier_projection.hpp"

#include "codelets/device/overlap_sums.hpp"

namespace tessera {
namespace {

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
    TESSERA_HD void operator()(std::int32_t frame, std::int32_t, std::int32_t) const {
        const double pixels = errors[2 * frame + 1];
        const double power = pixels > 0 ? errors[2 * frame] / pixels : 0.0;
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

// The frames of a batch, some at a time.
class ProjectionOfBatch {
  public:
    ProjectionOfBatch(const FourierProjectionArgs& args, const Buffers& buffers, Device& device)
        : args_(args),
          s_(args.shape),
          buffers_(buffers),
          device_(device),
          turn_(frames_at_a_time(s_, device.wave_budget_bytes())),
          state_(buffers.get<const IterationState>(5)),
          out_(buffers.get<std::byte>(6)),
          psi_(buffers.get<cfloat>(7)),
          propagator_(device, s_, detector_view(buffers.get<const std::byte>(2), s_).transfer, turn_),
          object_{moving_field(buffers.get<const std::byte>(4), s_.tile_size()).value, 1},
          probe_(device, s_, moving_field(buffers.get<const std::byte>(3), s_.probe_size()).value,
                 Scratch::spectrum, Scratch::probe, turn_),
          ramps_(probe_ramps(device, s_, turn_)),
          waves_(device.scratch<cfloat>(Scratch::waves, static_cast<std::size_t>(turn_) * s_.waves_size())),
          costs_(device.scratch<double>(Scratch::row_sums, 4 * static_cast<std::size_t>(s_.num_frames))),
          errors_(costs_ + 2 * static_cast<std::ptrdiff_t>(s_.num_frames)) {}

    void run() {
        device_.clear(out_, overlap_out_bytes(s_));
        for (std::int32_t first = 0; first < s_.num_frames; first += turn_) {
            take_turn(first, s_.num_frames - first < turn_ ? s_.num_frames - first : turn_);
        }
        const double* costs = args_.cost == OverlapCost::compute ? costs_ : nullptr;
        device_.once(ProjectionFinishSums{costs, errors_, s_.num_frames, state_, batch_sums(out_)});
    }

  private:
    void take_turn(std::int32_t first, std::int32_t num_frames) {
        const auto* frames = buffers_.get<const FramePosition>(1) + first;
        cfloat* psi = psi_ + first * static_cast<std::ptrdiff_t>(s_.waves_size());
        const Extent waves = {s_.frame.x, s_.frame.y, num_frames * s_.num_waves()};
        place_ramps(device_, s_, frames, num_frames, ramps_);
        propagator_.place(frames, num_frames);
        const ProbeModes probe = probe_.at(ramps_, num_frames);
        if (args_.waves == ExitWaves::begin)
            device_.for_each(waves, ExitWave{s_, frames, probe, object_, psi});
        if (args_.cost == OverlapCost::compute) {
            device_.for_each(waves, ExitWave{s_, frames, probe, object_, waves_});
            propagator_.forward(waves_);
            compare(first, num_frames);
        }
        if (args_.cost == OverlapCost::skip || args_.map.reflect != 1) {
            device_.for_each(waves,
                             ReflectedWave{s_, frames, probe, object_, psi, args_.map.reflect, waves_});
            propagator_.forward(waves_);
        }
        apply_modulus(first, num_frames);
        propagator_.backward(waves_);
        device_.for_each(waves, UpdateExitWave{s_, frames, probe, object_, waves_, args_.map, state_, psi});
        if (args_.object == ObjectPartial::skip) return;
        device_.for_each(waves, Residual{s_, frames, probe, object_, psi, state_, waves_});
        gather_object_sums(device_, s_, frames, num_frames, probe, waves_, state_,
                           window_part(out_, overlap_probe_size(s_)));
    }

    void compare(std::int32_t first, std::int32_t num_frames) {
        const Compare body = {s_, measurements_from(buffers_, s_, first), propagator_.scale(), false, waves_};
        device_.reduce_rows<Compare::num_sums, Sum>(num_frames, static_cast<std::int32_t>(s_.frame.area()),
                                                    body, costs_ + 2 * static_cast<std::ptrdiff_t>(first));
    }

    void apply_modulus(std::int32_t first, std::int32_t num_frames) {
        const auto pixels = static_cast<std::int32_t>(s_.frame.area());
        const Modulus modulus = {s_, measurements_from(buffers_, s_, first), propagator_.common_scale()};
        double* errors = errors_ + 2 * static_cast<std::ptrdiff_t>(first);
        device_.reduce_rows<ModulusErrors::num_sums, Sum>(num_frames, pixels, ModulusErrors{modulus, waves_},
                                                          errors);
        device_.for_each({num_frames}, SharesFinishSums{args_.power_bound, errors});
        device_.for_each({pixels, num_frames}, ApplyModulus{modulus, errors, waves_});
    }

    const FourierProjectionArgs& args_;
    const BatchShape& s_;
    const Buffers& buffers_;
    Device& device_;
    std::int32_t turn_;  // frames at a time
    const IterationState* state_;
    std::byte* out_;
    cfloat* psi_;
    FramePropagator propagator_;
    ObjectWindow object_;
    ShiftedProbe probe_;
    cfloat* ramps_;
    cfloat* waves_;
    double* costs_;
    double* errors_;
};

}  // namespace

void fourier_projection_device(const FourierProjectionArgs& args, const Buffers& buffers, Device& device) {
    ProjectionOfBatch(args, buffers, device).run();
}

}  // namespace tessera
