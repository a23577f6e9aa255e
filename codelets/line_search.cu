#include "codelets/line_search.hpp"

#include <optional>

#include "codelets/device/line_search_stages.hpp"
#include "codelets/iteration_rules.hpp"
#include "codelets/line_search_on_chip.hpp"

namespace tessera {
namespace {

// The trials' costs of an object of several slices, (trial, frame, cost and squared error). x: the trial.
struct SlicedTrialCostsFinishSums {
    const double* costs;
    std::int32_t num_frames;
    const IterationState* state;
    BatchSums* sums;
    TESSERA_HD void operator()(std::int32_t i, std::int32_t, std::int32_t) const {
        if (state->stopped != 0) return;
        const double* mine = costs + std::ptrdiff_t{2} * i * num_frames;
        double total = 0;
        for (std::int32_t j = 0; j < num_frames; ++j) total += mine[2 * j];
        sums->trial_cost[i + 1] = total;
    }
};

class LineSearchOfBatch {
  public:
    LineSearchOfBatch(const LineSearchArgs& args, const Buffers& buffers, Device& device)
        : args_(args),
          s_(args.shape),
          buffers_(buffers),
          device_(device),
          turn_(frames_at_a_time(s_, device.wave_budget_bytes())),
          is_moving_(args.probe == ProbeMotion::moving),
          state_(buffers.get<const IterationState>(5)),
          kept_(args.waves == KeptWaves::none ? nullptr : buffers.get<cfloat>(7)),
          detector_(detector_view(buffers.get<const std::byte>(2), s_)),
          propagator_(device, s_, detector_.transfer, turn_),
          spread_(device, s_, detector_, turn_, num_coefficients),
          probe_(device, s_, moving_field(buffers.get<const std::byte>(3), s_.probe_size()).value,
                 Scratch::spectrum, Scratch::probe, turn_, opr_modes(buffers.get<const std::byte>(3), s_)),
          ramps_(probe_ramps(device, s_, turn_)),
          costs_(device.scratch<double>(Scratch::row_sums,
                                        num_costs * static_cast<std::size_t>(s_.num_frames))) {
        const auto object = moving_field(buffers.get<const std::byte>(4), s_.tile_size());
        object_ = {object.value, 1};
        object_direction_ = {object.direction, 0};
        if (!is_moving_) return;
        const auto probe = moving_field(buffers.get<const std::byte>(3), s_.probe_size());
        probe_direction_.emplace(device, s_, probe.direction, Scratch::direction_spectrum,
                                 Scratch::probe_direction, turn_);
    }

    void run() {
        BatchSums* sums = batch_sums(buffers_.get<std::byte>(6));
        device_.clear(sums, sizeof(BatchSums));
        const std::size_t turn_size = static_cast<std::size_t>(turn_) * s_.waves_size();
        a_ = device_.scratch<cfloat>(Scratch::waves, turn_size);
        b_ = device_.scratch<cfloat>(Scratch::waves_along, turn_size);
        c_ = is_moving_ ? device_.scratch<cfloat>(Scratch::waves_along_twice, turn_size) : nullptr;
        for_each_turn(s_, turn_,
                      [&](std::int32_t first, std::int32_t num_frames) { take_turn(first, num_frames); });
        device_.for_each({num_costs}, TrialCostsFinishSums{costs_, s_.num_frames, state_, sums});
    }

  private:
    void take_turn(std::int32_t first, std::int32_t num_frames) {
        const auto* frames = buffers_.get<const FramePosition>(1) + first;
        place_ramps(device_, s_, frames, num_frames, ramps_);
        const FrameLights lights = lights_from(buffers_, s_, first);
        propagator_.place(frames, num_frames, lights);
        make_fields(frames, num_frames, lights);
        const auto size = static_cast<std::ptrdiff_t>(s_.waves_size());
        FieldsAlong fields = {a_, b_, c_, size};
        if (kept_ != nullptr) {
            cfloat* kept = kept_ + 3 * first * size;
            keep_along(device_, s_, b_, c_, num_frames, kept);
            fields = {kept, kept + size, is_moving_ ? kept + 2 * size : nullptr, 3 * size};
        }
        compare_along(device_, s_, fields, measurements_from(buffers_, s_, first), propagator_.scale(),
                      spread_, num_frames, state_, costs_ + num_costs * static_cast<std::ptrdiff_t>(first));
    }

