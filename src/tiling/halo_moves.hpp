#pragma once

#include <cstddef>
#include <vector>

#include "config/run_config.hpp"
#include "tiling/tiling.hpp"

namespace tessera {

enum class Landing { added, in_place_of };

// A rectangle of one tile's field that another tile gets.
struct HaloMove {
    std::size_t from = 0, to = 0;
    Rect rect;  // where the two extended tiles overlap (voxels: the giver's interior), in object coordinates
    Landing landing = Landing::added;
};

// The moves of an exchange. neighbours: every overlapping pair, sorted by the tile that gets it, then by the
// one that gives. passes: in the order in which they must happen. voxels: sorted as neighbours; each pixel of
// a halo comes from the one tile in whose interior it lies.
std::vector<HaloMove> halo_moves(const Tiling& tiling, Exchange kind);

// Bytes that tiles of each rank give to tiles of other ranks in one exchange of a field of so many planes,
// each message rounded up to 64.
std::vector<std::size_t> halo_bytes_sent(const Tiling& tiling, Exchange kind,
                                         const std::vector<int>& owner_of_tile, int num_ranks,
                                         int num_planes = 1);

}  // namespace tessera
