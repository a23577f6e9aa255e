#pragma once

#include "codelets/device/frames.hpp"

namespace tessera {

inline constexpr int num_costs = static_cast<int>(num_trials) + 1;

// What a pixel of a frame adds to the costs at step 0 and at each trial step. intensity * scale is in counts.
struct AddTrialCosts {
    NoiseModel noise_model;
    float saturated_from;
    float scale;
    const IterationState* state;
    TESSERA_HD void operator()(const pixel::IntensityPolynomial<float>& p, const Measured& m,
                               float (&sums)[num_costs]) const {
        constexpr float lowest_factor = 0.0625f;  // trial_step(1, 0)
        add_cost(p.c0, m, sums[0]);
        // trial_step(): factors of two, which round nothing.
        float step = static_cast<float>(state->ladder_centre) * lowest_factor;
        for (int i = 1; i < num_costs; ++i, step *= 2) add_cost(pixel::intensity_at(p, step), m, sums[i]);
    }
    TESSERA_HD void add_cost(float intensity, const Measured& m, float& sum) const {
        const float counted = fma(intensity > 0 ? intensity : 0.0f, scale, m.background);
        sum += misfit_of(noise_model, counted, m.compared_with(counted, saturated_from)).cost;
    }
};

// The frames' costs, (frame, step), added up in the order of the frames: x is the step.
struct TrialCostsFinishSums {
    const double* costs;
    std::int32_t num_frames;
    const IterationState* state;
    BatchSums* sums;
    TESSERA_HD void operator()(std::int32_t i, std::int32_t, std::int32_t) const {
        if (state->stopped != 0) return;
        double total = 0;
        for (std::int32_t j = 0; j < num_frames; ++j) total += costs[j * num_costs + i];
        sums->trial_cost[i] = total;
    }
};

}  // namespace tessera
