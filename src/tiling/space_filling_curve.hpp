#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "scan/positions.hpp"

namespace tessera {

// Position along a Hilbert curve of order 16 (Wikipedia's xy2d).
inline std::uint64_t hilbert_index(std::uint32_t x, std::uint32_t y) {
    constexpr std::uint32_t side = 1U << 16;
    std::uint64_t index = 0;
    for (std::uint32_t s = side / 2; s > 0; s /= 2) {
        const std::uint32_t rx = (x & s) > 0 ? 1 : 0;
        const std::uint32_t ry = (y & s) > 0 ? 1 : 0;
        index += static_cast<std::uint64_t>(s) * s * ((3 * rx) ^ ry);
        if (ry == 0) {
            if (rx == 1) {
                x = side - 1 - x;
                y = side - 1 - y;
            }
            std::swap(x, y);
        }
    }
    return index;
}

// Of the centre of a frame's window, on a curve through the whole object: neighbours on it are neighbours in
// the scan.
inline std::uint64_t along_curve(const Placement& placement, std::ptrdiff_t frame) {
    const WindowPosition& window = placement.windows[static_cast<std::size_t>(frame)];
    const double scale = 65535.0 / std::max(placement.object_shape[0], placement.object_shape[1]);
    const auto on_curve = [&](int start, int size) {
        return static_cast<std::uint32_t>((start + size / 2) * scale);
    };
    return hilbert_index(on_curve(window.x, placement.window_shape[1]),
                         on_curve(window.y, placement.window_shape[0]));
}

}  // namespace tessera
