#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/array.hpp"
#include "config/run_config.hpp"

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

struct Placement {
    std::vector<WindowPosition> windows;       // per frame
    std::array<int, 2> object_shape = {0, 0};  // (y, x)
    std::array<int, 2> window_shape = {0, 0};  // object pixels a frame reads: the probe's, + 1 for bilinear
    std::array<double, 2> shift_px = {0, 0};   // whole pixels added to the input positions
};

// Shifts positions (frame, 2) by a whole number of pixels so that the bounding box of all windows plus
// `margin_px` on every side fits the object array from (0, 0), so integer positions stay integers.
Placement place_windows(const Array<double, 2>& positions_px, std::array<int, 2> probe_shape, int margin_px,
                        Interpolation interpolation);

}  // namespace tessera