    void make_fields(const FramePosition* frames, std::int32_t num_frames, const FrameLights& lights) {
        const Extent all = {s_.frame.x, s_.frame.y, num_frames * s_.num_waves()};
        const ProbeModes probe = probe_.at(ramps_, num_frames, lights);
        if (kept_ == nullptr) {
            device_.for_each(all, ExitWave{s_, frames, probe, object_, a_});
            propagator_.forward(a_);
        }
        if (is_moving_) {
            const ProbeModes direction = probe_direction_->at(ramps_, num_frames);
            device_.for_each(all,
                             ExitWaveAlong{s_, frames, probe, direction, object_, object_direction_, b_});
            device_.for_each(all, ExitWave{s_, frames, direction, object_direction_, c_});
            propagator_.forward(c_);
        } else {
            device_.for_each(all, ExitWave{s_, frames, probe, object_direction_, b_});
        }
        propagator_.forward(b_);
    }

    const LineSearchArgs& args_;
    const BatchShape& s_;
    const Buffers& buffers_;
    Device& device_;
    std::int32_t turn_;  // frames at a time
    bool is_moving_;
    const IterationState* state_;
    ObjectWindow object_{}, object_direction_{};
    cfloat* kept_;
    DetectorView detector_;
    FramePropagator propagator_;
    PointSpread spread_;
    ShiftedProbe probe_;
    std::optional<ShiftedProbe> probe_direction_;
    cfloat* ramps_;
    double* costs_;
    cfloat* a_ = nullptr;
    cfloat* b_ = nullptr;
    cfloat* c_ = nullptr;
};

// Every trial is a walk of its own from the moved probe through the moved object.
class LineSearchThroughSlices {
  public:
    LineSearchThroughSlices(const LineSearchArgs& args, const Buffers& buffers, Device& device)
        : s_(args.shape),
          in_window_(in_window(args.shape)),
          buffers_(buffers),
          device_(device),
          turn_(frames_at_a_time(s_, device.wave_budget_bytes())),
          is_moving_(args.probe == ProbeMotion::moving),
          state_(buffers.get<const IterationState>(5)),
          detector_(detector_view(buffers.get<const std::byte>(2), s_)),
          moved_objects_(device.scratch<cfloat>(Scratch::moved_object, num_sliced_trials * window_size())),
          positions_(device.scratch<FramePosition>(Scratch::moved_positions,
                                                   static_cast<std::size_t>(s_.num_frames))),
          propagator_(device, s_, detector_.transfer, turn_),
          spread_(device, s_, detector_, turn_, 1),
          probe_(device, s_, moving_field(buffers.get<const std::byte>(3), s_.probe_size()).value,
                 Scratch::spectrum, Scratch::probe, turn_, opr_modes(buffers.get<const std::byte>(3), s_)),
          ramps_(probe_ramps(device, s_, turn_)),
          costs_(device.scratch<double>(Scratch::row_sums,
                                        2 * num_sliced_trials * static_cast<std::size_t>(s_.num_frames))) {
        const std::size_t turn_size = static_cast<std::size_t>(turn_);
        waves_ = device.scratch<cfloat>(Scratch::waves, turn_size * s_.waves_size());
        if (!is_moving_) return;
        moved_probe_ = device.scratch<cfloat>(Scratch::waves_along, turn_size * s_.probe_size());
        const auto probe = moving_field(buffers.get<const std::byte>(3), s_.probe_size());
        probe_direction_.emplace(device, s_, probe.direction, Scratch::direction_spectrum,
                                 Scratch::probe_direction, turn_);
    }

