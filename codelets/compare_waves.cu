#include "codelets/compare_waves.hpp"

#include "codelets/device/frame_costs.hpp"
#include "codelets/device/gradient_stages.hpp"
#include "codelets/device/point_spread.hpp"

namespace tessera {
namespace {

// Of an overlap projection: its frames are counted where they are projected.
struct OverlapCostsFinishSums {
    const double* costs;  // (frame, cost and squared error)
    std::int32_t num_frames;
    const IterationState* state;
    BatchSums* sums;
    TESSERA_HD void operator()() const {
        if (state->stopped != 0) return;
        for (std::int32_t j = 0; j < num_frames; ++j) {
            sums->cost += costs[2 * j];
            sums->squared_error += costs[2 * j + 1];
        }
    }
};

}  // namespace

void compare_waves_device(const CompareWavesArgs& args, const Buffers& buffers, Device& device) {
    const bool has_derivative = args.comparison == Comparison::derivative;
    BatchShape s = args.shape;
    if (!has_derivative) s.noise_model = NoiseModel::amplitude;
    const auto size = static_cast<std::ptrdiff_t>(s.waves_size());
    const std::int32_t turn = frames_at_a_time(s, device.wave_budget_bytes());
    const DetectorView detector = detector_view(buffers.get<const std::byte>(2), s);
    const FramePropagator propagator(device, s, detector.transfer, turn);
    PointSpread spread(device, s, detector, turn, 1);
    const auto* state = buffers.get<const IterationState>(3);
    auto* all_waves = buffers.get<cfloat>(4);
    BatchSums* sums = batch_sums(buffers.get<std::byte>(5));
    auto* costs = device.scratch<double>(Scratch::row_sums, 2 * static_cast<std::size_t>(s.num_frames));
    for_each_turn(s, turn, [&](std::int32_t first, std::int32_t num_frames) {
        cfloat* waves = all_waves + first * size;
        const Measurements measurements = measurements_from(buffers, s, first);
        const IntensityScale scale = {propagator.common_scale(), lights_from(buffers, s, first)};
        const Extent all = {static_cast<std::int32_t>(size), num_frames};
        if (args.waves == KeptWaves::advance)
            device.for_each(all, AdvanceWaves{size, state, buffers.get<cfloat>(6) + 3 * first * size, waves});
        if (args.waves == KeptWaves::refresh)
            device.for_each(all, KeepWaves{size, waves, buffers.get<cfloat>(6) + 3 * first * size});
        if (args.waves == KeptWaves::residual) {
            choose_far_field_steps(device, s, measurements, scale, waves, num_frames,
                                   far_field_steps(buffers.get<std::byte>(4), s) + first);
        }
        spread.compare({s, measurements, scale, has_derivative, waves}, num_frames,
                       costs + 2 * static_cast<std::ptrdiff_t>(first));
    });
    if (has_derivative) {
        device.once(FrameCostsFinishSums{costs, s.num_frames, state, sums});
    } else {
        device.once(OverlapCostsFinishSums{costs, s.num_frames, state, sums});
    }
}

}  // namespace tessera
