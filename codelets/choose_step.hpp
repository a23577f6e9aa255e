#pragma once

#include <array>

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

struct ChooseStepArgs {
    std::int32_t num_slices = 1;
    BufferBytes buffer_bytes() const { return {sizeof(BatchSums), sizeof(IterationState)}; }
};

// From the summed costs of the trials to the iteration's step. Buffers: sums R (total), state RW.
extern const Codelet<ChooseStepArgs> choose_step;

// The rule itself, exposed for tests. The cheapest trial is accepted when it descends enough (Armijo with
// 1e-4: f(s) <= f(0) + 1e-4 s 2 Re<g, d>); then, unless the cost rose before, the vertex of the parabola
// through it and its neighbours in log2(s), clamped between them. 0: no acceptable step.
double accepted_step(const std::array<double, num_trials + 1>& cost, double ladder_centre, double slope,
                     bool refine_by_parabola);

// Of several slices: three trials and the cost before the step, which is that of the gradient. The cheapest
// trial is accepted by the same rule; then, unless the cost rose before, the vertex of the parabola in s
// through it and its neighbours, of which step 0 is one: never beyond a step that was tried.
double accepted_sliced_step(double cost_before, const std::array<double, num_sliced_trials>& trial_cost,
                            double ladder_centre, double slope, bool refine_by_parabola);

// On a device: choose_step.cu.
void choose_step_device(const ChooseStepArgs&, const Buffers&, Device&);

}  // namespace tessera
