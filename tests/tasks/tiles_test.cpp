// Tiled equals whole: the halo sums give every tile the complete gradient of its extended rectangle.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "base/error.hpp"
#include "codelets/runtime/runtime.hpp"
#include "support/small_run.hpp"

namespace tessera::test {
namespace {

// Single precision sums in another order: 1e-7 an iteration, which the search's steps then carry on.
// Measured: at most 2e-6 after eight iterations.
constexpr double rounding_bound = 3e-5;

struct TilesCase {
    const char* name;
    Propagation propagation;
    Waves waves;
    Interpolation interpolation;
    Exchange exchange = Exchange::neighbours;
};

const TilesCase tiles_cases[] = {
    {"far_fourier_keep", Propagation::far_field, Waves::keep, Interpolation::fourier},
    {"far_nearest_recompute", Propagation::far_field, Waves::recompute, Interpolation::nearest},
    {"far_bilinear_keep", Propagation::far_field, Waves::keep, Interpolation::bilinear},
    {"near_fourier_recompute", Propagation::near_field, Waves::recompute, Interpolation::fourier},
    {"near_bilinear_keep", Propagation::near_field, Waves::keep, Interpolation::bilinear},
    {"far_fourier_passes", Propagation::far_field, Waves::recompute, Interpolation::fourier,
     Exchange::passes},
    {"near_bilinear_passes", Propagation::near_field, Waves::keep, Interpolation::bilinear, Exchange::passes},
};

class Tiles : public testing::TestWithParam<TilesCase> {
  protected:
    Tiles() : scan_(GetParam().propagation == Propagation::far_field ? far_field_scan() : near_field_scan()) {
        config_ = scan_.run_config();
        config_.runtime.waves = GetParam().waves;
        config_.positions.interpolation = GetParam().interpolation;
        config_.tiling.exchange = GetParam().exchange;
    }
    Outcome run_on(int rows, int columns) {
        config_.tiling.tiles = {rows, columns};
        return run(config_);
    }
    SmallScan scan_;
    RunConfig config_;
};

TEST_P(Tiles, GiveTheAnswerOfTheWhole) {
    const Outcome whole = run_on(1, 1);
    ASSERT_LT(whole.result.final_cost, 0.7 * whole.result.cost.front());
    for (const auto& [rows, columns] : {std::pair{2, 2}, {3, 4}, {1, 5}, {4, 1}}) {
        SCOPED_TRACE(testing::Message() << rows << " x " << columns);
        const Outcome tiled = run_on(rows, columns);
        ASSERT_EQ(std::ssize(tiled.problem.tiling.tiles), rows * columns);
        EXPECT_LT(relative_difference(tiled.result.object, whole.result.object), rounding_bound);
        EXPECT_LT(relative_difference(tiled.probe, whole.probe), rounding_bound);
        EXPECT_NEAR(tiled.result.final_cost / whole.result.final_cost, 1, rounding_bound);
        for (std::size_t n = 0; n < whole.result.cost.size(); ++n) {
            EXPECT_NEAR(tiled.result.cost[n] / whole.result.cost[n], 1, rounding_bound) << "iteration " << n;
        }
        for (std::size_t j = 0; j < whole.result.data_error_per_frame.size(); ++j) {
            EXPECT_NEAR(tiled.result.data_error_per_frame[j] / whole.result.data_error_per_frame[j], 1,
                        10 * rounding_bound)
                << "frame " << j;
        }
        expect_equal_overlaps(tiled);
    }
}

INSTANTIATE_TEST_SUITE_P(All, Tiles, testing::ValuesIn(tiles_cases),
                         [](const auto& chosen) { return std::string(chosen.param.name); });

// ---- Exchange::voxels

class Voxels : public testing::Test {
  protected:
    Voxels() : scan_(far_field_scan()), config_(scan_.run_config()) {}
    Outcome run_on(int rows, int columns, Exchange exchange) {
        config_.tiling.tiles = {rows, columns};
        config_.tiling.exchange = exchange;
        return run(config_);
    }
    SmallScan scan_;
    RunConfig config_;
};

// Gradients in interiors, cost and probe gradient are those of the whole object, and what a halo lacks is
// replaced: nothing else differs where no step is searched for.
TEST_F(Voxels, OfGradientDescentGiveTheAnswerOfTheWhole) {
    config_.engines[0].name = EngineName::GD;
    config_.engines[0].step = 0.3;
    const Outcome whole = run_on(1, 1, Exchange::neighbours);
    for (const auto& [rows, columns] : {std::pair{1, 1}, {2, 2}, {3, 4}, {1, 5}}) {
        SCOPED_TRACE(testing::Message() << rows << " x " << columns);
        const Outcome tiled = run_on(rows, columns, Exchange::voxels);
        EXPECT_LT(relative_difference(tiled.result.object, whole.result.object), rounding_bound);
        EXPECT_LT(relative_difference(tiled.probe, whole.probe), rounding_bound);
        for (std::size_t n = 0; n < whole.result.cost.size(); ++n) {
            EXPECT_NEAR(tiled.result.cost[n] / whole.result.cost[n], 1, rounding_bound) << "iteration " << n;
        }
        for (std::size_t j = 0; j < whole.result.data_error_per_frame.size(); ++j) {
            EXPECT_NEAR(tiled.result.data_error_per_frame[j] / whole.result.data_error_per_frame[j], 1,
                        10 * rounding_bound);
        }
        if (rows * columns > 1) expect_equal_overlaps(tiled);
    }
}

// Line searches try directions that are incomplete in halos, so steps have other lengths: the cost falls to
// about the same. Measured: at most 0.33 % apart after eight iterations.
TEST_F(Voxels, OfConjugateGradientsReachAboutTheCostOfTheWhole) {
    constexpr double cost_bound = 0.01;
    const Outcome whole = run_on(1, 1, Exchange::neighbours);
    for (const auto& [rows, columns] : {std::pair{2, 2}, {3, 4}, {1, 5}}) {
        SCOPED_TRACE(testing::Message() << rows << " x " << columns);
        const Outcome tiled = run_on(rows, columns, Exchange::voxels);
        // The first gradient is that of the whole.
        EXPECT_NEAR(tiled.reports.front().cost / whole.reports.front().cost, 1, rounding_bound);
        EXPECT_NEAR(tiled.result.final_cost / whole.result.final_cost, 1, cost_bound);
        for (std::size_t n = 1; n < tiled.result.cost.size(); ++n)
            EXPECT_LT(tiled.result.cost[n], tiled.result.cost[n - 1]) << "iteration " << n;
        expect_equal_overlaps(tiled);
    }
}

TEST_F(Voxels, OfSeveralSlicesGiveTheAnswerOfTheWhole) {
    config_.engines[0] = {.name = EngineName::GD, .num_iter = 5, .step = 0.2};
    config_.object.num_slices = 2;
    config_.object.slice_spacings_m = {2e-6};
    const Outcome whole = run_on(1, 1, Exchange::neighbours), tiled = run_on(2, 3, Exchange::voxels);
    EXPECT_LT(relative_difference(tiled.result.object, whole.result.object), rounding_bound);
    EXPECT_NEAR(tiled.result.final_cost / whole.result.final_cost, 1, rounding_bound);
    expect_equal_overlaps(tiled);
}

// Copies, and batches that only add to the gradient, have their places in the order of sums.
TEST_F(Voxels, OfAnyScheduleGiveTheSameBits) {
    const Outcome reference = run_on(2, 3, Exchange::voxels);
    config_.runtime.scheduler = "lws";
    config_.runtime.cpus = std::min(num_usable_cores(), 2);
    config_.runtime.submit_ahead = 1;
    expect_bitwise_equal(run_on(2, 3, Exchange::voxels), reference);
    config_.runtime.submit_ahead = 10;
    expect_bitwise_equal(run(config_, {.num_out_slots = 1}), reference);
}

TEST_F(Voxels, DoNotGoWithKeptWaves) {
    config_.runtime.waves = Waves::automatic;
    EXPECT_FALSE(run_on(2, 2, Exchange::voxels).problem.keep_waves);
    config_.runtime.waves = Waves::keep;
    try {
        run_on(2, 2, Exchange::voxels);
        ADD_FAILURE() << "not refused";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::usage);
        EXPECT_NE(std::string(error.what()).find("tiling.exchange"), std::string::npos) << error.what();
    }
}

// A batch size changes the order of sums, nothing else.
TEST(Batches, OfAnySizeGiveTheSameAnswer) {
    SmallScan scan(far_field_scan());
    RunConfig config = scan.run_config();
    const Outcome fours = run(config);
    for (const int size : {1, 7, 100}) {
        config.tiling.batch_size = size;
        const Outcome others = run(config);
        EXPECT_LT(relative_difference(others.result.object, fours.result.object), rounding_bound) << size;
        EXPECT_NEAR(others.result.final_cost / fours.result.final_cost, 1, rounding_bound) << size;
    }
}

}  // namespace
}  // namespace tessera::test
