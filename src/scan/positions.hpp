#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "base/array.hpp"
#include "config/run_config.hpp"
#include "math/host_device.hpp"

namespace tessera {

// Where each probe window falls in the object array: base (whole pixels) + frac.
//   nearest   base = floor(r + 1/2), frac = 0
//   bilinear  base = floor(r),       frac in [0, 1)
//   fourier   base = floor(r + 1/2), frac in [-1/2, 1/2): the least shift of the probe
// The sum base + frac, in double precision, leads back to the same base.
struct WindowPosition {
    std::int32_t y = 0, x = 0;
    float frac_y = 0, frac_x = 0;
};

// One axis of it.
struct WholeAndRest {
    double whole = 0;
    float rest = 0;
};
TESSERA_HD WholeAndRest split_position(double position_px, Interpolation interpolation) {
    if (interpolation == Interpolation::nearest) return {::floor(position_px + 0.5), 0.0f};
    const float limit = interpolation == Interpolation::fourier ? 0.5f : 1.0f;
    const double whole = ::floor(position_px + (1.0 - static_cast<double>(limit)));
    const auto rest = static_cast<float>(position_px - whole);
    // A rest just below the limit rounds up to it in single precision: then it belongs to the next pixel.
    if (rest >= limit) return {whole + 1, limit - 1};
    return {whole, rest};
}

struct Placement {
    std::vector<WindowPosition> windows;       // per frame
    std::array<int, 2> object_shape = {0, 0};  // (y, x)
    std::array<int, 2> window_shape = {0, 0};  // object pixels a frame reads: the probe's, + 1 for bilinear
    std::array<double, 2> shift_px = {0, 0};   // whole pixels added to the input positions
    int max_shift_px = 0;  // windows may move so far along each axis, and stay in the object
};

// Shifts positions (frame, 2) by a whole number of pixels so that the bounding box of all windows plus
// `margin_px` and `max_shift_px` on every side fits the object array from (0, 0), so integer positions stay
// integers.
Placement place_windows(const Array<double, 2>& positions_px, std::array<int, 2> probe_shape, int margin_px,
                        Interpolation interpolation, int max_shift_px = 0);

}  // namespace tessera
