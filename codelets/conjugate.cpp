#include "codelets/conjugate.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "codelets/cost_model.hpp"
#include "codelets/field_sweeps.hpp"

namespace tessera {
namespace {

// A rise within the rounding of single-precision sums is none.
constexpr double rise_tolerance = 1e-6;

FieldDots probe_dots(const ConjugateArgs& args, const cfloat* gradient, const cfloat* previous,
                     const cfloat* direction, const float* coverage, double coverage_max) {
    FieldDots sum;
    const std::size_t plane = args.probe_shape.area();
    const Preconditioner preconditioner = {coverage, static_cast<float>(args.alpha),
                                           static_cast<float>(coverage_max)};
    for (std::size_t k = 0; k < static_cast<std::size_t>(args.num_modes); ++k) {
        const std::size_t at = k * plane;
        const FieldDots mode =
            field_dots(gradient + at, previous + at, direction + at, preconditioner, plane);
        sum.gradient_norm += mode.gradient_norm;
        sum.gradient_previous += mode.gradient_previous;
        sum.gradient_direction += mode.gradient_direction;
    }
    return sum;
}

StopReason reason_to_stop(const ConjugateArgs& args, const IterationState& state, const BatchSums& sums) {
    if (sums.bad_frames > 0 || !std::isfinite(sums.cost) || !std::isfinite(sums.gradient_norm)) {
        return StopReason::not_finite;
    }
    // A failed line search leaves the cost as it was; that is no convergence.
    const bool has_previous = args.iteration > 0 && state.failures == 0;
    if (has_previous && args.tolerance > 0 && sums.cost <= state.previous_cost &&
        state.previous_cost - sums.cost < args.tolerance * state.previous_cost) {
        return StopReason::converged;
    }
    return StopReason::none;
}

void conjugate_cpu(const ConjugateArgs& args, const Buffers& buffers) {
    const auto* total = buffers.get<const std::byte>(0);
    IterationState& state = *buffers.get<IterationState>(5);
    if (state.stopped != 0) return;
    const BatchSums& sums = *batch_sums(total);
    state.iteration = args.iteration;
    state.cost = sums.cost;
    state.squared_error = sums.squared_error;
    state.bad_frames = sums.bad_frames;
    if (const StopReason reason = reason_to_stop(args, state, sums); reason != StopReason::none) {
        state.stopped = static_cast<std::int32_t>(reason);
        state.step = 0;
        return;
    }
    const std::size_t probe_size = static_cast<std::size_t>(args.num_modes) * args.probe_shape.area();
    DotProducts dots = {sums.gradient_norm, sums.gradient_previous, sums.gradient_direction,
                        state.gradient_norm, state.slope};
    if (args.probe == ProbeMotion::moving) {
        auto* gradient = buffers.get<cfloat>(4);
        std::memcpy(static_cast<void*>(gradient), probe_part(total), probe_size * sizeof(cfloat));
        const auto probe = moving_field(buffers.get<const std::byte>(2), probe_size);
        const FieldDots part = probe_dots(args, gradient, buffers.get<const cfloat>(1), probe.direction,
                                          buffers.get<const float>(3), state.coverage_max);
        dots.s1 += part.gradient_norm;
        dots.s2 += part.gradient_previous;
        dots.s3 += part.gradient_direction;
    }
    state.cost_rose = args.iteration > 0 && state.cost > state.previous_cost * (1 + rise_tolerance) ? 1 : 0;
    const bool fresh = args.restart != 0 || state.cost_rose != 0 || state.failures > 0;
    state.beta = fresh ? 0.0 : conjugate_beta(args.rule, dots, args.momentum);
    // The heavy ball is allowed to climb for a while; a conjugate direction must descend.
    if (args.rule != DirectionRule::heavy_ball && -dots.s1 + state.beta * dots.s3 >= 0) state.beta = 0;
    state.gradient_norm = dots.s1;
    state.slope = -dots.s1 + state.beta * dots.s3;
    state.previous_cost = state.cost;
    if (args.rule == DirectionRule::heavy_ball) state.step = args.step;
}

Cost conjugate_cost(const ConjugateArgs& args) {
    return pixels_cost(static_cast<double>(args.num_modes) * static_cast<double>(args.probe_shape.area()), 20,
                       5 * sizeof(cfloat));
}

}  // namespace

double conjugate_beta(DirectionRule rule, const DotProducts& d, double momentum) {
    const auto ratio = [](double numerator, double denominator) {
        return denominator > 0 && std::isfinite(numerator / denominator) ? numerator / denominator : 0.0;
    };
    switch (rule) {
        case DirectionRule::polak_ribiere:
            return std::max(0.0, ratio(d.s1 - d.s2, d.s1_previous));
        case DirectionRule::dai_yuan:
            return ratio(d.s1, d.s3 - d.slope_previous);
        case DirectionRule::fletcher_reeves:
            return ratio(d.s1, d.s1_previous);
        case DirectionRule::heavy_ball:
            return momentum;
    }
    return 0;
}

BufferBytes ConjugateArgs::buffer_bytes() const {
    const std::size_t size = static_cast<std::size_t>(num_modes) * probe_shape.area();
    return {sums_bytes(size),          size * sizeof(cfloat), moving_field_bytes(size),
            weight_bytes(probe_shape), size * sizeof(cfloat), sizeof(IterationState)};
}

const Codelet<ConjugateArgs> conjugate = Codelet<ConjugateArgs>::make<conjugate_cpu, conjugate_cost>(
    "conjugate", {Access::read, Access::read, Access::read, Access::read, Access::write, Access::read_write});

}  // namespace tessera
