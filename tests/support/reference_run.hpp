#pragma once

#include "reference/oracle.hpp"
#include "support/small_run.hpp"

namespace tessera::test {

// The oracle's problem at a run's end: its object, its probe and the scan's frames.
reference::Problem problem_at_the_end(const Outcome& outcome, const SyntheticScan& truth,
                                      NoiseModel noise_model);

}  // namespace tessera::test
