#include "codelets/evaluate.hpp"

#include "codelets/device/frame_fields.hpp"
#include "codelets/device/point_spread.hpp"

namespace tessera {
namespace {

// The frames' costs, (frame, cost and squared error), into the batch's sums and the frames' errors.
struct EvaluationFinishSums {
    const double* costs;
    std::int32_t num_frames;
    BatchSums* sums;
    double* errors;
    TESSERA_HD void operator()() const {
        double cost = 0, squared_error = 0;
        for (std::int32_t j = 0; j < num_frames; ++j) {
            cost += costs[2 * j];
            squared_error += costs[2 * j + 1];
            errors[j] = costs[2 * j + 1];
        }
        sums->cost = cost;
        sums->squared_error = squared_error;
    }
};

}  // namespace

void evaluate_device(const EvaluateArgs& args, const Buffers& buffers, Device& device) {
    const BatchShape& s = args.shape;
    const std::int32_t turn = frames_at_a_time(s, device.wave_budget_bytes());
    auto* sums = batch_sums(buffers.get<std::byte>(5));
    device.clear(sums, sizeof(BatchSums));
    const DetectorView detector = detector_view(buffers.get<const std::byte>(2), s);
    FramePropagator propagator(device, s, detector.transfer, turn);
    PointSpread spread(device, s, detector, turn, 1);
    ShiftedProbe shifted(device, s, moving_field(buffers.get<const std::byte>(3), s.probe_size()).value,
                         Scratch::spectrum, Scratch::probe, turn);
    SlicedObject object(device, s, moving_field(buffers.get<const std::byte>(4), s.tile_size()).value,
                        detector.slice_transfers, turn);
    cfloat* ramps = probe_ramps(device, s, turn);
    cfloat* waves = device.scratch<cfloat>(Scratch::waves, static_cast<std::size_t>(turn) * s.waves_size());
    auto* costs = device.scratch<double>(Scratch::row_sums, 2 * static_cast<std::size_t>(s.num_frames));
    for (std::int32_t first = 0; first < s.num_frames; first += turn) {
        const std::int32_t num_frames = s.num_frames - first < turn ? s.num_frames - first : turn;
        const auto* frames = buffers.get<const FramePosition>(1) + first;
        place_ramps(device, s, frames, num_frames, ramps);
        propagator.place(frames, num_frames);
        object.place(frames, num_frames, shifted.at(ramps, num_frames));
        object.exit_waves(waves);
        propagator.forward(waves);
        const Compare compare = {s, measurements_from(buffers, s, first), propagator.scale(), false, waves};
        spread.compare(compare, num_frames, costs + 2 * static_cast<std::ptrdiff_t>(first));
    }
    device.once(EvaluationFinishSums{costs, s.num_frames, sums, buffers.get<double>(6)});
}

}  // namespace tessera
