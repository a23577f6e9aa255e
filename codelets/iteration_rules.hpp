#pragma once

#include <cmath>

#include "codelets/choose_step.hpp"
#include "codelets/conjugate.hpp"
#include "codelets/divide.hpp"
#include "codelets/field_sweeps.hpp"
#include "codelets/layout.hpp"
#include "codelets/least_squares.hpp"
#include "codelets/minibatch.hpp"
#include "codelets/momentum.hpp"
#include "codelets/projection_record.hpp"
#include "math/host_device.hpp"

// What is decided once an iteration from sums: one text for all devices, scalars in double.
namespace tessera::rules {

TESSERA_HD bool is_finite(double x) {
    return x - x == 0;
}

// Preconditioners divide by it.
TESSERA_HD double positive_weight(double largest) {
    constexpr double least = 1.17549435e-28;  // far above the smallest float
    return largest > least ? largest : least;
}

// ---- conjugate

TESSERA_HD double ratio(double numerator, double denominator) {
    return denominator > 0 && is_finite(numerator / denominator) ? numerator / denominator : 0.0;
}

TESSERA_HD double beta_of(DirectionRule rule, const DotProducts& d, double momentum) {
    switch (rule) {
        case DirectionRule::polak_ribiere:
            return ::fmax(0.0, ratio(d.s1 - d.s2, d.s1_previous));
        case DirectionRule::dai_yuan:
            return ratio(d.s1, d.s3 - d.slope_previous);
        case DirectionRule::fletcher_reeves:
            return ratio(d.s1, d.s1_previous);
        case DirectionRule::heavy_ball:
            return momentum;
    }
    return 0;
}

TESSERA_HD StopReason reason_to_stop(const ConjugateArgs& args, const IterationState& state,
                                     const BatchSums& sums) {
    if (sums.bad_frames > 0 || !is_finite(sums.cost) || !is_finite(sums.gradient_norm))
        return StopReason::not_finite;
    if (sums.stop_votes > 0) return StopReason::requested;
    // A failed line search leaves the cost as it was; that is no convergence.
    const bool has_previous = args.iteration > 0 && state.failures == 0;
    if (has_previous && args.tolerance > 0 && sums.cost <= state.previous_cost &&
        state.previous_cost - sums.cost < args.tolerance * state.previous_cost) {
        return StopReason::converged;
    }
    return StopReason::none;
}

// The iteration's cost into the state; false: stop.
TESSERA_HD bool begin_iteration(const ConjugateArgs& args, const BatchSums& sums, IterationState& state) {
    if (state.stopped != 0) return false;
    state.iteration = args.iteration;
    state.cost = sums.cost;
    state.squared_error = sums.squared_error;
    state.bad_frames = sums.bad_frames;
    state.checkpoint_votes = sums.checkpoint_votes;
    state.stopped = static_cast<std::int32_t>(reason_to_stop(args, state, sums));
    if (state.stopped != 0) state.step = 0;
    return state.stopped == 0;
}

// Beta, from the dot products of the object (in the sums) and of the probe (s1, s2, s3 of `probe`).
TESSERA_HD void choose_beta(const ConjugateArgs& args, const BatchSums& sums, const DotProducts& probe,
                            IterationState& state) {
    constexpr double rise_tolerance = 1e-6;  // a rise within the rounding of single-precision sums is none
    const DotProducts dots = {sums.gradient_norm + probe.s1, sums.gradient_previous + probe.s2,
                              sums.gradient_direction + probe.s3, state.gradient_norm, state.slope};
    state.cost_rose = args.iteration > 0 && state.cost > state.previous_cost * (1 + rise_tolerance) ? 1 : 0;
    const bool fresh = args.restart != 0 || state.cost_rose != 0 || state.failures > 0;
    state.beta = fresh ? 0.0 : beta_of(args.rule, dots, args.momentum);
    // The heavy ball is allowed to climb for a while; a conjugate direction must descend.
    if (args.rule != DirectionRule::heavy_ball && -dots.s1 + state.beta * dots.s3 >= 0) state.beta = 0;
    state.gradient_norm = dots.s1;
    state.slope = -dots.s1 + state.beta * dots.s3;
    state.previous_cost = state.cost;
    if (args.rule == DirectionRule::heavy_ball) state.step = args.step;
}

// ---- choose_step

// Armijo; false also when a cost is not a number.
TESSERA_HD bool descends_enough(double cost, double cost_before, double step, double slope) {
    constexpr double sufficient_descent = 1e-4;
    return cost <= cost_before + sufficient_descent * step * 2 * slope;
}

// See choose_step.hpp. `cost`: at step 0, then at the trial steps.
TESSERA_HD double accepted_step(const double* cost, double ladder_centre, double slope,
                                bool refine_by_parabola) {
    constexpr int num = static_cast<int>(num_trials);
    const double* trial = cost + 1;
    int best = 0;
    for (int i = 1; i < num; ++i) {
        if (trial[i] < trial[best]) best = i;
    }
    const double step = ladder_centre * ::ldexp(1.0, best - num / 2);
    if (!descends_enough(trial[best], cost[0], step, slope)) return 0;
    if (!refine_by_parabola || best == 0 || best + 1 == num) return step;
    const double left = trial[best - 1], middle = trial[best], right = trial[best + 1];
    const double curvature = left - 2 * middle + right;
    if (!(curvature > 0)) return step;
    const double vertex = ::fmin(::fmax(0.5 * (left - right) / curvature, -1.0), 1.0);
    return is_finite(vertex) ? step * ::exp2(vertex) : step;
}

// Several slices: see choose_step.hpp and line_search.hpp.
TESSERA_HD double sliced_trial_factor(int i) {
    return i == 0 ? 0.25 : i == 1 ? 1.0 : 2.0;
}

// Of the parabola through three points with the cheapest in the middle, x rising: at most half way to a
// neighbour.
TESSERA_HD double vertex_between(const double* x, const double* y) {
    const double left = x[1] - x[0], right = x[2] - x[1];
    const double fall = (y[0] - y[1]) * right, rise = (y[2] - y[1]) * left;  // both >= 0
    const double vertex = x[1] + 0.5 * (fall * right - rise * left) / (fall + rise);
    return fall + rise > 0 && is_finite(vertex) ? vertex : x[1];
}

// `trial`: at the three trial steps.
TESSERA_HD double accepted_sliced_step(double cost_before, const double* trial, double ladder_centre,
                                       double slope, bool refine_by_parabola) {
    constexpr int num = static_cast<int>(num_sliced_trials);
    double steps[num + 1] = {0}, costs[num + 1] = {cost_before};
    int best = 1;
    for (int i = 1; i <= num; ++i) {
        steps[i] = ladder_centre * sliced_trial_factor(i - 1);
        costs[i] = trial[i - 1];
        if (costs[i] < costs[best]) best = i;
    }
    if (!descends_enough(costs[best], cost_before, steps[best], slope)) return 0;
    if (!refine_by_parabola || best == num) return steps[best];
    return vertex_between(steps + best - 1, costs + best - 1);
}

TESSERA_HD void choose_step(const ChooseStepArgs& args, const BatchSums& sums, IterationState& state) {
    constexpr double shrink_after_failure = 16;
    constexpr std::int32_t failures_that_stop = 2;
    if (state.stopped != 0) return;
    const bool refine = state.cost_rose == 0;
    state.step =
        args.num_slices > 1
            ? accepted_sliced_step(state.cost, sums.trial_cost + 1, state.ladder_centre, state.slope, refine)
            : accepted_step(sums.trial_cost, state.ladder_centre, state.slope, refine);
    if (state.step > 0) {
        state.failures = 0;
        state.ladder_centre = state.step;
        return;
    }
    ++state.failures;
    state.ladder_centre /= shrink_after_failure;
    if (state.failures >= failures_that_stop)
        state.stopped = static_cast<std::int32_t>(StopReason::no_descent);
}

// ---- Mini-batches

TESSERA_HD StopReason reason_to_stop(const BeginMinibatchArgs& args, const IterationState& state,
                                     const BatchSums& sums) {
    if (sums.bad_frames > 0 || !is_finite(sums.cost)) return StopReason::not_finite;
    if (args.is_first == 0) return StopReason::none;
    if (sums.stop_votes > 0) return StopReason::requested;
    const bool has_two = args.iteration > 1;  // costs of whole iterations
    if (has_two && args.tolerance > 0 && state.cost <= state.previous_cost &&
        state.previous_cost - state.cost < args.tolerance * state.previous_cost) {
        return StopReason::converged;
    }
    return StopReason::none;
}

// False: stop. A record that says stopped has the cost of the last whole iteration.
TESSERA_HD bool begin_minibatch(const BeginMinibatchArgs& args, const BatchSums& sums,
                                IterationState& state) {
    if (state.stopped != 0) return false;
    state.iteration = args.iteration;
    state.bad_frames = sums.bad_frames;
    if (args.is_first != 0) state.checkpoint_votes = sums.checkpoint_votes;
    state.stopped = static_cast<std::int32_t>(reason_to_stop(args, state, sums));
    if (state.stopped != 0) return false;
    if (args.is_first != 0) {
        state.previous_cost = state.cost;
        state.cost = 0;
        state.squared_error = 0;
    }
    state.cost += sums.cost;
    state.squared_error += sums.squared_error;
    state.beta = 0;  // a direction of its own after each mini-batch
    state.step = args.object_step;
    state.probe_step = args.probe_step;
    return true;
}

TESSERA_HD void set_largest_weights(const BeginMinibatchArgs& args, const BatchSums& sums,
                                    double coverage_max, IterationState& state) {
    const bool of_object = args.norm == ObjectNorm::of_object;
    state.illumination_max = positive_weight(sums.weight_max);
    state.coverage_max = positive_weight(of_object ? args.num_frames * sums.object_max : coverage_max);
}

// ---- least_squares

struct OptimalSteps {
    double object = 0, probe = 0;
};

// What a frame adds to the system. Its far field's step scales the right-hand side.
TESSERA_HD void add_step_products(const double* products, double far_field_step, BatchSums& sums) {
    for (int i = 0; i < 3; ++i) sums.step_products[i] += products[i];
    for (int i = 3; i < 5; ++i) sums.step_products[i] += far_field_step * products[i];
}

// A direction that changes nothing takes no part: its step is zero.
TESSERA_HD OptimalSteps optimal_steps(const double (&products)[5], ProbeMotion probe) {
    constexpr double damping = 0.1;  // of the diagonal
    const double a11 = (1 + damping) * products[0], a12 = products[1], a22 = (1 + damping) * products[2];
    const double b1 = -products[3], b2 = -products[4];
    if (probe == ProbeMotion::fixed || a22 == 0) return {::fmax(0.0, ratio(b1, a11)), 0};
    if (a11 == 0) return {0, ::fmax(0.0, ratio(b2, a22))};
    const double determinant = a11 * a22 - a12 * a12;  // positive: a12^2 <= products[0] products[2]
    return {::fmax(0.0, ratio(a22 * b1 - a12 * b2, determinant)),
            ::fmax(0.0, ratio(a11 * b2 - a12 * b1, determinant))};
}

TESSERA_HD void choose_least_squares_step(const ChooseLeastSquaresStepArgs& args, const BatchSums& sums,
                                          IterationState& state) {
    if (state.stopped != 0) return;
    const OptimalSteps steps = optimal_steps(sums.step_products, args.probe);
    state.step = args.beta * steps.object;
    state.probe_step = args.beta * steps.probe;
}

// ---- momentum

// Where the cost rose the velocity leads astray: half of it is forgotten, and none is used.
TESSERA_HD MomentumFactors momentum_factors(const MomentumArgs& args, const IterationState& state) {
    const bool rose = state.iteration > 0 && state.cost > state.previous_cost;
    if (args.halved_when_cost_rises != 0 && rose) return {0, 0, 0.5f, 0};
    return {static_cast<float>(args.from_velocity), static_cast<float>(args.from_update),
            static_cast<float>(args.kept), static_cast<float>(args.added)};
}

// ---- projection_record

TESSERA_HD void begin_projection(const BeginProjectionArgs& args, const BatchSums& sums,
                                 IterationState& state) {
    if (state.stopped != 0) return;
    state.iteration = args.iteration;
    state.step = 0;
    state.checkpoint_votes = sums.checkpoint_votes;
    state.stopped = static_cast<std::int32_t>(sums.stop_votes > 0 ? StopReason::requested : StopReason::none);
    state.overlap_done = state.stopped != 0 ? 1 : 0;
    state.roll_y = 0;
    state.roll_x = 0;
    if (state.stopped != 0) return;
    state.num_averaged = args.averaging == Averaging::off ? 0 : state.num_averaged + 1;
}

TESSERA_HD void note_cost(const BatchSums& sums, IterationState& state) {
    if (state.stopped != 0) return;
    state.cost = sums.cost;
    state.squared_error = sums.squared_error;
    state.bad_frames = sums.bad_frames;
    if (sums.bad_frames == 0 && is_finite(sums.cost)) return;
    state.stopped = static_cast<std::int32_t>(StopReason::not_finite);
    state.overlap_done = 1;
}

// ---- divide

TESSERA_HD bool is_in_support(const DivideProbeArgs& args, std::int32_t y, std::int32_t x) {
    return args.support.contain(y - args.probe.y / 2, x - args.probe.x / 2);
}

struct ProbeMoments {
    double power = 0, y = 0, x = 0;
};
struct ProbeRoll {
    std::int32_t y = 0, x = 0;
};
TESSERA_HD ProbeRoll centering_roll(const DivideProbeArgs& args, const ProbeMoments& moments) {
    if (!(moments.power > 0)) return {};
    const double y = moments.y / moments.power, x = moments.x / moments.power;
    if (!(y * y + x * x > args.center_tol_px * args.center_tol_px)) return {};
    return {-static_cast<std::int32_t>(::floor(y + 0.5)), -static_cast<std::int32_t>(::floor(x + 0.5))};
}
TESSERA_HD std::int32_t rolled(std::int32_t i, std::int32_t by, std::int32_t count) {
    return (((i + by) % count) + count) % count;
}

TESSERA_HD void end_overlap(const DivideProbeArgs& args, double change, double power, const ProbeRoll& roll,
                            IterationState& state) {
    state.probe_change = power > 0 ? ::sqrt(change / power) : 0.0;
    state.roll_y = roll.y;
    state.roll_x = roll.x;
    const bool was_rolled = roll.y != 0 || roll.x != 0;
    state.overlap_done = !was_rolled && state.probe_change < args.enough ? 1 : 0;
}

}  // namespace tessera::rules
