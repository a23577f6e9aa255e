// How frames are dealt into mini-batches.
#include "tiling/minibatches.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "tiling/tiling.hpp"

namespace tessera {
namespace {

Placement raster(int rows, int columns) {
    Array<double, 2> positions({rows * columns, 2});
    for (int i = 0; i < rows * columns; ++i) {
        positions(i, 0) = 5.0 * (i / columns);
        positions(i, 1) = 5.0 * (i % columns);
    }
    return place_windows(positions, {16, 16}, 4, Interpolation::nearest);
}

constexpr BatchingMode modes[] = {BatchingMode::random, BatchingMode::compact, BatchingMode::uniform};

TEST(Minibatches, HaveEveryFrameOnceAndAboutTheSameSize) {
    const Placement placement = raster(13, 17);
    for (const BatchingMode mode : modes) {
        for (const int size : {1, 16, 50, 221, 1000}) {
            SCOPED_TRACE(testing::Message() << static_cast<int>(mode) << ", " << size);
            const Minibatches dealt = deal_minibatches(placement, {mode, size, 4, 0});
            EXPECT_EQ(dealt.of_frame.size(), 221U);
            std::ptrdiff_t all = 0, least = 221, most = 0;
            for (int m = 0; m < dealt.count; ++m) {
                all += dealt.size(m);
                least = std::min(least, dealt.size(m));
                most = std::max(most, dealt.size(m));
            }
            EXPECT_EQ(all, 221);
            EXPECT_GT(least, 0);
            EXPECT_LE(most - least, mode == BatchingMode::compact ? 4 : 1);
            if (mode != BatchingMode::compact) {
                EXPECT_LE(most, size);
            }
        }
    }
}

// The mean distance from each frame to the nearest other of its mini-batch.
double mean_nearest_distance(const Placement& placement, const Minibatches& dealt) {
    double sum = 0;
    for (std::size_t i = 0; i < placement.windows.size(); ++i) {
        double nearest = 1e9;
        for (std::size_t j = 0; j < placement.windows.size(); ++j) {
            if (i == j || dealt.of_frame[i] != dealt.of_frame[j]) continue;
            nearest = std::min(nearest, std::hypot(placement.windows[i].y - placement.windows[j].y,
                                                   placement.windows[i].x - placement.windows[j].x));
        }
        sum += nearest;
    }
    return sum / static_cast<double>(placement.windows.size());
}

TEST(Minibatches, AreSpreadOrClusteredAsAskedFor) {
    const Placement placement = raster(24, 24);
    const auto distance = [&](BatchingMode mode) {
        return mean_nearest_distance(placement, deal_minibatches(placement, {mode, 36, 6, 0}));
    };
    EXPECT_NEAR(distance(BatchingMode::compact), 5, 0.2);  // neighbours on the raster
    EXPECT_GT(distance(BatchingMode::random), 8);
    EXPECT_GT(distance(BatchingMode::uniform), 1.2 * distance(BatchingMode::random));
}

TEST(Minibatches, OfTheSameSeedAreTheSame) {
    const Placement placement = raster(10, 10);
    const auto deal = [&](std::uint64_t seed) {
        return deal_minibatches(placement, {BatchingMode::random, 10, 1, seed}).of_frame;
    };
    EXPECT_EQ(deal(3), deal(3));
    EXPECT_NE(deal(3), deal(4));
    EXPECT_EQ(minibatch_order(20, 3, 7), minibatch_order(20, 3, 7));
    EXPECT_NE(minibatch_order(20, 3, 7), minibatch_order(20, 3, 8));
    EXPECT_NE(minibatch_order(20, 3, 7), minibatch_order(20, 4, 7));
    std::vector<int> order = minibatch_order(20, 3, 7), sorted(20);
    std::sort(order.begin(), order.end());
    std::iota(sorted.begin(), sorted.end(), 0);
    EXPECT_EQ(order, sorted);
}

// Task batches never mix mini-batches, and every tile has frames in each where it has enough.
TEST(Minibatches, AreCutIntoBatchesOfTiles) {
    const Placement placement = raster(24, 24);
    const Minibatches dealt = deal_minibatches(placement, {BatchingMode::uniform, 48, 1, 0});
    for (const Exchange exchange : {Exchange::neighbours, Exchange::voxels}) {
        const Tiling tiling = make_tiling(placement, {2, 2}, 5, exchange, whole_window, dealt);
        for (const Tile& tile : tiling.tiles) {
            std::set<int> own;
            for (const Batch& batch : tile.batches) {
                EXPECT_LE(batch.frames.size(), 5U);
                for (const std::ptrdiff_t frame : batch.frames) EXPECT_EQ(dealt.of(frame), batch.minibatch);
                if (batch.is_own) own.insert(batch.minibatch);
            }
            EXPECT_EQ(std::ssize(own), dealt.count);
        }
    }
}

}  // namespace
}  // namespace tessera
