#include "codelets/evaluate.hpp"

#include "codelets/device/frame_evaluation.hpp"

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
    auto* sums = batch_sums(buffers.get<std::byte>(5));
    device.clear(sums, sizeof(BatchSums));
    auto* costs = device.scratch<double>(Scratch::row_sums, 2 * static_cast<std::size_t>(s.num_frames));
    FrameEvaluations(s, buffers, device).run(buffers.get<const FramePosition>(1), costs);
    device.once(EvaluationFinishSums{costs, s.num_frames, sums, buffers.get<double>(6)});
}

}  // namespace tessera
