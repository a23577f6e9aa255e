// Runs whose scan says wrong positions: refinement finds the right ones, whatever the engine, tiles, workers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <ostream>

#include "support/small_run.hpp"

namespace tessera::test {
namespace {

// 100 frames, each up to three pixels beside where the scan says along each axis, and a linear map of 1 %.
SimulationConfig misplaced_scan() {
    SimulationConfig config = jittered_scan(10);
    config.scan.position_error = {
        .jitter_px = 3, .scale = 0.01, .asymmetry = 0.01, .rotation_rad = 0.005, .shear_rad = -0.01};
    return config;
}

// Away from the truth, but for a shift of all frames, which nobody can see.
struct PositionErrors {
    double rms = 0, largest = 0;
};
PositionErrors errors_of(const Outcome& outcome, const SyntheticScan& truth) {
    const auto& found = outcome.result.positions_px;
    const std::ptrdiff_t num_frames = found.extent(0);
    const auto num = static_cast<double>(num_frames);
    double mean[2] = {0, 0};
    for (std::ptrdiff_t j = 0; j < num_frames; ++j)
        for (std::ptrdiff_t axis = 0; axis < 2; ++axis)
            mean[axis] += (found(j, axis) - truth.positions_px(j, axis)) / num;
    PositionErrors errors;
    for (std::ptrdiff_t j = 0; j < num_frames; ++j) {
        double squared = 0;
        for (std::ptrdiff_t axis = 0; axis < 2; ++axis)
            squared += std::pow(found(j, axis) - truth.positions_px(j, axis) - mean[axis], 2);
        errors.rms += squared / num;
        errors.largest = std::max(errors.largest, std::sqrt(squared));
    }
    errors.rms = std::sqrt(errors.rms);
    return errors;
}

RunConfig refining_config(const SmallScan& scan, EngineName engine, int num_iter) {
    RunConfig config = scan.run_config();
    config.engines[0].name = engine;
    config.engines[0].num_iter = num_iter;
    config.engines[0].refine_positions.emplace();
    config.engines[0].refine_positions->start = 3;
    config.positions.max_shift_px = 6;
    config.probe.update.start = 1000;
    return config;
}

struct RecoveryCase {
    const char* name;
    EngineName engine;
    Interpolation interpolation;
    int num_iter;
    double bound_px;  // of the root mean square
    std::optional<double> fourier_relax_factor = {};
};

void PrintTo(const RecoveryCase& c, std::ostream* stream) {
    *stream << c.name;
}

class Recovery : public testing::TestWithParam<RecoveryCase> {};

TEST_P(Recovery, FindsPositionsThreePixelsAwayAndALinearMap) {
    const SmallScan scan(misplaced_scan());
    RunConfig config = refining_config(scan, GetParam().engine, GetParam().num_iter);
    config.runtime.cpus = most_workers();
    config.positions.interpolation = GetParam().interpolation;
    if (const auto relax = GetParam().fourier_relax_factor)
        config.engines[0].projection.fourier_relax_factor = *relax;
    RunConfig fixed = config;
    fixed.engines[0].refine_positions.reset();
    fixed.engines[0].num_iter = 1;
    const PositionErrors before = errors_of(run(fixed), scan.truth());
    EXPECT_GT(before.largest, 3);
    const Outcome found = run(config);
    const PositionErrors after = errors_of(found, scan.truth());
    EXPECT_LT(after.rms, GetParam().bound_px);
    EXPECT_LT(after.largest, 5 * GetParam().bound_px);  // at the scan's corners, where little light overlaps
    double sum[2] = {0, 0};
    for (std::ptrdiff_t j = 0; j < 100; ++j)
        for (std::ptrdiff_t axis = 0; axis < 2; ++axis) sum[axis] += found.result.position_shifts_px(j, axis);
    EXPECT_NEAR(sum[0], 0, 1e-10);
    EXPECT_NEAR(sum[1], 0, 1e-10);
}

INSTANTIATE_TEST_SUITE_P(
    Engines, Recovery,
    testing::Values(RecoveryCase{"lsqml", EngineName::LSQML, Interpolation::fourier, 80, 0.1},
                    RecoveryCase{"rpie", EngineName::rPIE, Interpolation::fourier, 80, 0.1},
                    RecoveryCase{"rpie_bilinear", EngineName::rPIE, Interpolation::bilinear, 80, 0.4},
                    RecoveryCase{"cg", EngineName::CG, Interpolation::fourier, 80, 0.1},
                    RecoveryCase{"gd", EngineName::GD, Interpolation::fourier, 120, 0.1},
                    // Frames within the default bound of their counts say nothing of where they are.
                    RecoveryCase{"dm", EngineName::DM, Interpolation::fourier, 80, 0.1, 0.02},
                    RecoveryCase{"dm_default_bound", EngineName::DM, Interpolation::fourier, 80, 0.3}),
    [](const auto& chosen) { return std::string(chosen.param.name); });

// Farther away than the gradient reaches: frames are caught in false minima, unless they are tried elsewhere.
TEST(SearchedPositions, AreFoundWhereTheGradientIsCaught) {
    SimulationConfig simulated = misplaced_scan();
    simulated.scan.position_error.jitter_px = 7;
    simulated.object.feature_size_px = 2.5;
    const SmallScan scan(simulated);
    RunConfig config = refining_config(scan, EngineName::rPIE, 120);
    config.runtime.cpus = most_workers();
    config.positions.max_shift_px = 14;
    const PositionErrors caught = errors_of(run(config), scan.truth());
    EXPECT_GT(caught.largest, 4);
    config.engines[0].refine_positions->search.emplace();
    const PositionErrors found = errors_of(run(config), scan.truth());
    EXPECT_LT(found.largest, 0.5);
    EXPECT_LT(found.rms, 0.1);
}

struct SameBitsCase {
    const char* name;
    EngineName engine;
    Waves waves = Waves::recompute;
    Interpolation interpolation = Interpolation::fourier;
    Exchange exchange = Exchange::neighbours;
    bool searches = false;
};

void PrintTo(const SameBitsCase& c, std::ostream* stream) {
    *stream << c.name;
}

class Refinement : public testing::TestWithParam<SameBitsCase> {
  protected:
    Refinement() : scan_(far_field_scan()) {
        config_ = refining_config(scan_, GetParam().engine, 8);
        config_.engines[0].refine_positions->interval = 2;
        if (GetParam().searches) {
            SearchPositionsConfig& search = config_.engines[0].refine_positions->search.emplace();
            search.start = 4;
            search.interval = 1;
            search.num_tries = 5;
            search.suspicious_error = 0.9;
        }
        config_.probe.update.start = 2;
        config_.positions.interpolation = GetParam().interpolation;
        config_.runtime.waves = GetParam().waves;
        config_.tiling.exchange = GetParam().exchange;
    }
    SmallScan scan_;
    RunConfig config_;
};

TEST_P(Refinement, GivesTheSameBitsOnAnySchedule) {
    const Outcome reference = run(config_);
    double moved = 0;
    for (const double shift : reference.result.position_shifts_px) moved = std::max(moved, std::abs(shift));
    EXPECT_GT(moved, 0.01);
    config_.runtime.scheduler = "lws";
    config_.runtime.cpus = most_workers();
    config_.runtime.submit_ahead = 1;
    expect_bitwise_equal(run(config_, {.num_out_slots = 1}), reference);
}

TEST_P(Refinement, OnTilesGivesThePositionsOfTheWhole) {
    config_.tiling.tiles = {1, 1};
    const Outcome whole = run(config_);
    config_.tiling.tiles = {2, 3};
    const Outcome tiled = run(config_);
    expect_equal_overlaps(tiled);
    for (std::ptrdiff_t i = 0; i < whole.result.positions_px.size(); ++i)
        EXPECT_NEAR(tiled.result.position_shifts_px[i], whole.result.position_shifts_px[i], 2e-4);
    EXPECT_LT(relative_difference(tiled.result.object, whole.result.object), 2e-4);
}

INSTANTIATE_TEST_SUITE_P(
    Engines, Refinement,
    testing::Values(SameBitsCase{"cg_keep", EngineName::CG, Waves::keep},
                    SameBitsCase{"cg_bilinear", EngineName::CG, Waves::recompute, Interpolation::bilinear},
                    SameBitsCase{"gd_nearest_passes", EngineName::GD, Waves::recompute,
                                 Interpolation::nearest, Exchange::passes},
                    SameBitsCase{"cg_keep_searched", EngineName::CG, Waves::keep, Interpolation::fourier,
                                 Exchange::neighbours, true},
                    SameBitsCase{"rpie", EngineName::rPIE}, SameBitsCase{"lsqml", EngineName::LSQML},
                    SameBitsCase{"dm", EngineName::DM}),
    [](const auto& chosen) { return std::string(chosen.param.name); });

// What has been kept of far fields does not follow frames that move.
TEST(RefinementWithKeptWaves, IsThatWithout) {
    const SmallScan scan(far_field_scan());
    RunConfig config = refining_config(scan, EngineName::CG, 8);
    config.engines[0].refine_positions->interval = 3;
    const Outcome made_afresh = run(config);
    config.runtime.waves = Waves::keep;
    const Outcome kept = run(config);
    for (std::ptrdiff_t i = 0; i < kept.result.positions_px.size(); ++i)
        EXPECT_NEAR(kept.result.position_shifts_px[i], made_afresh.result.position_shifts_px[i], 2e-4);
}

// The second engine goes on from where the first has moved frames to.
TEST(RefinementByTheFirstEngine, IsHandedToTheNext) {
    const SmallScan scan(far_field_scan());
    RunConfig config = refining_config(scan, EngineName::rPIE, 6);
    const Outcome first = run(config);
    config.engines.push_back({.name = EngineName::CG, .num_iter = 3});
    const Outcome both = run(config);
    EXPECT_EQ(std::vector(both.result.position_shifts_px.begin(), both.result.position_shifts_px.end()),
              std::vector(first.result.position_shifts_px.begin(), first.result.position_shifts_px.end()));
    EXPECT_LT(both.result.final_cost, first.result.final_cost);
}

}  // namespace
}  // namespace tessera::test
