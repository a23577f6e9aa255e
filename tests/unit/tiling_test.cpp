// Tiles, their extensions, and the order of frames in batches.
#include "tiling/tiling.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "scan/random.hpp"
#include "tiling/halo_moves.hpp"

namespace tessera {
namespace {

Placement place(const std::vector<std::array<double, 2>>& positions, std::array<int, 2> probe,
                int margin_px = 4, Interpolation interpolation = Interpolation::nearest) {
    Array<double, 2> array({std::ssize(positions), 2});
    for (std::size_t i = 0; i < positions.size(); ++i) {
        array(static_cast<std::ptrdiff_t>(i), 0) = positions[i][0];
        array(static_cast<std::ptrdiff_t>(i), 1) = positions[i][1];
    }
    return place_windows(array, probe, margin_px, interpolation);
}

Placement raster(int rows, int columns, double step, std::array<int, 2> probe) {
    std::vector<std::array<double, 2>> positions;
    for (int y = 0; y < rows; ++y) {
        for (int x = 0; x < columns; ++x) positions.push_back({y * step, x * step});
    }
    return place(positions, probe);
}

Placement spiral(int num_frames) {
    std::vector<std::array<double, 2>> positions;
    for (int i = 0; i < num_frames; ++i) {
        const double angle = 2.399963 * i, radius = 5 * std::sqrt(static_cast<double>(i));
        positions.push_back({radius * std::sin(angle), 1.6 * radius * std::cos(angle)});
    }
    return place(positions, {16, 11}, 3, Interpolation::bilinear);
}

// Two far groups: cells in between have no frames at all.
Placement groups() {
    Random random(3, 0);
    std::vector<std::array<double, 2>> positions;
    for (int i = 0; i < 20; ++i) {
        const double offset = i % 2 == 0 ? 0 : 150;
        positions.push_back({offset + random.uniform(0, 10), offset + random.uniform(0, 20)});
    }
    return place(positions, {12, 12});
}

Rect window_of(const Placement& placement, std::ptrdiff_t frame) {
    const WindowPosition& window = placement.windows[static_cast<std::size_t>(frame)];
    return {window.y, window.x, window.y + placement.window_shape[0], window.x + placement.window_shape[1]};
}

// Calls check(placement, tiling) for scans, grids and batch sizes of every kind.
template <class Check>
void for_each_tiling(const Check& check) {
    const std::pair<const char*, Placement> scans[] = {{"raster", raster(9, 14, 5, {16, 12})},
                                                       {"spiral", spiral(120)},
                                                       {"groups", groups()},
                                                       {"one frame", place({{3.4, -2}}, {8, 5})}};
    for (const auto& [name, placement] : scans) {
        for (const std::array grid : {std::array{1, 1}, {2, 2}, {3, 4}, {1, 5}, {7, 1}}) {
            for (const int batch_size : {1, 3, 1000}) {
                SCOPED_TRACE(testing::Message() << name << ", " << grid[0] << " x " << grid[1]
                                                << " tiles, batches of " << batch_size);
                check(placement, make_tiling(placement, grid, batch_size));
            }
        }
    }
}

TEST(Tiling, InteriorsPartitionTheObject) {
    for_each_tiling([](const Placement& placement, const Tiling& tiling) {
        ASSERT_EQ(std::ssize(tiling.tiles), tiling.grid[0] * tiling.grid[1]);
        Array<int, 2> covered({placement.object_shape[0], placement.object_shape[1]});
        for (const Tile& tile : tiling.tiles) {
            EXPECT_FALSE(tile.interior.empty());
            for (int y = tile.interior.y0; y < tile.interior.y1; ++y) {
                for (int x = tile.interior.x0; x < tile.interior.x1; ++x) ++covered(y, x);
            }
        }
        EXPECT_TRUE(std::all_of(covered.begin(), covered.end(), [](int times) { return times == 1; }));
    });
}

TEST(Tiling, EveryFrameIsInOneBatchOfTheTileThatHoldsItsCentre) {
    for_each_tiling([](const Placement& placement, const Tiling& tiling) {
        std::vector<int> seen(placement.windows.size());
        for (const Tile& tile : tiling.tiles) {
            for (const Batch& batch : tile.batches) {
                for (const std::ptrdiff_t frame : batch.frames) {
                    ++seen[static_cast<std::size_t>(frame)];
                    const Rect window = window_of(placement, frame);
                    const int centre_y = window.y0 + placement.window_shape[0] / 2;
                    const int centre_x = window.x0 + placement.window_shape[1] / 2;
                    EXPECT_TRUE(tile.interior.contains({centre_y, centre_x, centre_y + 1, centre_x + 1}))
                        << frame;
                }
            }
        }
        EXPECT_TRUE(std::all_of(seen.begin(), seen.end(), [](int times) { return times == 1; }));
    });
}

TEST(Tiling, ExtendedTilesHoldTheirInteriorAndTheWindowsOfTheirFrames) {
    for_each_tiling([](const Placement& placement, const Tiling& tiling) {
        const Rect object = {0, 0, placement.object_shape[0], placement.object_shape[1]};
        for (const Tile& tile : tiling.tiles) {
            EXPECT_TRUE(tile.extended.contains(tile.interior));
            EXPECT_TRUE(object.contains(tile.extended));
            for (const Batch& batch : tile.batches) EXPECT_TRUE(tile.extended.contains(batch.window));
        }
    });
}

// Rows of tiles share their row band, columns their column band, and bands do not overtake each other: what
// directional halo passes need.
TEST(Tiling, ExtendedTilesAreProductsOfMonotoneBands) {
    for_each_tiling([](const Placement&, const Tiling& tiling) {
        const auto tile = [&](int row, int column) -> const Tile& {
            return tiling.tiles[static_cast<std::size_t>(row * tiling.grid[1] + column)];
        };
        for (int row = 0; row < tiling.grid[0]; ++row) {
            for (int column = 0; column < tiling.grid[1]; ++column) {
                const Rect& rect = tile(row, column).extended;
                EXPECT_EQ(rect.y0, tile(row, 0).extended.y0);
                EXPECT_EQ(rect.y1, tile(row, 0).extended.y1);
                EXPECT_EQ(rect.x0, tile(0, column).extended.x0);
                EXPECT_EQ(rect.x1, tile(0, column).extended.x1);
                if (row > 0) {
                    EXPECT_LE(tile(row - 1, column).extended.y0, rect.y0);
                    EXPECT_LE(tile(row - 1, column).extended.y1, rect.y1);
                }
                if (column > 0) {
                    EXPECT_LE(tile(row, column - 1).extended.x0, rect.x0);
                    EXPECT_LE(tile(row, column - 1).extended.x1, rect.x1);
                }
            }
        }
    });
}

TEST(Tiling, BatchesAreFullAndHaveTheirFramesBoundingBox) {
    for_each_tiling([](const Placement& placement, const Tiling& tiling) {
        for (const Tile& tile : tiling.tiles) {
            for (std::size_t b = 0; b < tile.batches.size(); ++b) {
                const Batch& batch = tile.batches[b];
                EXPECT_LE(std::ssize(batch.frames), tiling.batch_size);
                EXPECT_GT(std::ssize(batch.frames), 0);
                if (b + 1 < tile.batches.size()) {
                    EXPECT_EQ(std::ssize(batch.frames), tiling.batch_size);
                }
                Rect box;
                for (const std::ptrdiff_t frame : batch.frames)
                    box = bounding_box(box, window_of(placement, frame));
                EXPECT_EQ(box, batch.window);
                EXPECT_GE(tiling.largest_window()[0], box.height());
                EXPECT_GE(tiling.largest_window()[1], box.width());
            }
        }
    });
}

TEST(Tiling, FramesThatReachANeighbourComeFirst) {
    for_each_tiling([](const Placement& placement, const Tiling& tiling) {
        for (const Tile& tile : tiling.tiles) {
            const auto reaches = [&](std::ptrdiff_t frame) {
                return std::any_of(
                    tile.neighbours.begin(), tile.neighbours.end(), [&](const Neighbour& neighbour) {
                        return !intersection(window_of(placement, frame), neighbour.overlap).empty();
                    });
            };
            bool all_reached_before = true;
            for (const Batch& batch : tile.batches) {
                bool any = false;
                for (const std::ptrdiff_t frame : batch.frames) {
                    EXPECT_TRUE(all_reached_before || !reaches(frame)) << frame;
                    all_reached_before = all_reached_before && reaches(frame);
                    any = any || reaches(frame);
                }
                EXPECT_EQ(batch.reaches_neighbour, any);
            }
        }
    });
}

TEST(Tiling, NeighboursAreAllThatOverlapAndMutual) {
    for_each_tiling([](const Placement&, const Tiling& tiling) {
        for (std::size_t t = 0; t < tiling.tiles.size(); ++t) {
            std::vector<Neighbour> expected;
            for (std::size_t u = 0; u < tiling.tiles.size(); ++u) {
                const Rect overlap = intersection(tiling.tiles[t].extended, tiling.tiles[u].extended);
                if (u != t && !overlap.empty()) expected.push_back({static_cast<int>(u), overlap});
            }
            const auto& found = tiling.tiles[t].neighbours;
            ASSERT_EQ(found.size(), expected.size());
            for (std::size_t i = 0; i < found.size(); ++i) {
                EXPECT_EQ(found[i].tile, expected[i].tile);  // ascending
                EXPECT_EQ(found[i].overlap, expected[i].overlap);
            }
        }
    });
}

// ---- A halo narrower than half a window

// Calls check(placement, halo, tiling of whole windows, tiling).
template <class Check>
void for_each_narrow_halo(const Check& check) {
    for_each_tiling([&](const Placement& placement, const Tiling& whole) {
        for (const HaloWidth halo : {HaloWidth{1, 1}, {3, 2}, {6, 5}, {7, 0}}) {
            SCOPED_TRACE(testing::Message() << "halo " << halo[0] << " x " << halo[1]);
            check(placement, halo, whole,
                  make_tiling(placement, whole.grid, whole.batch_size, Exchange::neighbours, halo));
        }
    });
}

TEST(TilingWithANarrowHalo, KeepsSoManyPixelsAroundCentresAndNoMore) {
    for_each_narrow_halo(
        [](const Placement& placement, HaloWidth halo, const Tiling& whole, const Tiling& narrow) {
            for (std::size_t t = 0; t < narrow.tiles.size(); ++t) {
                const Tile& tile = narrow.tiles[t];
                EXPECT_EQ(tile.interior, whole.tiles[t].interior);
                EXPECT_TRUE(tile.extended.contains(tile.interior));
                EXPECT_TRUE(whole.tiles[t].extended.contains(tile.extended));
                for (const Batch& batch : tile.batches) {
                    Rect box;
                    for (const std::ptrdiff_t frame : batch.frames) {
                        const Rect window = window_of(placement, frame);
                        const int y = window.y0 + placement.window_shape[0] / 2,
                                  x = window.x0 + placement.window_shape[1] / 2;
                        const Rect kept = {y - halo[0], x - halo[1], y + halo[0] + 1, x + halo[1] + 1};
                        EXPECT_TRUE(tile.extended.contains(intersection(window, kept))) << frame;
                        box = bounding_box(box, intersection(window, tile.extended));
                    }
                    EXPECT_EQ(batch.window, box);
                }
                // No centre of the tile's own lies beyond its interior, and a band holds those of its tiles
                // alone.
                EXPECT_GE(tile.extended.y0, tile.interior.y0 - halo[0]);
                EXPECT_GE(tile.extended.x0, tile.interior.x0 - halo[1]);
                EXPECT_LE(tile.extended.y1, tile.interior.y1 + halo[0]);
                EXPECT_LE(tile.extended.x1, tile.interior.x1 + halo[1]);
            }
        });
}

TEST(TilingWithANarrowHalo, StaysAProductOfMonotoneBands) {
    for_each_narrow_halo([](const Placement&, HaloWidth, const Tiling&, const Tiling& tiling) {
        const auto columns = static_cast<std::size_t>(tiling.grid[1]);
        for (std::size_t t = 0; t < tiling.tiles.size(); ++t) {
            const Rect& rect = tiling.tiles[t].extended;
            const Rect &first_in_row = tiling.tiles[t - t % columns].extended,
                       &first_in_column = tiling.tiles[t % columns].extended;
            EXPECT_EQ(std::pair(rect.y0, rect.y1), std::pair(first_in_row.y0, first_in_row.y1));
            EXPECT_EQ(std::pair(rect.x0, rect.x1), std::pair(first_in_column.x0, first_in_column.x1));
            if (t < columns) continue;
            EXPECT_LE(tiling.tiles[t - columns].extended.y0, rect.y0);
            EXPECT_LE(tiling.tiles[t - columns].extended.y1, rect.y1);
        }
    });
}

TEST(TilingWithANarrowHalo, OfHalfAWindowOrMoreIsThatOfWholeWindows) {
    for_each_tiling([](const Placement& placement, const Tiling& whole) {
        for (const Exchange exchange : {Exchange::neighbours, Exchange::voxels}) {
            const Tiling expected = make_tiling(placement, whole.grid, whole.batch_size, exchange);
            const HaloWidth half = {placement.window_shape[0] / 2, placement.window_shape[1] / 2};
            const Tiling found = make_tiling(placement, whole.grid, whole.batch_size, exchange, half);
            for (std::size_t t = 0; t < found.tiles.size(); ++t) {
                EXPECT_EQ(found.tiles[t].extended, expected.tiles[t].extended);
                ASSERT_EQ(found.tiles[t].batches.size(), expected.tiles[t].batches.size());
                for (std::size_t b = 0; b < found.tiles[t].batches.size(); ++b) {
                    EXPECT_EQ(found.tiles[t].batches[b].frames, expected.tiles[t].batches[b].frames);
                    EXPECT_EQ(found.tiles[t].batches[b].window, expected.tiles[t].batches[b].window);
                }
            }
        }
    });
}

TEST(TilingWithANarrowHalo, OfVoxelsHasTheFramesWhoseKeptPartReachesIn) {
    const Placement placement = raster(9, 14, 5, {16, 12});
    const Tiling whole = make_tiling(placement, {3, 4}, 4, Exchange::voxels),
                 narrow = make_tiling(placement, {3, 4}, 4, Exchange::voxels, {4, 3});
    EXPECT_LT(narrow.num_frames(), whole.num_frames());
    for (const Tile& tile : narrow.tiles) {
        std::ptrdiff_t expected = 0;
        for (std::ptrdiff_t frame = 0; frame < std::ssize(placement.windows); ++frame) {
            const Rect window = window_of(placement, frame);
            const Rect kept = {window.y0 + 8 - 4, window.x0 + 6 - 3, window.y0 + 8 + 5, window.x0 + 6 + 4};
            expected += intersection(kept, tile.interior).empty() ? 0 : 1;
        }
        EXPECT_EQ(tile.num_frames(), expected);
    }
}

TEST(TilingWithANarrowHalo, LeavesRoomForMoreAutomaticTiles) {
    const Placement placement = raster(40, 40, 4, {128, 128});
    const auto whole = automatic_grid(placement), narrow = automatic_grid(placement, DeviceKind::cpu, {8, 8});
    EXPECT_GT(narrow[0] * narrow[1], whole[0] * whole[1]);
}

// Operations on neighbours need so many pixels beyond the interior, where the object has them.
TEST(TilingThatReaches, HasThePixelsAroundItsInteriors) {
    const Placement placement = raster(9, 14, 5, {16, 12});
    const Rect object = {0, 0, placement.object_shape[0], placement.object_shape[1]};
    for (const Exchange exchange : {Exchange::neighbours, Exchange::voxels}) {
        for (const int reach : {0, 1, 11}) {
            const Tiling tiling = make_tiling(placement, {4, 3}, 4, exchange, {1, 1}, {}, reach);
            int num_narrower = 0;
            for (const Tile& tile : tiling.tiles) {
                const Rect reached = intersection({tile.interior.y0 - reach, tile.interior.x0 - reach,
                                                   tile.interior.y1 + reach, tile.interior.x1 + reach},
                                                  object);
                EXPECT_TRUE(tile.extended.contains(reached));
                EXPECT_TRUE(object.contains(tile.extended));
                const Rect more =
                    intersection({reached.y0 - 3, reached.x0 - 3, reached.y1 + 3, reached.x1 + 3}, object);
                num_narrower += tile.extended.contains(more) ? 0 : 1;
            }
            EXPECT_GT(num_narrower, 0) << reach;
        }
    }
    EXPECT_EQ(make_tiling(placement, {4, 3}, 4, Exchange::neighbours, whole_window, {}, 1).tiles[5].extended,
              make_tiling(placement, {4, 3}, 4).tiles[5].extended);
}

// ---- Exchange::voxels

template <class Check>
void for_each_tiling_of_voxels(const Check& check) {
    for_each_tiling([&](const Placement& placement, const Tiling& sums) {
        check(placement, sums, make_tiling(placement, sums.grid, sums.batch_size, Exchange::voxels));
    });
    // Windows of several tiles.
    const Placement placement = raster(10, 12, 3, {24, 31});
    for (const std::array grid : {std::array{5, 6}, {10, 12}}) {
        SCOPED_TRACE(testing::Message() << "small tiles, " << grid[0] << " x " << grid[1]);
        check(placement, make_tiling(placement, grid, 4), make_tiling(placement, grid, 4, Exchange::voxels));
    }
}

// Own frames, in the batches of all frames; those of other tiles behind them.
TEST(TilingOfVoxels, OwnsEveryFrameOnceByTheSameTileAsSumsDo) {
    for_each_tiling_of_voxels([](const Placement&, const Tiling& sums, const Tiling& voxels) {
        ASSERT_EQ(voxels.tiles.size(), sums.tiles.size());
        for (std::size_t t = 0; t < voxels.tiles.size(); ++t) {
            EXPECT_EQ(voxels.tiles[t].interior, sums.tiles[t].interior);
            std::vector<std::ptrdiff_t> own, expected;
            bool only_own_before = true;
            for (const Batch& batch : voxels.tiles[t].batches) {
                EXPECT_TRUE(only_own_before || !batch.is_own);
                EXPECT_FALSE(batch.reaches_neighbour);
                EXPECT_LE(std::ssize(batch.frames), voxels.batch_size);
                only_own_before = batch.is_own;
                if (batch.is_own) own.insert(own.end(), batch.frames.begin(), batch.frames.end());
            }
            for (const Batch& batch : sums.tiles[t].batches) {
                EXPECT_TRUE(batch.is_own);
                expected.insert(expected.end(), batch.frames.begin(), batch.frames.end());
            }
            std::sort(own.begin(), own.end());
            std::sort(expected.begin(), expected.end());
            EXPECT_EQ(own, expected);
        }
    });
}

TEST(TilingOfVoxels, HasEveryFrameThatReachesAnInteriorAndNoOther) {
    for_each_tiling_of_voxels([](const Placement& placement, const Tiling&, const Tiling& voxels) {
        for (const Tile& tile : voxels.tiles) {
            std::vector<std::ptrdiff_t> held, expected;
            Rect needed = tile.interior;
            for (const Batch& batch : tile.batches) {
                held.insert(held.end(), batch.frames.begin(), batch.frames.end());
                needed = bounding_box(needed, batch.window);
            }
            for (std::ptrdiff_t frame = 0; frame < std::ssize(placement.windows); ++frame) {
                if (!intersection(window_of(placement, frame), tile.interior).empty())
                    expected.push_back(frame);
            }
            std::sort(held.begin(), held.end());
            EXPECT_EQ(held, expected);
            EXPECT_EQ(tile.extended, needed);
        }
    });
}

// Each pixel of each halo, once, from the tile in whose interior it lies.
TEST(TilingOfVoxels, MovesFillTheHalos) {
    for_each_tiling_of_voxels([](const Placement&, const Tiling&, const Tiling& voxels) {
        std::vector<std::ptrdiff_t> filled(voxels.tiles.size());
        for (const HaloMove& move : halo_moves(voxels, Exchange::voxels)) {
            EXPECT_EQ(move.landing, Landing::in_place_of);
            EXPECT_FALSE(move.rect.empty());
            EXPECT_TRUE(voxels.tiles[move.from].interior.contains(move.rect));
            EXPECT_TRUE(voxels.tiles[move.to].extended.contains(move.rect));
            EXPECT_TRUE(intersection(voxels.tiles[move.to].interior, move.rect).empty());
            filled[move.to] += move.rect.area();  // interiors do not overlap
        }
        for (std::size_t t = 0; t < voxels.tiles.size(); ++t)
            EXPECT_EQ(filled[t], voxels.tiles[t].extended.area() - voxels.tiles[t].interior.area());
    });
}

TEST(TilingOfVoxels, ComputesMoreFramesTheSmallerTheTiles) {
    const Placement placement = raster(12, 16, 6, {20, 20});
    std::ptrdiff_t before = 0;
    for (const std::array grid : {std::array{1, 1}, {2, 2}, {4, 4}, {6, 8}}) {
        const std::ptrdiff_t frames = make_tiling(placement, grid, 8, Exchange::voxels).num_frames();
        EXPECT_GT(frames, before);
        if (grid[0] == 1) {
            EXPECT_EQ(frames, 12 * 16);
        }
        before = frames;
    }
}

TEST(Tiling, SumsAreOverItsTiles) {
    const Placement placement = spiral(120);
    const Tiling tiling = make_tiling(placement, {3, 4}, 8);
    std::ptrdiff_t frames = 0, area = 0;
    for (const Tile& tile : tiling.tiles) {
        frames += tile.num_frames();
        area += tile.extended.area();
    }
    EXPECT_EQ(frames, 120);
    EXPECT_EQ(area, tiling.extended_area());
    EXPECT_GT(area, static_cast<std::ptrdiff_t>(placement.object_shape[0]) * placement.object_shape[1]);
    EXPECT_EQ(make_tiling(placement, {1, 1}, 8).extended_area(),
              static_cast<std::ptrdiff_t>(placement.object_shape[0]) * placement.object_shape[1]);
}

TEST(Tiling, BalancesTheFramesOfARaster) {
    const Tiling tiling = make_tiling(raster(12, 16, 6, {20, 20}), {3, 4}, 8);
    for (const Tile& tile : tiling.tiles) EXPECT_EQ(tile.num_frames(), 16);
    const Tiling quarters = make_tiling(spiral(400), {2, 2}, 8);
    for (const Tile& tile : quarters.tiles) {
        EXPECT_GE(tile.num_frames(), 85);
        EXPECT_LE(tile.num_frames(), 115);
    }
}

TEST(Tiling, IsTheSameEveryTime) {
    const Placement placement = spiral(60);
    const Tiling first = make_tiling(placement, {2, 3}, 5), second = make_tiling(placement, {2, 3}, 5);
    for (std::size_t t = 0; t < first.tiles.size(); ++t) {
        ASSERT_EQ(first.tiles[t].batches.size(), second.tiles[t].batches.size());
        for (std::size_t b = 0; b < first.tiles[t].batches.size(); ++b) {
            EXPECT_EQ(first.tiles[t].batches[b].frames, second.tiles[t].batches[b].frames);
        }
    }
}

// Sixteen frames in a row of the scan would span 16 steps; along the curve they fill squares of 4 x 4.
TEST(Tiling, BatchesAreCompact) {
    const int step = 6, probe = 10;
    const Tiling tiling = make_tiling(raster(16, 16, step, {probe, probe}), {1, 1}, 16);
    const std::ptrdiff_t square = (3 * step + probe) * (3 * step + probe);
    std::ptrdiff_t sum = 0;
    for (const Batch& batch : tiling.tiles[0].batches) sum += batch.window.area();
    EXPECT_LT(static_cast<double>(sum) / 16, 1.6 * static_cast<double>(square));
}

TEST(Tiling, RefusesMoreCellsThanPixels) {
    const Placement placement = place({{0, 0}}, {4, 6}, 0);
    EXPECT_EQ(make_tiling(placement, {4, 6}, 1).tiles.size(), 24U);
    for (const std::array grid : {std::array{5, 1}, {1, 7}}) {
        try {
            make_tiling(placement, grid, 1);
            ADD_FAILURE() << "not refused";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ExitCode::usage);
            EXPECT_NE(std::string(error.what()).find("tiling.tiles"), std::string::npos) << error.what();
            EXPECT_NE(std::string(error.what()).find("4 x 6"), std::string::npos) << error.what();
        }
    }
}

// ---- Automatic choices

TEST(AutomaticBatchSize, IsAFewMillisecondsOfWork) {
    EXPECT_GE(automatic_batch_size({128, 128}, 1, 10000), 30);
    EXPECT_LE(automatic_batch_size({128, 128}, 1, 10000), 60);
    EXPECT_GT(automatic_batch_size({64, 64}, 1, 10000), automatic_batch_size({128, 128}, 1, 10000));
    EXPECT_LT(automatic_batch_size({128, 128}, 3, 10000), automatic_batch_size({128, 128}, 1, 10000));
}

TEST(AutomaticBatchSize, LeavesThirtyTwoTasksOrElseSixteenShorterOnes) {
    EXPECT_EQ(automatic_batch_size({128, 128}, 1, 640), 20);
    EXPECT_EQ(automatic_batch_size({128, 128}, 1, 320), 10);  // twenty would be three milliseconds
    EXPECT_EQ(automatic_batch_size({64, 64}, 1, 160), 10);    // of a third of a millisecond
}

TEST(AutomaticBatchSize, StaysInItsLimits) {
    EXPECT_EQ(automatic_batch_size({2048, 2048}, 8, 10000), 1);
    EXPECT_EQ(automatic_batch_size({1, 1}, 1, 1000000), 256);
    EXPECT_EQ(automatic_batch_size({64, 64}, 1, 1), 1);
}

TEST(AutomaticBatchSize, OfAGpuFillsIt) {
    EXPECT_EQ(automatic_batch_size({128, 128}, 1, 100000, DeviceKind::gpu), 256);
    EXPECT_EQ(automatic_batch_size({256, 256}, 2, 100000, DeviceKind::gpu), 32);
    EXPECT_EQ(automatic_batch_size({128, 128}, 1, 1600, DeviceKind::gpu), 100);
    EXPECT_EQ(automatic_batch_size({1, 1}, 1, 1000000, DeviceKind::gpu), 4096);
}

TEST(AutomaticGrid, IsOneTileForAFewFrames) {
    EXPECT_EQ(automatic_grid(raster(10, 10, 8, {64, 64})), (std::array{1, 1}));
    EXPECT_EQ(automatic_grid(place({{0, 0}}, {8, 8})), (std::array{1, 1}));
}

TEST(AutomaticGrid, DividesALargeScanWithoutMuchOverlap) {
    const Placement placement = raster(40, 60, 12, {32, 32});
    const std::array<int, 2> grid = automatic_grid(placement);
    EXPECT_GT(grid[0] * grid[1], 4);
    EXPECT_LE(grid[0] * grid[1], 40 * 60 / 64);
    const double object = static_cast<double>(placement.object_shape[0]) * placement.object_shape[1];
    EXPECT_LT(static_cast<double>(make_tiling(placement, grid, 8).extended_area()), 1.5 * object);
}

}  // namespace
}  // namespace tessera
