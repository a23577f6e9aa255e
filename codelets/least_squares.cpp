#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codelets/least_squares.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "codelets/cost_model.hpp"
#include "codelets/frame_model-inl.hpp"
#include "codelets/iteration_rules.hpp"
#include "codelets/least_squares.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

// Adds one mode's |P dO|^2, Re (P dO)* dP O, |dP O|^2, Re (P dO)* chi, Re (dP O)* chi.
void add_products(FrameModel& model, int k, const cfloat* chi, const BatchShape& s, double* products) {
    for (int y = 0; y < s.probe.y; ++y) {
        const cfloat* p = model.probe(k) + probe_row(s, y);
        const cfloat* dp = model.probe_direction(k) + probe_row(s, y);
        const cfloat* o = model.object(0).row(y);
        const cfloat* d = model.object_direction(0).row(y);
        const cfloat* w = chi + wave_row(s, y);
        Vec sums[5] = {zero(), zero(), zero(), zero(), zero()};
        for_each_vector(static_cast<std::size_t>(s.probe.x), [&](std::size_t i, auto lanes) HWY_ATTR {
            const ComplexVec by_object = load(p + i, lanes) * load(d + i, lanes);
            const ComplexVec by_probe = load(dp + i, lanes) * load(o + i, lanes);
            const ComplexVec residual = load(w + i, lanes);
            sums[0] = norm_add(by_object, sums[0]);
            sums[1] = dot_add(by_object, by_probe, sums[1]);
            sums[2] = norm_add(by_probe, sums[2]);
            sums[3] = dot_add(by_object, residual, sums[3]);
            sums[4] = dot_add(by_probe, residual, sums[4]);
        });
        for (int i = 0; i < 5; ++i) products[i] += static_cast<double>(sum_of_lanes(sums[i]));
    }
}

void least_squares_of_batch(const LeastSquaresArgs& args, const Buffers& buffers) {
    const BatchShape& s = args.shape;
    BatchSums& sums = *batch_sums(buffers.get<std::byte>(5));
    sums = BatchSums{};
    if (buffers.get<const IterationState>(4)->stopped != 0) return;
    const auto* residual = buffers.get<const std::byte>(0);
    const cfloat* chi = residual_waves(residual);
    const auto* frames = buffers.get<const FramePosition>(1);
    const Lights lights(buffers.get<const std::byte>(1), s);
    FrameModel model(s, buffers.get<const std::byte>(2), buffers.get<const std::byte>(3), nullptr,
                     Workspace::of_this_worker());
    model.prepare(Moving::object_and_probe);
    for (std::int32_t j = 0; j < s.num_frames; ++j) {
        const auto frame = static_cast<std::size_t>(j);
        model.place(frames[frame], lights.of(j));
        double products[5] = {};
        for (int k = 0; k < s.num_modes; ++k) {
            add_products(model, k,
                         chi + frame * s.waves_size() + static_cast<std::size_t>(k) * s.frame.area(), s,
                         products);
        }
        rules::add_step_products(products, far_field_steps(residual, s)[frame], sums);
    }
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera {
namespace {

HWY_EXPORT(least_squares_of_batch);

void least_squares_cpu(const LeastSquaresArgs& args, const Buffers& buffers) {
    HWY_DYNAMIC_DISPATCH(least_squares_of_batch)(args, buffers);
}

Cost least_squares_cost(const LeastSquaresArgs& args) {
    return frames_cost(args.shape, 0, 2, 30);
}

void choose_least_squares_step_cpu(const ChooseLeastSquaresStepArgs& args, const Buffers& buffers) {
    rules::choose_least_squares_step(args, *batch_sums(buffers.get<const std::byte>(0)),
                                     *buffers.get<IterationState>(1));
}

Cost choose_least_squares_step_cost(const ChooseLeastSquaresStepArgs&) {
    return {4, sizeof(BatchSums)};
}

}  // namespace

BufferBytes LeastSquaresArgs::buffer_bytes() const {
    return {residual_bytes(shape),  frames_bytes(shape),
            probe_bytes(shape),     moving_field_bytes(shape.tile_size()),
            sizeof(IterationState), sizeof(BatchSums)};
}

const Codelet<LeastSquaresArgs> least_squares =
    Codelet<LeastSquaresArgs>::make<least_squares_cpu, TESSERA_ON_DEVICE(least_squares_device),
                                    least_squares_cost>(
        "least_squares",
        {Access::read, Access::read, Access::read, Access::read, Access::read, Access::write});

const Codelet<ChooseLeastSquaresStepArgs> choose_least_squares_step =
    Codelet<ChooseLeastSquaresStepArgs>::make<choose_least_squares_step_cpu,
                                              TESSERA_ON_DEVICE(choose_least_squares_step_device),
                                              choose_least_squares_step_cost>(
        "choose_least_squares_step", {Access::read, Access::read_write});

}  // namespace tessera
#endif  // HWY_ONCE
