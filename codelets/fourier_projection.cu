#include "codelets/fourier_projection.hpp"

#include "codelets/device/projection_stages.hpp"

namespace tessera {
namespace {

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
        for_each_turn(s_, turn_,
                      [&](std::int32_t first, std::int32_t num_frames) { take_turn(first, num_frames); });
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
        apply_moduli(device_, {s_, measurements_from(buffers_, s_, first), propagator_.common_scale()},
                     args_.power_bound, num_frames, waves_, errors_ + 2 * static_cast<std::ptrdiff_t>(first));
        propagator_.backward(waves_);
        device_.for_each(waves, UpdateExitWave{s_, frames, probe, object_, waves_, args_.map, state_, psi});
        if (args_.object == ObjectPartial::skip) return;
        add_object_sums(device_, s_, frames, num_frames, probe, object_, psi, state_, waves_,
                        window_part(out_, overlap_probe_size(s_)));
    }

    void compare(std::int32_t first, std::int32_t num_frames) {
        const Compare body = {s_, measurements_from(buffers_, s_, first), propagator_.scale(), false, waves_};
        device_.reduce_rows<Compare::num_sums, Sum>(num_frames, static_cast<std::int32_t>(s_.frame.area()),
                                                    body, costs_ + 2 * static_cast<std::ptrdiff_t>(first));
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
