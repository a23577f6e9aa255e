#pragma once

#include <array>

#include "base/array.hpp"
#include "math/complex.hpp"

namespace tessera {

// What separates two reconstructions of the same thing and cannot be seen in the data:
// b(r) = factor exp(i ramp . (r - c)) a(r - shift), with c = floor(n/2) of each axis. In a comparison with
// the truth, a is the truth.
struct Alignment {
    std::array<double, 2> shift_px = {0, 0};     // (y, x)
    std::array<double, 2> ramp_rad_px = {0, 0};  // linear phase (y, x)
    cdouble factor = {1, 0};                     // of modulus 1 unless the scale was free
};

struct ObjectComparison {
    Alignment alignment;
    double error = 0;          // ||O - T|| / ||T|| inside the region after removing the alignment
    Array<cfloat, 2> aligned;  // `object` brought onto `truth`
};

// Compares `object` with `truth` (y, x) where `region` (y, x) is non-zero: removes the global factor's phase
// (and, when `free_scale`, its modulus), the linear phase ramp and a sub-pixel shift (Fourier interpolation,
// periodic). Shift and ramp start from the cross-correlation of the neighbour products conj(z(r)) z(r + 1),
// which a ramp does not change, and are then those of the least error (Newton), in double. Pre: equal
// shapes. Throws where the region has no power. Cost: about fifty transforms of the image.
ObjectComparison compare_objects(const Array<cfloat, 2>& object, const Array<cfloat, 2>& truth,
                                 const Array<float, 2>& region, bool free_scale);

}  // namespace tessera
