#pragma once

#include <cstddef>
#include <cstdint>

#include "codelets/layout.hpp"
#include "math/host_device.hpp"

// How a square field of Size x Size complex numbers lies in the fast memory of a team: the threads of one
// block, or of a cluster of blocks that reach each other's memory. Every number here decides speed only,
// except the transforms' radices and num_teams, which decide rounding.
namespace tessera {

template <std::int32_t Size>
struct OnChipLayout {
    static constexpr std::int32_t size = Size;
    // A transform takes two passes along an axis, of these radices.
    static constexpr std::int32_t outer = Size == 64 ? 8 : 16;
    static constexpr std::int32_t inner = Size / outer;
    // 128 x 128 is what one multiprocessor holds: 132 of 227 KiB.
    static constexpr std::int32_t num_blocks = Size > 128 ? 4 : 1;
    static constexpr std::int32_t rows = Size / num_blocks;  // consecutive ones belong to a block
    // Odd, so that threads beside each other in a column of the field use different memory banks too.
    static constexpr std::int32_t pitch = Size + 1;
    static constexpr std::int32_t num_roots = Size + 1;              // of unity, the first one twice
    static constexpr std::int32_t threads = Size == 64 ? 256 : 512;  // of a block
    static constexpr std::int32_t team_threads = threads * num_blocks;
    static constexpr std::int32_t blocks_per_multiprocessor = Size == 64 ? 3 : 1;
    // As many teams as work on a batch side by side: what 132 multiprocessors take at once. (Clusters of
    // four: the multiprocessors come in groups of 16 or 18.)
    static constexpr std::int32_t num_teams = Size == 64 ? 396 : Size == 128 ? 132 : 32;
    // Each team's frames between two gathers: few, so that what they leave stays in the second-level cache.
    static constexpr std::int32_t frames_per_turn = 2;

    // A block's memory: its rows, the roots of unity, and (`with_plane`) a real number for each of its
    // pixels.
    static constexpr std::size_t bytes(bool with_plane) {
        constexpr std::size_t field = sizeof(cfloat) * rows * pitch, roots = sizeof(cfloat) * num_roots;
        return field + roots + (with_plane ? sizeof(float) * rows * Size : 0);
    }

    // Transforms leave frequencies in the order of their butterflies and take them back from there: this is
    // the frequency at a position, along either axis.
    TESSERA_HD static constexpr std::int32_t frequency_at(std::int32_t position) {
        return position / inner + outer * (position % inner);
    }
    TESSERA_HD static constexpr std::int32_t position_of(std::int32_t frequency) {
        return frequency % outer * inner + frequency / outer;
    }
};

// Whether there are on-chip kernels for such a batch; the others take the staged ones.
inline bool fits_on_chip(const BatchShape& s) {
    const std::int32_t size = s.frame.x;
    const bool is_square = s.frame.y == size && s.probe.y == size && s.probe.x == size;
    return s.num_planes() == 1 && is_square && (size == 64 || size == 128 || size == 256) && !s.near_field &&
           s.interpolation != Interpolation::bilinear && !s.reaches_out && !sees_several_pixels(s);
}

}  // namespace tessera
