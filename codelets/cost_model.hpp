#pragma once

#include <cmath>

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

// Flops and bytes of a batch: `propagations` through the object to the detector or back, and `shifts` of the
// probe (fourier interpolation) per wave and frame, plus the pixel work (of the far field, and of the
// probe's window at each further slice), and how often waves are read or written; without the patterns.
inline Cost stage_cost(const BatchShape& s, double propagations, double shifts, double flops_per_pixel,
                       double passes) {
    const auto transform = [](Shape2 shape) {
        const double n = static_cast<double>(shape.area());
        return 5 * n * std::log2(std::max(n, 2.0));
    };
    const double frames = s.num_frames, waves = s.num_waves();
    const double between_slices = 2.0 * (s.num_slices - 1) * transform(s.probe);
    const double transforms = propagations * ((s.near_field ? 2 : 1) * transform(s.frame) + between_slices) +
                              (s.interpolation == Interpolation::fourier ? shifts * transform(s.probe) : 0.0);
    const double pixels =
        static_cast<double>(s.frame.area()) + static_cast<double>(s.probe.area()) * (s.num_slices - 1);
    return {frames * waves * (transforms + flops_per_pixel * pixels),
            frames * waves * pixels * passes * sizeof(cfloat)};
}
inline Cost with_patterns(const BatchShape& s, const Cost& cost) {
    return {cost.flops, cost.bytes + static_cast<double>(patterns_bytes(s))};
}
// Of an operation from exit waves to what is added up.
inline Cost frames_cost(const BatchShape& s, double propagations, double shifts,
                        double flops_per_pixel = 60) {
    return with_patterns(s, stage_cost(s, propagations, shifts, flops_per_pixel, 8));
}

inline Cost pixels_cost(double pixels, double flops_per_pixel, double bytes_per_pixel) {
    return {pixels * flops_per_pixel, pixels * bytes_per_pixel};
}

}  // namespace tessera
