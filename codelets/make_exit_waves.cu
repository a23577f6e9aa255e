#include "codelets/make_exit_waves.hpp"

#include <optional>

#include "codelets/device/frame_fields.hpp"
#include "codelets/device/projection_stages.hpp"

namespace tessera {
namespace {

// Object and probe as the frames of a batch see them, some frames at a time.
class SeenByFrames {
  public:
    SeenByFrames(const BatchShape& s, const Buffers& buffers, Device& device, bool has_probe_direction)
        : s_(s),
          device_(device),
          frames_(buffers.get<const std::byte>(0)),
          turn_(frames_at_a_time(s, device.wave_budget_bytes())),
          probe_(device, s, probe_field(buffers).value, Scratch::spectrum, Scratch::probe, turn_,
                 opr_modes(buffers.get<const std::byte>(1), s)),
          ramps_(probe_ramps(device, s, turn_)) {
        const auto object = moving_field(buffers.get<const std::byte>(2), s.tile_size());
        object_ = {object.value, 1};
        object_direction_ = {object.direction, 0};
        if (!has_probe_direction) return;
        probe_direction_.emplace(device, s, probe_field(buffers).direction, Scratch::direction_spectrum,
                                 Scratch::probe_direction, turn_);
    }

    const ObjectWindow& object() const { return object_; }
    const ObjectWindow& object_direction() const { return object_direction_; }

    // Calls take(extent of the waves, positions, number of frames, where their waves begin in the batch's).
    template <class Take>
    void for_each_turn(const Take& take) {
        tessera::for_each_turn(s_, turn_, [&](std::int32_t first, std::int32_t num_frames) {
            const auto* at = reinterpret_cast<const FramePosition*>(frames_) + first;
            place_ramps(device_, s_, at, num_frames, ramps_);
            lights_ = lights_from(frames_, s_, first);
            take(Extent{s_.frame.x, s_.frame.y, num_frames * s_.num_waves()}, at, num_frames,
                 static_cast<std::ptrdiff_t>(first) * static_cast<std::ptrdiff_t>(s_.waves_size()));
        });
    }
    // Of the frames of this turn.
    ProbeModes probe(std::int32_t num_frames) { return probe_.at(ramps_, num_frames, lights_); }
    ProbeModes probe_direction(std::int32_t num_frames) { return probe_direction_->at(ramps_, num_frames); }

  private:
    FieldView<const cfloat> probe_field(const Buffers& buffers) const {
        return moving_field(buffers.get<const std::byte>(1), s_.probe_size());
    }

    const BatchShape& s_;
    Device& device_;
    const std::byte* frames_;
    std::int32_t turn_;  // frames at a time
    ShiftedProbe probe_;
    std::optional<ShiftedProbe> probe_direction_;
    ObjectWindow object_{}, object_direction_{};
    cfloat* ramps_;
    FrameLights lights_;
};

}  // namespace

void make_exit_waves_device(const MakeExitWavesArgs& args, const Buffers& buffers, Device& device) {
    const BatchShape& s = args.shape;
    const bool moves_probe = args.order != WaveOrder::here && args.probe == ProbeMotion::moving;
    if (args.order == WaveOrder::along_twice && !moves_probe) return;
    SeenByFrames seen(s, buffers, device, moves_probe);
    auto* all_waves = buffers.get<cfloat>(4);
    seen.for_each_turn([&](const Extent& all, const FramePosition* frames, std::int32_t num_frames,
                           std::ptrdiff_t begin) {
        cfloat* waves = all_waves + begin;
        if (args.order == WaveOrder::along_twice) {
            device.for_each(
                all, ExitWave{s, frames, seen.probe_direction(num_frames), seen.object_direction(), waves});
            return;
        }
        const ProbeModes probe = seen.probe(num_frames);
        if (moves_probe) {
            device.for_each(all, ExitWaveAlong{s, frames, probe, seen.probe_direction(num_frames),
                                               seen.object(), seen.object_direction(), waves});
        } else {
            const ObjectWindow& object =
                args.order == WaveOrder::here ? seen.object() : seen.object_direction();
            device.for_each(all, ExitWave{s, frames, probe, object, waves});
        }
    });
}

void reflect_waves_device(const ReflectWavesArgs& args, const Buffers& buffers, Device& device) {
    const BatchShape& s = args.shape;
    SeenByFrames seen(s, buffers, device, false);
    const auto* psi = buffers.get<const cfloat>(4);
    auto* waves = buffers.get<cfloat>(5);
    seen.for_each_turn(
        [&](const Extent& all, const FramePosition* frames, std::int32_t num_frames, std::ptrdiff_t begin) {
            device.for_each(all, ReflectedWave{s, frames, seen.probe(num_frames), seen.object(), psi + begin,
                                               args.reflect, waves + begin});
        });
}

}  // namespace tessera
