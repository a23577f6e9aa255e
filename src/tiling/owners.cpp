#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "tiling/tiling.hpp"

namespace tessera {
namespace {

// A rectangle of tiles for some ranks.
struct Share {
    Rect tiles;
    int first_rank = 0, num_ranks = 1;
};

// A cut of a share in two, and how unequal the work per rank becomes.
struct Cut {
    Share first, second;
    double imbalance = 0;
};

class Assignment {
  public:
    Assignment(const Tiling& tiling, int num_ranks) : tiling_(tiling), owners_(tiling.tiles.size()) {
        assign({{0, 0, tiling.grid[0], tiling.grid[1]}, 0, num_ranks});
    }
    std::vector<int> owners() && { return std::move(owners_); }

  private:
    std::size_t index(int row, int column) const {
        return static_cast<std::size_t>(row) * static_cast<std::size_t>(tiling_.grid[1]) +
               static_cast<std::size_t>(column);
    }

    double work(const Rect& tiles) const {
        double frames = 0;
        for (int row = tiles.y0; row < tiles.y1; ++row) {
            for (int column = tiles.x0; column < tiles.x1; ++column) {
                frames += static_cast<double>(tiling_.tiles[index(row, column)].num_frames());
            }
        }
        return frames;
    }

    // The most even of the cuts that leave every rank at least one tile.
    Cut best_cut(const Share& share) const {
        const double all = std::max(work(share.tiles), 1.0);
        Cut best;
        best.imbalance = -1;
        const auto consider = [&](const Rect& near, const Rect& far) {
            const int most = static_cast<int>(std::min<std::ptrdiff_t>(near.area(), share.num_ranks - 1));
            const int least = std::max(1, share.num_ranks - static_cast<int>(far.area()));
            if (least > most) return;
            const int ideal = static_cast<int>(std::lround(share.num_ranks * work(near) / all));
            const int ranks = std::clamp(ideal, least, most), others = share.num_ranks - ranks;
            const double imbalance =
                std::max(work(near) / ranks, work(far) / others) * share.num_ranks / all +
                0.01 * std::abs(ranks - others) / share.num_ranks;
            if (best.imbalance >= 0 && best.imbalance <= imbalance) return;
            best = {{near, share.first_rank, ranks}, {far, share.first_rank + ranks, others}, imbalance};
        };
        const Rect& r = share.tiles;
        // The longer side is cut unless only the other one can be: compact shares have short borders.
        const bool along_y = r.height() >= r.width();
        for (int attempt = 0; attempt < 2 && best.imbalance < 0; ++attempt) {
            if (along_y == (attempt == 0)) {
                for (int y = r.y0 + 1; y < r.y1; ++y) consider({r.y0, r.x0, y, r.x1}, {y, r.x0, r.y1, r.x1});
            } else {
                for (int x = r.x0 + 1; x < r.x1; ++x) consider({r.y0, r.x0, r.y1, x}, {r.y0, x, r.y1, r.x1});
            }
        }
        TESSERA_EXPECT(best.imbalance >= 0);
        return best;
    }

    void assign(const Share& share) {
        if (share.num_ranks > 1) {
            const Cut cut = best_cut(share);
            assign(cut.first);
            assign(cut.second);
            return;
        }
        for (int row = share.tiles.y0; row < share.tiles.y1; ++row) {
            for (int column = share.tiles.x0; column < share.tiles.x1; ++column) {
                owners_[index(row, column)] = share.first_rank;
            }
        }
    }

    const Tiling& tiling_;
    std::vector<int> owners_;
};

}  // namespace

std::vector<int> assign_owners(const Tiling& tiling, int num_ranks) {
    if (std::ssize(tiling.tiles) < num_ranks) {
        const int rows = static_cast<int>(std::ceil(std::sqrt(num_ranks)));
        throw usage_error(
            "tiling.tiles: {} x {} tiles are too few for {} ranks, each owns at least one (start fewer "
            "ranks, "
            "or set tiling.tiles: [{}, {}], say)",
            tiling.grid[0], tiling.grid[1], num_ranks, rows, (num_ranks + rows - 1) / rows);
    }
    return Assignment(tiling, num_ranks).owners();
}

}  // namespace tessera
