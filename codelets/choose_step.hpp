#pragma once

#include <array>

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

struct ChooseStepArgs {
    BufferBytes buffer_bytes() const { return {sizeof(BatchSums), sizeof(IterationState)}; }
};

// From the nine summed costs to the iteration's step. Buffers: sums R (total), state RW.
extern const Codelet<ChooseStepArgs> choose_step;

// The rule itself, exposed for tests. The cheapest trial is accepted when it descends enough (Armijo with
// 1e-4: f(s) <= f(0) + 1e-4 s 2 Re<g, d>); then, unless the cost rose before, the vertex of the parabola
// through it and its neighbours in log2(s), clamped between them. 0: no acceptable step.
double accepted_step(const std::array<double, num_trials + 1>& cost, double ladder_centre, double slope,
                     bool refine_by_parabola);

// On a device: choose_step.cu.
void choose_step_device(const ChooseStepArgs&, const Buffers&, Device&);

}  // namespace tessera
