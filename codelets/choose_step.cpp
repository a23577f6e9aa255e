#include "codelets/choose_step.hpp"

#include <algorithm>
#include <cmath>

#include "codelets/line_search.hpp"

namespace tessera {
namespace {

constexpr double sufficient_descent = 1e-4;
constexpr double shrink_after_failure = 16;
constexpr std::int32_t failures_that_stop = 2;

void choose_step_cpu(const ChooseStepArgs&, const Buffers& buffers) {
    const BatchSums& sums = *batch_sums(buffers.get<const std::byte>(0));
    IterationState& state = *buffers.get<IterationState>(1);
    if (state.stopped != 0) return;
    std::array<double, num_trials + 1> cost;
    std::copy(std::begin(sums.trial_cost), std::end(sums.trial_cost), cost.begin());
    state.step = accepted_step(cost, state.ladder_centre, state.slope, state.cost_rose == 0);
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

Cost choose_step_cost(const ChooseStepArgs&) {
    return {100, sizeof(BatchSums)};
}

}  // namespace

double accepted_step(const std::array<double, num_trials + 1>& cost, double ladder_centre, double slope,
                     bool refine_by_parabola) {
    const auto trial = [&](std::size_t i) { return cost[i + 1]; };
    std::size_t best = 0;
    for (std::size_t i = 1; i < num_trials; ++i) {
        if (trial(i) < trial(best)) best = i;
    }
    const double step = trial_step(ladder_centre, best);
    if (!(trial(best) <= cost[0] + sufficient_descent * step * 2 * slope))
        return 0;  // also when not a number
    if (!refine_by_parabola || best == 0 || best + 1 == num_trials) return step;
    const double left = trial(best - 1), middle = trial(best), right = trial(best + 1);
    const double curvature = left - 2 * middle + right;
    if (!(curvature > 0)) return step;
    const double vertex = std::clamp(0.5 * (left - right) / curvature, -1.0, 1.0);
    return std::isfinite(vertex) ? step * std::exp2(vertex) : step;
}

const Codelet<ChooseStepArgs> choose_step = Codelet<ChooseStepArgs>::make<choose_step_cpu, choose_step_cost>(
    "choose_step", {Access::read, Access::read_write});

}  // namespace tessera
