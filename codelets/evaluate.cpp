#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codelets/evaluate.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "codelets/cost_model.hpp"
#include "codelets/evaluate.hpp"
#include "codelets/frame_evaluation-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

void evaluate_batch(const EvaluateArgs& args, const Buffers& buffers) {
    const BatchShape& s = args.shape;
    BatchSums& sums = *batch_sums(buffers.get<std::byte>(5));
    sums = BatchSums{};
    FrameEvaluation evaluation(s, buffers.get<const std::byte>(1), buffers.get<const std::byte>(2),
                               buffers.get<const std::byte>(3), buffers.get<const std::byte>(4));
    const auto* frames = buffers.get<const FramePosition>(1);
    auto* errors = buffers.get<double>(6);
    with_counts(buffers.get<const void>(0), s.pattern_type, [&](const auto* patterns) HWY_ATTR {
        for (std::int32_t j = 0; j < s.num_frames; ++j) {
            const auto frame = static_cast<std::size_t>(j);
            const FrameCost cost =
                evaluation.at(frames[frame], j, patterns + frame * detector_shape(s).area());
            sums.cost += cost.cost;
            sums.squared_error += cost.squared_error;
            errors[frame] = cost.squared_error;
        }
    });
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera {
namespace {

HWY_EXPORT(evaluate_batch);

void evaluate_cpu(const EvaluateArgs& args, const Buffers& buffers) {
    HWY_DYNAMIC_DISPATCH(evaluate_batch)(args, buffers);
}

Cost evaluate_cost(const EvaluateArgs& args) {
    return frames_cost(args.shape, 1, 1);
}

}  // namespace

BufferBytes EvaluateArgs::buffer_bytes() const {
    return {patterns_bytes(shape),
            frames_bytes(shape),
            detector_bytes(shape),
            probe_bytes(shape),
            moving_field_bytes(shape.tile_size()),
            sizeof(BatchSums),
            static_cast<std::size_t>(shape.num_frames) * sizeof(double)};
}

const Codelet<EvaluateArgs> evaluate =
    Codelet<EvaluateArgs>::make<evaluate_cpu, TESSERA_ON_DEVICE(evaluate_device), evaluate_cost>(
        "evaluate",
        {Access::read, Access::read, Access::read, Access::read, Access::read, Access::write, Access::write});

}  // namespace tessera
#endif  // HWY_ONCE
