#include "scan/positions.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace tessera {

namespace {

struct Range {
    double least = std::numeric_limits<double>::infinity();
    double largest = -std::numeric_limits<double>::infinity();
};

// Of the whole parts along one axis. An object array of more pixels than this is a mistake in units or pixel
// size.
constexpr double largest_extent_px = 1 << 20;

Range range_of_bases(const Array<double, 2>& positions_px, std::ptrdiff_t axis, Interpolation interpolation) {
    Range range;
    for (std::ptrdiff_t frame = 0; frame < positions_px.extent(0); ++frame) {
        const double position = positions_px(frame, axis);
        if (!std::isfinite(position))
            throw data_error("positions: frame {} has {} along {} (a finite number is needed)", frame,
                             position, axis == 0 ? "y" : "x");
        const double whole = split_position(position, interpolation).whole;
        range.least = std::min(range.least, whole);
        range.largest = std::max(range.largest, whole);
    }
    if (range.largest - range.least > largest_extent_px)
        throw data_error(
            "positions: they span {:.4g} object pixels along {} (at most {:.0f} are allowed; are the unit of "
            "the "
            "positions and the object's pixel size right?)",
            range.largest - range.least, axis == 0 ? "y" : "x", largest_extent_px);
    return range;
}

}  // namespace

Placement place_windows(const Array<double, 2>& positions_px, std::array<int, 2> probe_shape, int margin_px,
                        Interpolation interpolation, int max_shift_px) {
    TESSERA_EXPECT(positions_px.extent(0) > 0 && positions_px.extent(1) == 2);
    TESSERA_EXPECT(probe_shape[0] > 0 && probe_shape[1] > 0 && margin_px >= 0 && max_shift_px >= 0);

    Placement placement;
    placement.max_shift_px = max_shift_px;
    const int around = margin_px + max_shift_px;
    for (std::size_t axis = 0; axis < 2; ++axis) {
        const Range range = range_of_bases(positions_px, static_cast<std::ptrdiff_t>(axis), interpolation);
        const int window = probe_shape[axis] + (interpolation == Interpolation::bilinear ? 1 : 0);
        placement.window_shape[axis] = window;
        placement.shift_px[axis] = around - range.least;
        placement.object_shape[axis] = static_cast<int>(range.largest - range.least) + window + 2 * around;
    }
    placement.windows.reserve(static_cast<std::size_t>(positions_px.extent(0)));
    for (std::ptrdiff_t frame = 0; frame < positions_px.extent(0); ++frame) {
        // The rest is taken before the shift, so that it does not depend on where the other windows are.
        const auto y = split_position(positions_px(frame, 0), interpolation);
        const auto x = split_position(positions_px(frame, 1), interpolation);
        placement.windows.push_back({static_cast<std::int32_t>(y.whole + placement.shift_px[0]),
                                     static_cast<std::int32_t>(x.whole + placement.shift_px[1]), y.rest,
                                     x.rest});
    }
    return placement;
}

}  // namespace tessera
