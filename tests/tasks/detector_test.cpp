// What detectors do to counts, in whole reconstructions: pixels that some frames do not use, saturated ones,
// a point spread.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "codelets/runtime/runtime.hpp"
#include "io/scan_writer.hpp"
#include "scan/random.hpp"
#include "support/small_run.hpp"

namespace tessera::test {
namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

// ---- Pixels without a count

class SpoiltFrames : public testing::Test {
  protected:
    SpoiltFrames() {
        config_ = scan_.run_config();
        config_.engines[0].num_iter = 20;
    }
    static SimulationConfig simulation() {
        SimulationConfig config = far_field_scan();
        config.detector.photon_noise = false;
        config.detector.integer_counts = false;
        return config;
    }
    // A twentieth of the pixels of each frame, other ones in each, holds `value`.
    Outcome run_with(float value) {
        SyntheticScan spoilt = scan_.truth();
        Random random(3, 0);
        for (float& count : spoilt.patterns)
            if (random.uniform() < 0.05) count = value;
        write_scan(scan_.folder() / "spoilt.cxi", spoilt, "");
        config_.scan.file = scan_.folder() / "spoilt.cxi";
        return run(config_);
    }
    SmallScan scan_{simulation()};
    RunConfig config_;
};

TEST_F(SpoiltFrames, AreUsedButForTheirPixelsWithoutACount) {
    const Outcome clean = run(config_), with_nan = run_with(nan);
    expect_bitwise_equal(run_with(-7), with_nan);
    // Counts that are none cost much more than the pixels do.
    const double left_out = relative_difference(with_nan.result.object, clean.result.object);
    EXPECT_GT(left_out, 0);
    EXPECT_GT(relative_difference(run_with(0).result.object, clean.result.object), 2 * left_out);
    EXPECT_LT(with_nan.result.final_cost, 1.5 * clean.result.final_cost);
}

TEST_F(SpoiltFrames, GiveTheSameBitsInAnyEngineOnAnySchedule) {
    for (const EngineName engine : {EngineName::CG, EngineName::DM, EngineName::LSQML}) {
        SCOPED_TRACE(static_cast<int>(engine));
        config_.engines[0].name = engine;
        config_.engines[0].num_iter = 4;
        const Outcome one = run_with(nan);
        EXPECT_TRUE(std::isfinite(one.result.final_cost));
        config_.runtime.cpus = std::min(num_usable_cores(), 2);
        config_.runtime.scheduler = "lws";
        expect_bitwise_equal(run_with(nan), one);
        config_.runtime.cpus = 1;
    }
}

// ---- Saturated pixels

TEST(SaturatedPixels, CostLittleWhenTheyAreKnown) {
    SimulationConfig simulation = far_field_scan();
    simulation.detector.photon_noise = false;
    const SmallScan scan(simulation);
    SimulationConfig clipped = simulation;
    clipped.detector.saturation = 0.2 * static_cast<double>(*std::ranges::max_element(scan.truth().patterns));
    const SmallScan saturated(clipped);
    const auto object_with = [](const SmallScan& measured, std::optional<double> saturated_above) {
        RunConfig config = measured.run_config();
        config.engines[0].num_iter = 40;
        config.scan.mask.saturated_above = saturated_above;
        return run(config).result.object;
    };
    const auto clean = object_with(scan, {});
    const double unknown = relative_difference(object_with(saturated, {}), clean);
    // Patterns are whole counts: what was clipped at a fraction is rounded.
    const double known =
        relative_difference(object_with(saturated, std::floor(*clipped.detector.saturation)), clean);
    EXPECT_LT(known, 0.5 * unknown);
}

// ---- Point spread

class PointSpreadTest : public testing::Test {
  protected:
    static SimulationConfig blurred(SimulationConfig simulation) {
        simulation.detector.photon_noise = false;
        simulation.detector.integer_counts = false;
        simulation.detector.blur_sigma_px = 0.7;
        return simulation;
    }
    static RunConfig config_for(const SmallScan& scan) {
        RunConfig config = scan.run_config();
        config.detector.blur_sigma_px = 0.7;
        return config;
    }
    SmallScan far_{blurred(far_field_scan())};
    RunConfig config_ = config_for(far_);
};

TEST_F(PointSpreadTest, IsTakenOutByEveryEngineWithAGradient) {
    for (const EngineName engine : {EngineName::CG, EngineName::GD, EngineName::LSQML, EngineName::rPIE}) {
        SCOPED_TRACE(static_cast<int>(engine));
        config_.engines[0].name = engine;
        config_.engines[0].num_iter = 40;
        const double known = run(config_).result.final_cost;
        RunConfig without = config_;
        without.detector.blur_sigma_px = 0;
        EXPECT_LT(known, 0.5 * run(without).result.final_cost);
    }
}

TEST_F(PointSpreadTest, GivesTheSameBitsOnAnySchedule) {
    const Outcome reference = run(config_);
    config_.runtime.cpus = std::min(num_usable_cores(), 2);
    for (const char* scheduler : {"eager", "lws", "dmdas"}) {
        config_.runtime.scheduler = scheduler;
        expect_bitwise_equal(run(config_), reference);
    }
}

TEST_F(PointSpreadTest, OfTilesIsThatOfTheWhole) {
    config_.positions.max_shift_px = 3;
    config_.engines[0].refine_positions.emplace().start = 2;
    const Outcome tiled = run(config_);
    config_.tiling.tiles = {1, 1};
    const Outcome whole = run(config_);
    EXPECT_LT(relative_difference(tiled.result.object, whole.result.object), 3e-5);
    EXPECT_LT(relative_difference(tiled.probe, whole.probe), 3e-5);
}

// Far fields are kept as they are before the point spread.
TEST_F(PointSpreadTest, LeavesKeptWavesAlone) {
    const Outcome recomputed = run(config_);
    config_.runtime.waves = Waves::keep;
    EXPECT_LT(relative_difference(run(config_).result.object, recomputed.result.object), 1e-4);
}

// An image that is folded holds little of its finest details: they take their time.
TEST_F(PointSpreadTest, IsTakenOutInTheNearField) {
    const SmallScan near(blurred(near_field_scan()));
    RunConfig config = config_for(near);
    config.engines[0].num_iter = 150;
    const double known = run(config).result.final_cost;
    config.detector.blur_sigma_px = 0;
    EXPECT_LT(known, 0.5 * run(config).result.final_cost);
}

}  // namespace
}  // namespace tessera::test