    void run() {
        BatchSums* sums = batch_sums(buffers_.get<std::byte>(6));
        device_.clear(sums, sizeof(BatchSums));
        const auto* frames = buffers_.get<const FramePosition>(1);
        device_.for_each({s_.num_frames}, PositionsInWindow{s_, frames, positions_});
        const auto object = moving_field(buffers_.get<const std::byte>(4), s_.tile_size());
        for (int trial = 0; trial < num_trials_; ++trial) {
            device_.for_each({s_.window.x, s_.window.y, s_.num_slices},
                             MoveObject{s_, object.value, object.direction, factor_of(trial), state_,
                                        moved_object(trial)});
        }
        for_each_turn(s_, turn_,
                      [&](std::int32_t first, std::int32_t num_frames) { take_turn(first, num_frames); });
        device_.for_each({num_trials_}, SlicedTrialCostsFinishSums{costs_, s_.num_frames, state_, sums});
    }

  private:
    static constexpr int num_trials_ = static_cast<int>(num_sliced_trials);

    static BatchShape in_window(BatchShape s) {
        s.tile = s.window;
        return s;
    }
    static float factor_of(int trial) { return static_cast<float>(rules::sliced_trial_factor(trial)); }
    std::size_t window_size() const { return volume(s_.window, s_.num_slices); }
    cfloat* moved_object(int trial) const {
        return moved_objects_ + static_cast<std::size_t>(trial) * window_size();
    }

    void take_turn(std::int32_t first, std::int32_t num_frames) {
        const FramePosition* frames = positions_ + first;
        place_ramps(device_, s_, frames, num_frames, ramps_);
        const FrameLights lights = lights_from(buffers_, s_, first);
        propagator_.place(frames, num_frames, lights);
        const ProbeModes probe = probe_.at(ramps_, num_frames, lights);
        const ProbeModes direction = is_moving_ ? probe_direction_->at(ramps_, num_frames) : probe;
        const Compare compare = {s_, measurements_from(buffers_, s_, first), propagator_.scale(), false,
                                 waves_};
        for (int trial = 0; trial < num_trials_; ++trial) {
            SlicedObject walk(device_, in_window_, moved_object(trial), detector_.slice_transfers, turn_);
            walk.place(frames, num_frames, moved_probe(trial, probe, direction, num_frames));
            walk.exit_waves(waves_);
            propagator_.forward(waves_);
            const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(trial) * s_.num_frames + first;
            spread_.compare(compare, num_frames, costs_ + Compare::num_sums * row);
        }
    }

    ProbeModes moved_probe(int trial, const ProbeModes& probe, const ProbeModes& direction,
                           std::int32_t num_frames) {
        if (!is_moving_) return probe;
        device_.for_each({s_.probe.x, s_.probe.y, num_frames * s_.num_modes},
                         MoveProbe{s_, probe, direction, factor_of(trial), state_, moved_probe_});
        return {moved_probe_, static_cast<std::ptrdiff_t>(s_.probe_size())};
    }

    const BatchShape& s_;
    BatchShape in_window_;  // the same, where the object is no more than the batch's window
    const Buffers& buffers_;
    Device& device_;
    std::int32_t turn_;  // frames at a time
    bool is_moving_;
    const IterationState* state_;
    DetectorView detector_;
    cfloat* moved_objects_;  // (trial, slice, y, x)
    FramePosition* positions_;
    FramePropagator propagator_;
    PointSpread spread_;
    ShiftedProbe probe_;
    std::optional<ShiftedProbe> probe_direction_;
    cfloat* ramps_;
    double* costs_;
    cfloat* waves_ = nullptr;
    cfloat* moved_probe_ = nullptr;
};

}  // namespace

void line_search_device(const LineSearchArgs& args, const Buffers& buffers, Device& device) {
    if (args.shape.num_slices > 1) {
        LineSearchThroughSlices(args, buffers, device).run();
    } else if (!line_search_on_chip(args, buffers, device)) {
        LineSearchOfBatch(args, buffers, device).run();
    }
}

}  // namespace tessera
