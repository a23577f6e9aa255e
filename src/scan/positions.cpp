#include "scan/positions.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace tessera {

namespace {

struct WholeAndRest {
    double whole = 0;
    float rest = 0;
};

WholeAndRest split(double position_px, Interpolation interpolation) {
    if (interpolation == Interpolation::nearest) return {std::floor(position_px + 0.5), 0.0F};
    const float limit = interpolation == Interpolation::fourier ? 0.5F : 1.0F;
    const double whole = std::floor(position_px + (1.0 - static_cast<double>(limit)));
    const auto rest = static_cast<float>(position_px - whole);
    // A rest just below the limit rounds up to it in single precision: then it belongs to the next pixel.
    if (rest >= limit) return {whole + 1, limit - 1};
    return {whole, rest};
}

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
        const double whole = split(position, interpolation).whole;
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
                        Interpolation interpolation) {
    TESSERA_EXPECT(positions_px.extent(0) > 0 && positions_px.extent(1) == 2);
    TESSERA_EXPECT(probe_shape[0] > 0 && probe_shape[1] > 0 && margin_px >= 0);

    Placement placement;
    for (std::size_t axis = 0; axis < 2; ++axis) {
        const Range range = range_of_bases(positions_px, static_cast<std::ptrdiff_t>(axis), interpolation);
        const int window = probe_shape[axis] + (interpolation == Interpolation::bilinear ? 1 : 0);
        placement.window_shape[axis] = window;
        placement.shift_px[axis] = margin_px - range.least;
        placement.object_shape[axis] = static_cast<int>(range.largest - range.least) + window + 2 * margin_px;
    }
    placement.windows.reserve(static_cast<std::size_t>(positions_px.extent(0)));
    for (std::ptrdiff_t frame = 0; frame < positions_px.extent(0); ++frame) {
        // The rest is taken before the shift, so that it does not depend on where the other windows are.
        const auto y = split(positions_px(frame, 0), interpolation);
        const auto x = split(positions_px(frame, 1), interpolation);
        placement.windows.push_back({static_cast<std::int32_t>(y.whole + placement.shift_px[0]),
                                     static_cast<std::int32_t>(x.whole + placement.shift_px[1]), y.rest,
                                     x.rest});
    }
    return placement;
}

}  // namespace tessera
