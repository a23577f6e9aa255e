#include "codelets/gradient.hpp"

#include "codelets/device/frame_costs.hpp"
#include "codelets/device/gradient_stages.hpp"
#include "codelets/device/point_spread.hpp"
#include "codelets/gradient_on_chip.hpp"

namespace tessera {
namespace {

// The frames of a batch, some at a time, from the exit wave to the gathered gradients.
class GradientOfBatch {
  public:
    GradientOfBatch(const GradientArgs& args, const Buffers& buffers, Device& device)
        : args_(args),
          s_(args.shape),
          buffers_(buffers),
          device_(device),
          turn_(frames_at_a_time(s_, device.wave_budget_bytes())),
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
          sums_(device, s_, args.probe, ramps_, turn_, state_, out_),
          waves_(device.scratch<cfloat>(Scratch::waves, static_cast<std::size_t>(turn_) * s_.waves_size())),
          costs_(device.scratch<double>(Scratch::row_sums, 2 * static_cast<std::size_t>(s_.num_frames))) {}

    void run() {
        device_.clear(out_, out_bytes(s_));
        sums_.begin();
        for_each_turn(s_, turn_,
                      [&](std::int32_t first, std::int32_t num_frames) { take_turn(first, num_frames); });
        device_.once(FrameCostsFinishSums{costs_, s_.num_frames, state_, batch_sums(out_)});
        sums_.finish();
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
        if (residual_ != nullptr) {
            choose_far_field_steps(device_, s_, measurements_from(buffers_, s_, first), propagator_.scale(),
                                   waves_, num_frames, far_field_steps(residual_, s_) + first);
        }
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
            sums_.add_object(shape, frames, num_frames, slice, object_.incident(slice), chi);
            if (slice == 0) sums_.add_probe(shape, frames, num_frames, object_.slice(0), chi);
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

    const GradientArgs& args_;
    const BatchShape& s_;
    const Buffers& buffers_;
    Device& device_;
    std::int32_t turn_;  // frames at a time
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
    GradientSums sums_;
    cfloat* waves_;
    double* costs_;
};

}  // namespace

void gradient_device(const GradientArgs& args, const Buffers& buffers, Device& device) {
    if (gradient_on_chip(args, buffers, device)) return;
    GradientOfBatch(args, buffers, device).run();
}

}  // namespace tessera
