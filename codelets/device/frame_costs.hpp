#pragma once

#include "codelets/layout.hpp"
#include "math/host_device.hpp"

namespace tessera {

// The frames' costs, (frame, cost and squared error), into the batch's sums.
struct FrameCostsFinishSums {
    const double* costs;
    std::int32_t num_frames;
    const IterationState* state;
    BatchSums* sums;
    TESSERA_HD void operator()() const {
        if (state->stopped != 0) return;
        double cost = 0, squared_error = 0;
        std::int64_t bad_frames = 0;
        for (std::int32_t j = 0; j < num_frames; ++j) {
            cost += costs[2 * j];
            squared_error += costs[2 * j + 1];
            bad_frames += costs[2 * j] - costs[2 * j] == 0 ? 0 : 1;  // not finite
        }
        sums->cost = cost;
        sums->squared_error = squared_error;
        sums->bad_frames = bad_frames;
    }
};

}  // namespace tessera
