#include "codelets/choose_step.hpp"

#include "codelets/iteration_rules.hpp"

namespace tessera {
namespace {

void choose_step_cpu(const ChooseStepArgs& args, const Buffers& buffers) {
    rules::choose_step(args, *batch_sums(buffers.get<const std::byte>(0)), *buffers.get<IterationState>(1));
}

Cost choose_step_cost(const ChooseStepArgs&) {
    return {100, sizeof(BatchSums)};
}

}  // namespace

double accepted_step(const std::array<double, num_trials + 1>& cost, double ladder_centre, double slope,
                     bool refine_by_parabola) {
    return rules::accepted_step(cost.data(), ladder_centre, slope, refine_by_parabola);
}

double accepted_sliced_step(double cost_before, const std::array<double, num_sliced_trials>& trial_cost,
                            double ladder_centre, double slope, bool refine_by_parabola) {
    return rules::accepted_sliced_step(cost_before, trial_cost.data(), ladder_centre, slope,
                                       refine_by_parabola);
}

const Codelet<ChooseStepArgs> choose_step =
    Codelet<ChooseStepArgs>::make<choose_step_cpu, TESSERA_ON_DEVICE(choose_step_device), choose_step_cost>(
        "choose_step", {Access::read, Access::read_write});

}  // namespace tessera
