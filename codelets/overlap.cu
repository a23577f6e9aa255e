#include "codelets/overlap.hpp"

#include "codelets/device/overlap_sums.hpp"
#include "codelets/iteration_rules.hpp"

namespace tessera {
namespace {

// rolled(y, x) = psi(y - roll_y, x - roll_x), where there is a roll. x, y: of the frame.
struct RollWaves {
    BatchShape s;
    const cfloat* psi;
    const IterationState* state;
    cfloat* rolled;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t z) const {
        if (is_idle(*state) || (state->roll_y == 0 && state->roll_x == 0)) return;
        const std::int32_t from_y = rules::rolled(y, -state->roll_y, s.frame.y),
                           from_x = rules::rolled(x, -state->roll_x, s.frame.x);
        rolled[z * area_of(s.frame) + at(s.frame, y, x)] =
            psi[z * area_of(s.frame) + at(s.frame, from_y, from_x)];
    }
};

struct TakeRolled {
    const cfloat* rolled;
    const IterationState* state;
    cfloat* psi;
    TESSERA_HD void operator()(std::int32_t i, std::int32_t, std::int32_t) const {
        if (is_idle(*state) || (state->roll_y == 0 && state->roll_x == 0)) return;
        psi[i] = rolled[i];
    }
};

// The frames of a batch, some at a time.
class OverlapOfBatch {
  public:
    OverlapOfBatch(const OverlapArgs& args, const Buffers& buffers, Device& device)
        : args_(args),
          s_(args.shape),
          device_(device),
          turn_(frames_at_a_time(s_, device.wave_budget_bytes())),
          frames_(buffers.get<const FramePosition>(0)),
          object_{moving_field(buffers.get<const std::byte>(2), s_.tile_size()).value, 1},
          probe_(device, s_, moving_field(buffers.get<const std::byte>(1), s_.probe_size()).value,
                 Scratch::spectrum, Scratch::probe, turn_),
          ramps_(probe_ramps(device, s_, turn_)),
          state_(buffers.get<const IterationState>(3)),
          out_(buffers.get<std::byte>(4)),
          psi_(buffers.get<cfloat>(5)),
          waves_(device.scratch<cfloat>(Scratch::waves, static_cast<std::size_t>(turn_) * s_.waves_size())) {}

    void run() {
        device_.clear(out_, overlap_out_bytes(s_));
        if (args_.part == OverlapPart::probe) begin_probe();
        for (std::int32_t first = 0; first < s_.num_frames; first += turn_) {
            take_turn(first, s_.num_frames - first < turn_ ? s_.num_frames - first : turn_);
        }
        if (args_.part == OverlapPart::probe) finish_probe();
    }

  private:
    void take_turn(std::int32_t first, std::int32_t num_frames) {
        const FramePosition* frames = frames_ + first;
        cfloat* psi = psi_ + first * static_cast<std::ptrdiff_t>(s_.waves_size());
        const Extent waves = {s_.frame.x, s_.frame.y, num_frames * s_.num_waves()};
        if (args_.part == OverlapPart::object) {
            const auto size = static_cast<std::int32_t>(s_.waves_size()) * num_frames;
            device_.for_each(waves, RollWaves{s_, psi, state_, waves_});
            device_.for_each({size}, TakeRolled{waves_, state_, psi});
        }
        place_ramps(device_, s_, frames, num_frames, ramps_);
        const ProbeModes probe = probe_.at(ramps_, num_frames);
        device_.for_each(waves, Residual{s_, frames, probe, object_, psi, state_, waves_});
        if (args_.part == OverlapPart::object) {
            gather_object_sums(device_, s_, frames, num_frames, probe, waves_, state_,
                               window_part(out_, overlap_probe_size(s_)));
        } else {
            gather_probe(frames, num_frames);
        }
    }

    void begin_probe() {
        const std::size_t size = num_sum_groups * s_.probe_size();
        groups_ = device_.scratch<cfloat>(Scratch::groups, size);
        device_.clear(groups_, size * sizeof(cfloat));
    }

    void gather_probe(const FramePosition* frames, std::int32_t num_frames) {
        cfloat* product = nullptr;
        if (ramps_ != nullptr) {
            const std::int32_t num_modes = num_frames * s_.num_modes;
            product =
                device_.scratch<cfloat>(Scratch::product, static_cast<std::size_t>(turn_) * s_.probe_size());
            device_.for_each({s_.probe.x, s_.probe.y, num_modes},
                             ProbeProduct{s_, frames, object_, waves_, product});
            device_.forward(product, s_.probe, num_modes);
        }
        device_.for_each(
            {s_.probe.x, s_.probe.y, num_sum_groups * s_.num_modes},
            GatherProbeGradient{s_, frames, num_frames, object_, waves_, product, ramps_, groups_});
    }

    void finish_probe() {
        const auto size = static_cast<std::ptrdiff_t>(s_.probe_size());
        cfloat* part = probe_part(out_);
        device_.for_each({static_cast<std::int32_t>(size)}, AddGroups{size, groups_, state_, part});
        if (ramps_ != nullptr) device_.backward(part, s_.probe, s_.num_modes);
        device_.for_each({s_.probe.x, s_.probe.y},
                         GatherObjectPower{s_, frames_, object_, state_, part + size});
    }

    const OverlapArgs& args_;
    const BatchShape& s_;
    Device& device_;
    std::int32_t turn_;  // frames at a time
    const FramePosition* frames_;
    ObjectWindow object_;
    ShiftedProbe probe_;
    cfloat* ramps_;
    const IterationState* state_;
    std::byte* out_;
    cfloat* psi_;
    cfloat* waves_;
    cfloat* groups_ = nullptr;
};

}  // namespace

void overlap_object_device(const OverlapArgs& args, const Buffers& buffers, Device& device) {
    OverlapOfBatch(args, buffers, device).run();
}

void overlap_probe_device(const OverlapArgs& args, const Buffers& buffers, Device& device) {
    OverlapOfBatch(args, buffers, device).run();
}

}  // namespace tessera
