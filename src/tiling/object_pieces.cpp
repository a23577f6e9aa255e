#include "tiling/object_pieces.hpp"

#include <algorithm>

namespace tessera {

std::vector<ObjectPiece> object_pieces(const Tiling& tiling, int num_planes) {
    constexpr std::ptrdiff_t most_bytes = std::ptrdiff_t{16} << 20, complex_bytes = 8;
    std::vector<ObjectPiece> pieces;
    for (std::size_t t = 0; t < tiling.tiles.size(); ++t) {
        const Rect& interior = tiling.tiles[t].interior;
        const bool begins_row = t % static_cast<std::size_t>(tiling.grid[1]) == 0;
        if (!begins_row) {
            ObjectPiece& last = pieces.back();
            const Rect together = bounding_box(last.rect, interior);
            if (together.area() * num_planes * complex_bytes <= most_bytes) {
                last.rect = together;
                ++last.num_tiles;
                continue;
            }
        }
        pieces.push_back({interior, t, 1});
    }
    return pieces;
}

PieceMemory piece_memory(const Tiling& tiling, int num_planes, bool are_several_ranks) {
    PieceMemory memory;
    for (const ObjectPiece& piece : object_pieces(tiling, num_planes)) {
        // A rank's own tile is a piece as it is.
        if (are_several_ranks || piece.num_tiles > 1)
            memory.piece = std::max(memory.piece, piece.rect.area() * num_planes);
        if (!are_several_ranks || piece.num_tiles == 1) continue;
        for (std::size_t t = piece.first_tile; t < piece.first_tile + piece.num_tiles; ++t)
            memory.tile = std::max(memory.tile, tiling.tiles[t].interior.area() * num_planes);
    }
    return memory;
}

}  // namespace tessera
