#pragma once

#include "codelets/device/frame_fields.hpp"
#include "codelets/device/point_spread.hpp"

// What the frames of a batch cost, without a gradient. Only device bodies include this.
namespace tessera {

class FrameEvaluations {
  public:
    // Buffers as of evaluate: patterns, frames, detector, probe, object.
    FrameEvaluations(const BatchShape& s, const Buffers& buffers, Device& device)
        : s_(s),
          buffers_(buffers),
          device_(device),
          turn_(frames_at_a_time(s, device.wave_budget_bytes())),
          detector_(detector_view(buffers.get<const std::byte>(2), s)),
          propagator_(device, s, detector_.transfer, turn_),
          spread_(device, s, detector_, turn_, 1),
          shifted_(device, s, moving_field(buffers.get<const std::byte>(3), s.probe_size()).value,
                   Scratch::spectrum, Scratch::probe, turn_, opr_modes(buffers.get<const std::byte>(3), s)),
          object_(device, s, moving_field(buffers.get<const std::byte>(4), s.tile_size()).value,
                  detector_.slice_transfers, turn_),
          ramps_(probe_ramps(device, s, turn_)),
          waves_(device.scratch<cfloat>(Scratch::waves, static_cast<std::size_t>(turn_) * s.waves_size())) {}

    // Far fields of all frames of the batch where `frames` says that they are, some at a time:
    // use(first, num_frames) while waves() has them.
    template <class Use>
    void for_each_turn(const FramePosition* frames, const Use& use) {
        for (std::int32_t first = 0; first < s_.num_frames; first += turn_) {
            const std::int32_t num_frames = s_.num_frames - first < turn_ ? s_.num_frames - first : turn_;
            place_ramps(device_, s_, frames + first, num_frames, ramps_);
            const FrameLights lights = lights_from(buffers_, s_, first);
            propagator_.place(frames + first, num_frames, lights);
            object_.place(frames + first, num_frames, shifted_.at(ramps_, num_frames, lights));
            object_.exit_waves(waves_);
            propagator_.forward(waves_);
            use(first, num_frames);
        }
    }
    const cfloat* waves() const { return waves_; }
    IntensityScale scale() const { return propagator_.scale(); }
    PointSpread& spread() { return spread_; }

    // (frame, cost and squared error) of all of them.
    void run(const FramePosition* frames, double* costs) {
        for_each_turn(frames, [&](std::int32_t first, std::int32_t num_frames) {
            const Compare compare = {s_, measurements_from(buffers_, s_, first), scale(), false, waves_};
            spread_.compare(compare, num_frames, costs + 2 * static_cast<std::ptrdiff_t>(first));
        });
    }

  private:
    const BatchShape& s_;
    const Buffers& buffers_;
    Device& device_;
    std::int32_t turn_;
    DetectorView detector_;
    FramePropagator propagator_;
    PointSpread spread_;
    ShiftedProbe shifted_;
    SlicedObject object_;
    cfloat* ramps_;
    cfloat* waves_;
};

}  // namespace tessera
