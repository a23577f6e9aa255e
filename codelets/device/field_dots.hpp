#pragma once

#include "codelets/device/device.hpp"
#include "pixel/formulas.hpp"

namespace tessera {

// What <g, M g>, Re <M g, g_previous> and Re <d, g> are made of: adds one pixel to the three sums. The CPU's
// counterpart, vectorised, is codelets/field_sweeps.hpp.
struct DotsAtPixel {
    const cfloat* gradient;
    const cfloat* previous;
    const cfloat* direction;
    const float* weight;
    float alpha;
    static constexpr int num_sums = 3;
    TESSERA_HD void add(std::ptrdiff_t field, std::ptrdiff_t weighed, float weight_max,
                        float (&sums)[num_sums]) const {
        const cfloat g = gradient[field];
        const float preconditioner = pixel::precondition(weight[weighed], 1 - alpha, alpha * weight_max);
        sums[0] += preconditioner * norm(g);
        sums[1] += preconditioner * dot(g, previous[field]);
        sums[2] = dot_add(direction[field], g, sums[2]);
    }
};

}  // namespace tessera
