#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "tiling/tiling.hpp"

namespace tessera {

// How an object goes into a file without being anywhere as a whole: in pieces that cover it, each the
// interiors of neighbouring tiles of one row. Small tiles go together, since their own rows of pixels are
// short.
struct ObjectPiece {
    Rect rect;
    std::size_t first_tile = 0, num_tiles = 1;
};
// Of at most 16 MiB in all planes, or one tile.
std::vector<ObjectPiece> object_pieces(const Tiling& tiling, int num_planes);

// Pixels of all planes that the first of several ranks (or the only one) needs for it: where a piece is put
// together, and for a tile that came from another rank.
struct PieceMemory {
    std::ptrdiff_t piece = 0, tile = 0;
};
PieceMemory piece_memory(const Tiling& tiling, int num_planes, bool are_several_ranks);

}  // namespace tessera
