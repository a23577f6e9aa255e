// The memory forecast: what makes it grow, and by how much.
#include "tiling/forecast.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tiling/object_pieces.hpp"

namespace tessera {
namespace {

Placement raster(int rows, int columns) {
    Array<double, 2> positions({rows * columns, 2});
    for (int i = 0; i < rows * columns; ++i) {
        positions(i, 0) = 10.0 * (i / columns);
        positions(i, 1) = 10.0 * (i % columns);
    }
    return place_windows(positions, {64, 48}, 8, Interpolation::fourier);
}

ForecastInput input() {
    ForecastInput in;
    in.frame_shape = {64, 48};
    in.probe_shape = {64, 48};
    in.num_modes = 2;
    in.machine.num_cpus = 4;
    return in;
}

constexpr std::size_t frame_pixels = 64 * 48;

std::size_t total(const ForecastInput& in, const Tiling& tiling) {
    return forecast_memory(in, tiling).total_bytes();
}

std::size_t term(const MemoryForecast& forecast, const std::string& what) {
    for (const MemoryTerm& candidate : forecast.terms) {
        if (candidate.what.find(what) != std::string::npos) return candidate.bytes;
    }
    ADD_FAILURE() << "no term for " << what;
    return 0;
}

TEST(Forecast, IsTheSumOfItsTerms) {
    const MemoryForecast forecast = forecast_memory(input(), make_tiling(raster(10, 12), {2, 2}, 8));
    std::size_t sum = 0;
    for (const MemoryTerm& part : forecast.terms) {
        EXPECT_FALSE(part.what.empty());
        sum += part.bytes;
    }
    EXPECT_EQ(forecast.total_bytes(), sum);
    EXPECT_EQ(MemoryForecast{}.total_bytes(), 0U);
}

TEST(Forecast, HoldsThePatternsAsTheyAreStored) {
    const Tiling tiling = make_tiling(raster(10, 12), {1, 1}, 8);
    ForecastInput in = input();
    for (const auto& [type, bytes] : {std::pair{PatternType::u8, 1U},
                                      {PatternType::u16, 2U},
                                      {PatternType::i32, 4U},
                                      {PatternType::f32, 4U}}) {
        in.pattern_type = type;
        EXPECT_EQ(term(forecast_memory(in, tiling), "patterns"), 120 * frame_pixels * bytes);
    }
}

TEST(Forecast, OfKeptWavesIsThreeFieldsAFrame) {
    const Tiling tiling = make_tiling(raster(10, 12), {1, 1}, 8);
    ForecastInput in = input();
    in.keep_waves = true;
    EXPECT_EQ(term(forecast_memory(in, tiling), "kept"), 3 * 120 * frame_pixels * 2 * 8);
    EXPECT_GT(total(in, tiling), total(input(), tiling) + 3 * 100 * frame_pixels * 2 * 8);
}

TEST(Forecast, OfARefinedBackgroundIsOfTheDetectorsPixels) {
    const Tiling tiling = make_tiling(raster(10, 12), {1, 1}, 8);
    ForecastInput in = input();
    in.refines_background = true;
    // Of the detector, noted, of results, on the way to the file.
    EXPECT_EQ(term(forecast_memory(in, tiling), "background"), 4 * frame_pixels * 4);
    in.checkpoints = true;
    EXPECT_EQ(term(forecast_memory(in, tiling), "background"), 5 * frame_pixels * 4);
    in.upsampling = 2;
    EXPECT_EQ(term(forecast_memory(in, tiling), "background"), 5 * frame_pixels / 4 * 4);
    EXPECT_EQ(term(forecast_memory(in, tiling), "patterns"), 120 * frame_pixels / 4 * 2);
    // Two numbers a pixel, where they are more than the modes of a small probe.
    in.upsampling = 1;
    in.probe_shape = {16, 16};
    const std::size_t refined = term(forecast_memory(in, tiling), "batch windows");
    in.refines_background = false;
    EXPECT_GT(refined, term(forecast_memory(in, tiling), "batch windows"));
}

TEST(Forecast, FollowsANarrowHalo) {
    const Placement placement = raster(10, 12);
    const Tiling whole = make_tiling(placement, {3, 3}, 8),
                 narrow = make_tiling(placement, {3, 3}, 8, Exchange::neighbours, {6, 6});
    ForecastInput in = input();
    in.num_slices = 4;
    const std::size_t of_whole = total(in, whole);
    in.is_truncated = true;
    EXPECT_LT(total(in, narrow), of_whole);
    const auto object = [&](const Tiling& tiling) {
        return term(forecast_memory(in, tiling), "value, direction");
    };
    EXPECT_EQ(object(narrow), static_cast<std::size_t>(narrow.extended_area()) * 4 * 2 * 8);
    EXPECT_LT(object(narrow), object(whole));
    EXPECT_LT(term(forecast_memory(in, narrow), "strips"), term(forecast_memory(in, whole), "strips"));
    // Of each worker: a slice of object and direction with what is around the tile, and of the gradient.
    const std::size_t scratch = term(forecast_memory(in, narrow), "scratch");
    in.is_truncated = false;
    EXPECT_EQ(scratch - term(forecast_memory(in, narrow), "scratch"), 4 * 3 * frame_pixels * 8);
}

TEST(Forecast, OfManySlicesSharesWhatIsEqual) {
    const Tiling tiling = make_tiling(raster(10, 12), {2, 2}, 8);
    ForecastInput in = input();
    in.num_slices = 20;
    in.num_slice_transfers = 19;
    const auto transfers = [&] { return term(forecast_memory(in, tiling), "transfer functions between"); };
    EXPECT_EQ(transfers(), 19 * frame_pixels * 8);
    in.num_slice_transfers = 1;
    EXPECT_EQ(transfers(), frame_pixels * 8);
    // Of each worker: the wave that meets each further slice; of the moved object and what is between pixels
    // one slice, however many there are.
    const auto scratch = [&] { return term(forecast_memory(in, tiling), "scratch"); };
    const std::size_t of_20 = scratch();
    in.num_slices = 21;
    EXPECT_EQ(scratch() - of_20, 4 * in.num_modes * frame_pixels * 8);
}

TEST(Forecast, OfExitWavesIsOneFieldAFrameAndTwoPlanesATile) {
    const Tiling tiling = make_tiling(raster(10, 12), {2, 2}, 8);
    ForecastInput in = input();
    in.exit_waves = true;
    const MemoryForecast forecast = forecast_memory(in, tiling);
    EXPECT_EQ(term(forecast, "exit waves"), 120 * frame_pixels * 2 * 8);
    EXPECT_EQ(term(forecast, "three gradients"),
              static_cast<std::size_t>(tiling.extended_area()) * (3 * 16 + 4));
    EXPECT_EQ(term(forecast, "strips"), 3 * term(forecast_memory(input(), tiling), "strips"));
    in.keep_waves = true;  // of another engine: one memory for both
    EXPECT_EQ(term(forecast_memory(in, tiling), "kept far fields"), 3 * 120 * frame_pixels * 2 * 8);
}

TEST(Forecast, FollowsTheExtendedTiles) {
    const Placement placement = raster(10, 12);
    const Tiling whole = make_tiling(placement, {1, 1}, 8), tiled = make_tiling(placement, {3, 3}, 8);
    const auto object = [](const Tiling& tiling) {
        return term(forecast_memory(input(), tiling), "value, direction");
    };
    EXPECT_EQ(object(whole), static_cast<std::size_t>(whole.extended_area()) * 2 * 8);
    EXPECT_EQ(object(tiled), static_cast<std::size_t>(tiled.extended_area()) * 2 * 8);
    EXPECT_EQ(term(forecast_memory(input(), whole), "strips"), 0U);
    EXPECT_GT(term(forecast_memory(input(), tiled), "strips"), 0U);
}

TEST(Forecast, OfVoxelsCountsThePatternsOfOtherTilesAndOneGradientLess) {
    const Placement placement = raster(10, 12);
    const Tiling sums = make_tiling(placement, {2, 3}, 8);
    const Tiling voxels = make_tiling(placement, {2, 3}, 8, Exchange::voxels);
    ForecastInput in = input();
    const std::size_t without = term(forecast_memory(in, sums), "patterns");
    in.exchange = Exchange::voxels;
    const MemoryForecast forecast = forecast_memory(in, voxels);
    EXPECT_GT(voxels.num_frames(), 120);
    EXPECT_EQ(term(forecast, "patterns"), without / 120 * static_cast<std::size_t>(voxels.num_frames()));
    EXPECT_EQ(term(forecast, "two gradients"),
              static_cast<std::size_t>(voxels.extended_area()) * (2 * 8 + 4));
    // Every pixel of a halo comes from one other tile.
    const std::ptrdiff_t object = make_tiling(placement, {1, 1}, 8).extended_area();
    EXPECT_EQ(term(forecast, "strips"), static_cast<std::size_t>(voxels.extended_area() - object) * 8);
    in.owner_of_tile = {0, 0, 1, 1, 2, 2};
    std::ptrdiff_t frames = 0;
    for (const std::size_t t : {2U, 3U}) frames += voxels.tiles[t].num_frames();
    in.rank = 1;
    EXPECT_EQ(term(forecast_memory(in, voxels), "patterns"),
              without / 120 * static_cast<std::size_t>(frames));
}

// One piece of the file and one tile of another rank, and pictures of bounded size: the first rank's memory
// follows its tiles as that of the others does.
TEST(Forecast, OfTheFirstRankFollowsItsTilesToo) {
    const Tiling tiling = make_tiling(raster(120, 120), {12, 12}, 8);
    ForecastInput in = input();
    in.num_slices = 20;
    for (int t = 0; t < 144; ++t) in.owner_of_tile.push_back(t);
    const std::size_t object = static_cast<std::size_t>(tiling.object_shape[0]) *
                               static_cast<std::size_t>(tiling.object_shape[1]) * 20 * 8;
    const auto of_rank = [&](int rank) {
        in.rank = rank;
        return total(in, tiling);
    };
    const std::size_t more = of_rank(0) - std::min(of_rank(0), of_rank(143));
    EXPECT_GT(object, std::size_t{200} << 20);
    EXPECT_LT(more, std::size_t{24} << 20);
    in.rank = 0;
    const PieceMemory pixels = piece_memory(tiling, 20, true);
    EXPECT_LE(pixels.piece * 8, std::ptrdiff_t{16} << 20);
    EXPECT_EQ(term(forecast_memory(in, tiling), "pieces"),
              static_cast<std::size_t>(pixels.piece + pixels.tile) * 8);
    // All slices in five columns, one pixel for 2 x 2.
    in.pictures = true;
    EXPECT_NEAR(static_cast<double>(term(forecast_memory(in, tiling), "pictures")),
                static_cast<double>(object / 8 / 4 * 11), 0.01 * static_cast<double>(object));
}

TEST(ObjectPieces, CoverTheObjectOnce) {
    for (const auto& grid : {std::array{1, 1}, {3, 5}, {12, 1}}) {
        const Tiling tiling = make_tiling(raster(120, 120), grid, 8);
        for (const int num_slices : {1, 20, 300}) {
            Array<int, 2> times({tiling.object_shape[0], tiling.object_shape[1]});
            std::size_t next = 0;
            for (const ObjectPiece& piece : object_pieces(tiling, num_slices)) {
                EXPECT_EQ(piece.first_tile, next);
                next += piece.num_tiles;
                const std::ptrdiff_t bytes = piece.rect.area() * num_slices * 8;
                EXPECT_TRUE(piece.num_tiles == 1 || bytes <= std::ptrdiff_t{16} << 20) << bytes;
                for (int y = piece.rect.y0; y < piece.rect.y1; ++y)
                    for (int x = piece.rect.x0; x < piece.rect.x1; ++x) ++times(y, x);
            }
            EXPECT_EQ(next, tiling.tiles.size());
            EXPECT_TRUE(std::ranges::all_of(times, [](int n) { return n == 1; }));
        }
    }
    // Short rows of pixels go together.
    EXPECT_EQ(object_pieces(make_tiling(raster(10, 12), {3, 3}, 8), 1).size(), 3U);
}

TEST(Forecast, GrowsWithEverythingThatTakesMemory) {
    const Placement placement = raster(10, 12);
    const Tiling tiling = make_tiling(placement, {2, 2}, 8);
    const std::size_t before = total(input(), tiling);
    const auto with = [&](auto change) {
        ForecastInput in = input();
        change(in);
        return total(in, tiling);
    };
    EXPECT_GT(with([](ForecastInput& in) { in.num_modes = 3; }), before);
    EXPECT_GT(with([](ForecastInput& in) { in.machine.num_cpus = 5; }), before);
    EXPECT_GT(with([](ForecastInput& in) { in.num_slices = 2; }), before);
    const std::size_t mixed = with([](ForecastInput& in) { in.num_object_modes = 2; });
    EXPECT_GT(mixed, before);
    EXPECT_GT(with([](ForecastInput& in) {
                  in.num_object_modes = 2;
                  in.exit_waves = true;
              }),
              mixed);
    EXPECT_LT(with([](ForecastInput& in) { in.interpolation = Interpolation::nearest; }), before);
    EXPECT_GT(total(input(), make_tiling(raster(11, 12), {2, 2}, 8)), before);
}

std::size_t least(const ForecastInput& in, const Tiling& tiling) {
    return forecast_memory(in, tiling, plan_patterns(in, tiling, 0)).total_bytes();
}

TEST(PatternPlan, KeepsAllPatternsWhenTheyFit) {
    const Tiling tiling = make_tiling(raster(30, 40), {2, 2}, 8);
    const PatternPlan plan = plan_patterns(input(), tiling, total(input(), tiling));
    EXPECT_FALSE(plan.reads_again());
    EXPECT_EQ(plan.num_buffers, 0);
    EXPECT_EQ(plan.staying_bytes, 1200 * frame_pixels * 2);
    EXPECT_TRUE(plan_patterns(input(), tiling, total(input(), tiling) - 1).reads_again());
}

TEST(PatternPlan, KeepsWhatFitsAndNoMore) {
    const Tiling tiling = make_tiling(raster(30, 40), {2, 2}, 8);
    const std::size_t all = total(input(), tiling), fewest = least(input(), tiling);
    ASSERT_LT(fewest, all);
    std::size_t before = 0;
    for (int percent = 0; percent < 100; percent += 7) {
        const std::size_t limit = fewest + (all - fewest) * static_cast<std::size_t>(percent) / 100;
        const PatternPlan plan = plan_patterns(input(), tiling, limit);
        EXPECT_EQ(plan.staying_bytes + plan.read_again_bytes, 1200 * frame_pixels * 2);
        EXPECT_EQ(plan.buffer_bytes, 8 * frame_pixels * 2);
        EXPECT_EQ(plan.num_buffers, num_pattern_buffers(4));
        const std::size_t needed = forecast_memory(input(), tiling, plan).total_bytes();
        EXPECT_LE(needed, limit);
        EXPECT_GT(needed + 2 * plan.buffer_bytes, limit) << percent << " %";
        EXPECT_GE(plan.staying_bytes, before);
        before = plan.staying_bytes;
    }
    EXPECT_GT(before, 0U);
}

TEST(PatternPlan, OfTooSmallALimitKeepsNothingAndDoesNotFit) {
    const Tiling tiling = make_tiling(raster(30, 40), {1, 1}, 8);
    const std::size_t limit = least(input(), tiling) - 1;
    const PatternPlan plan = plan_patterns(input(), tiling, limit);
    EXPECT_EQ(plan.num_staying, 0U);
    EXPECT_EQ(plan.num_read_again, 150U);
    EXPECT_GT(forecast_memory(input(), tiling, plan).total_bytes(), limit);
}

TEST(PatternPlan, SpreadsWhatStaysOverThePass) {
    const Tiling tiling = make_tiling(raster(30, 40), {1, 1}, 8);  // 150 equal batches
    const std::size_t all = total(input(), tiling), fewest = least(input(), tiling);
    const PatternPlan plan = plan_patterns(input(), tiling, fewest + (all - fewest) / 3);
    const double share = static_cast<double>(plan.num_staying) / 150;
    EXPECT_GT(share, 0.2);
    EXPECT_LT(share, 0.4);
    double staying = 0;
    for (std::size_t b = 0; b < plan.stays[0].size(); ++b) {
        staying += plan.stays[0][b] ? 1 : 0;
        EXPECT_NEAR(staying, share * static_cast<double>(b + 1), 1.5);
    }
}

TEST(PatternPlan, IsForOwnTilesOnly) {
    const Tiling tiling = make_tiling(raster(30, 40), {2, 2}, 8);
    ForecastInput in = input();
    in.owner_of_tile = {0, 1, 1, 0};
    in.rank = 1;
    const PatternPlan plan = plan_patterns(in, tiling, 0);
    EXPECT_TRUE(plan.stays[0].empty());
    EXPECT_EQ(plan.stays[1].size(), tiling.tiles[1].batches.size());
    EXPECT_EQ(plan.num_read_again, tiling.tiles[1].batches.size() + tiling.tiles[2].batches.size());
}

TEST(Forecast, OfWavesOnADiskCountsThoseInMemory) {
    const Tiling tiling = make_tiling(raster(10, 12), {1, 1}, 8);
    ForecastInput in = input();
    in.keep_waves = true;
    EXPECT_EQ(kept_waves_bytes(in, tiling), 3 * 120 * frame_pixels * 2 * 8);
    const std::size_t all = total(in, tiling);
    in.waves_memory_bytes = 1 << 20;
    EXPECT_EQ(total(in, tiling), all - kept_waves_bytes(in, tiling) + (1 << 20));
}

TEST(OutSlots, AreEnoughForEveryWorkerAndTheSums) {
    EXPECT_EQ(num_out_slots(1), 4);
    EXPECT_EQ(num_out_slots(16), 34);
}

TEST(WavesFit, ComparesTheForecastOfKeptWavesWithTheBudget) {
    const Tiling tiling = make_tiling(raster(10, 12), {2, 2}, 8);
    ForecastInput kept = input();
    kept.keep_waves = true;
    const std::size_t needed = total(kept, tiling);
    EXPECT_TRUE(waves_fit(input(), tiling, needed));
    EXPECT_TRUE(waves_fit(kept, tiling, needed));
    EXPECT_FALSE(waves_fit(input(), tiling, needed - 1));
    EXPECT_FALSE(waves_fit(input(), tiling, 0));
}

}  // namespace
}  // namespace tessera
