#include "tiling/halo_moves.hpp"

namespace tessera {
namespace {

// One after the other along an axis: from tile to tile + stride, then back.
class Passes {
  public:
    Passes(const Tiling& tiling, std::vector<HaloMove>& moves) : tiling_(tiling), moves_(moves) {
        const int rows = tiling.grid[0], columns = tiling.grid[1];
        const auto tile = [&](int row, int column) {
            return static_cast<std::size_t>(row * columns + column);
        };
        for (int r = 0; r + 1 < rows; ++r) {
            for (int c = 0; c < columns; ++c) add(tile(r, c), tile(r + 1, c), Landing::added);
        }
        for (int r = rows - 1; r > 0; --r) {
            for (int c = 0; c < columns; ++c) add(tile(r, c), tile(r - 1, c), Landing::in_place_of);
        }
        for (int c = 0; c + 1 < columns; ++c) {
            for (int r = 0; r < rows; ++r) add(tile(r, c), tile(r, c + 1), Landing::added);
        }
        for (int c = columns - 1; c > 0; --c) {
            for (int r = 0; r < rows; ++r) add(tile(r, c), tile(r, c - 1), Landing::in_place_of);
        }
    }

  private:
    void add(std::size_t from, std::size_t to, Landing landing) {
        const Rect rect = intersection(tiling_.tiles[from].extended, tiling_.tiles[to].extended);
        if (!rect.empty()) moves_.push_back({from, to, rect, landing});
    }

    const Tiling& tiling_;
    std::vector<HaloMove>& moves_;
};

}  // namespace

std::vector<HaloMove> halo_moves(const Tiling& tiling, Exchange kind) {
    std::vector<HaloMove> moves;
    if (kind == Exchange::passes) {
        Passes(tiling, moves);
        return moves;
    }
    for (std::size_t to = 0; to < tiling.tiles.size(); ++to) {
        for (const Neighbour& giver : tiling.tiles[to].neighbours) {
            const auto from = static_cast<std::size_t>(giver.tile);
            if (kind == Exchange::neighbours) {
                moves.push_back({from, to, giver.overlap, Landing::added});
                continue;
            }
            const Rect voxels = intersection(tiling.tiles[from].interior, tiling.tiles[to].extended);
            if (!voxels.empty()) moves.push_back({from, to, voxels, Landing::in_place_of});
        }
    }
    return moves;
}

std::vector<std::size_t> halo_bytes_sent(const Tiling& tiling, Exchange kind,
                                         const std::vector<int>& owner_of_tile, int num_ranks,
                                         int num_planes) {
    constexpr std::size_t complex_bytes = 8, alignment = 64;
    std::vector<std::size_t> sent(static_cast<std::size_t>(num_ranks));
    for (const HaloMove& move : halo_moves(tiling, kind)) {
        if (owner_of_tile[move.from] == owner_of_tile[move.to]) continue;
        const std::size_t bytes = static_cast<std::size_t>(move.rect.area() * num_planes) * complex_bytes;
        sent[static_cast<std::size_t>(owner_of_tile[move.from])] +=
            (bytes + alignment - 1) / alignment * alignment;
    }
    return sent;
}

}  // namespace tessera
