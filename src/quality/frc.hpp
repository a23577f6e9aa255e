#pragma once

#include <vector>

#include "base/array.hpp"
#include "math/complex.hpp"

namespace tessera {

// Fourier ring correlation of two registered images: Re sum conj(A) B / sqrt(sum |A|^2 sum |B|^2) over rings
// one frequency step of the shorter side wide (Van Heel & Schatz 2005), and where it says the common signal
// ends.
struct RingCorrelation {
    std::vector<double> frequency;  // of each ring, as a fraction of the sampling frequency (0 .. 0.5)
    std::vector<double> correlation;
    std::vector<double> half_bit;     // 1/2-bit threshold curve
    double crossing_half_bit = 0;     // from where three rings in a row are below; 0.5 if none
    double crossing_one_seventh = 0;  // the same for 1/7
};

// `region` (y, x): non-zero pixels count, under a soft mask with a cosine edge inside them. The images are
// complex, so that they must agree in phase (compare_objects brings them there). Throws where the region is
// empty.
RingCorrelation ring_correlation(const Array<cfloat, 2>& a, const Array<cfloat, 2>& b,
                                 const Array<float, 2>& region);

}  // namespace tessera
