// Halos narrower than half a window: frames see vacuum beyond their tile.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.hpp"
#include "codelets/runtime/runtime.hpp"
#include "support/reference_run.hpp"
#include "support/small_run.hpp"
#include "tasks/starting_point.hpp"
#include "tasks/truncation.hpp"

namespace tessera::test {
namespace {

// Windows of 24 x 32 pixels, as large as high, on 3 x 3 tiles.
class Truncation : public testing::Test {
  protected:
    Truncation() : scan_(far_field_scan()), config_(scan_.run_config()) {
        config_.tiling.tiles = {3, 3};
        config_.engines[0].num_iter = 5;
    }
    // In rows; there are 4 / 3 as many columns in it.
    void set_halo(double pixels) { config_.tiling.halo_m = pixels * scan_.truth().pixel_size_m[0]; }

    SmallScan scan_;
    RunConfig config_;
};

TEST_F(Truncation, OfNothingGivesTheBitsOfWholeWindows) {
    for (const auto interpolation : {Interpolation::fourier, Interpolation::bilinear}) {
        config_.positions.interpolation = interpolation;
        for (const EngineName engine : {EngineName::CG, EngineName::GD}) {
            config_.engines[0].name = engine;
            config_.tiling.halo_m.reset();
            const Outcome whole = run(config_);
            for (const double halo : {16.0, 17.0, 1e6}) {
                set_halo(halo);
                const Outcome outcome = run(config_);
                EXPECT_FALSE(outcome.problem.is_truncated());
                expect_bitwise_equal(outcome, whole);
            }
        }
    }
}

TEST_F(Truncation, MakesTilesMemoryAndMessagesSmaller) {
    const Outcome whole = run(config_);
    set_halo(6);
    const Outcome narrow = run(config_);
    EXPECT_TRUE(narrow.problem.is_truncated());
    EXPECT_EQ(narrow.problem.halo_px, (HaloWidth{6, 8}));
    EXPECT_LT(narrow.problem.tiling.extended_area(), whole.problem.tiling.extended_area());
    for (std::size_t t = 0; t < 9; ++t) {
        EXPECT_TRUE(whole.problem.tiling.tiles[t].extended.contains(narrow.problem.tiling.tiles[t].extended));
        EXPECT_EQ(narrow.problem.tiling.tiles[t].interior, whole.problem.tiling.tiles[t].interior);
    }
    EXPECT_LT(narrow.problem.memory.total_bytes(), whole.problem.memory.total_bytes());
    // It does something, and goes on lowering the cost.
    EXPECT_NE(narrow.result.final_cost, whole.result.final_cost);
    EXPECT_LT(narrow.result.final_cost, 0.7 * narrow.reports.front().cost);
}

// The oracle's cost of each tile's frames, of an object that is 1 beyond the tile.
double truncated_cost(const reference::Problem& whole, const Tiling& tiling) {
    double cost = 0;
    for (const Tile& tile : tiling.tiles) {
        reference::Problem part = whole;
        for (std::ptrdiff_t y = 0; y < part.object.extent(1); ++y) {
            for (std::ptrdiff_t x = 0; x < part.object.extent(2); ++x) {
                const Rect pixel = {static_cast<int>(y), static_cast<int>(x), static_cast<int>(y) + 1,
                                    static_cast<int>(x) + 1};
                if (tile.extended.contains(pixel)) continue;
                for (std::ptrdiff_t slice = 0; slice < part.num_slices(); ++slice)
                    part.object(slice, y, x) = 1;
            }
        }
        const std::vector<double> per_frame = reference::cost(part).per_frame;
        for (const Batch& batch : tile.batches) {
            for (const std::ptrdiff_t frame : batch.frames)
                cost += per_frame[static_cast<std::size_t>(frame)];
        }
    }
    return cost;
}

// One iteration from a random object: cost before and after, and the slope 2 Re <g, d> by differences of the
// oracle's cost along the step taken. The gradient that the halos add up to is that of the truncated cost.
TEST_F(Truncation, HasTheCostAndTheGradientOfTheOracle) {
    for (const auto interpolation : {Interpolation::fourier, Interpolation::bilinear}) {
        for (const auto exchange : {Exchange::neighbours, Exchange::passes}) {
            SCOPED_TRACE(testing::Message() << static_cast<int>(interpolation) << static_cast<int>(exchange));
            config_.positions.interpolation = interpolation;
            config_.tiling.exchange = exchange;
            config_.tiling.tiles = {2, 3};
            config_.engines[0].num_iter = 1;
            config_.probe.update.start = 1;
            config_.object.initial = InitialObject::random;
            set_halo(6);
            const Outcome outcome = run(config_);
            const Problem& problem = outcome.problem;
            reference::Problem after = problem_at_the_end(outcome, scan_.truth(), NoiseModel::amplitude);
            EXPECT_NEAR(outcome.result.final_cost / truncated_cost(after, problem.tiling), 1, 1e-5);

            Array<cfloat, 3> start(outcome.result.object.extents());
            const auto [height, width] = problem.placement.object_shape;
            InitialObjectMaker(problem, {}).fill({0, 0, height, width}, start.data());
            reference::Problem before = after;
            reference::Stack step = after.object;
            for (std::ptrdiff_t i = 0; i < start.size(); ++i) {
                before.object[i] = {static_cast<double>(start[i].re), static_cast<double>(start[i].im)};
                step[i] -= before.object[i];
            }
            EXPECT_NEAR(outcome.reports.front().cost / truncated_cost(before, problem.tiling), 1, 1e-5);

            constexpr double h = 1e-4;
            const auto cost_at = [&](double fraction) {
                reference::Problem moved = before;
                for (std::ptrdiff_t i = 0; i < step.size(); ++i) moved.object[i] += fraction * step[i];
                return truncated_cost(moved, problem.tiling);
            };
            const double slope = (cost_at(h) - cost_at(-h)) / (2 * h);
            const double expected = 2 * outcome.final_state.slope * outcome.final_state.step;
            EXPECT_LT(expected, 0);
            EXPECT_NEAR(expected / slope, 1, 1e-4);
        }
    }
}

TEST_F(Truncation, WithKeptWavesOrPassesGivesTheSameAnswer) {
    set_halo(7);
    const Outcome reference = run(config_);
    expect_equal_overlaps(reference);
    config_.runtime.waves = Waves::keep;
    const Outcome kept = run(config_);
    EXPECT_LT(relative_difference(kept.result.object, reference.result.object), 1e-4);
    config_.runtime.waves = Waves::recompute;
    config_.tiling.exchange = Exchange::passes;
    const Outcome passed = run(config_);
    expect_equal_overlaps(passed);
    EXPECT_LT(relative_difference(passed.result.object, reference.result.object), 1e-4);
    EXPECT_NEAR(passed.result.final_cost / reference.result.final_cost, 1, 1e-4);
}

TEST_F(Truncation, OfAnyScheduleAndOutOfCoreGivesTheSameBits) {
    set_halo(5);
    config_.tiling.batch_size = 1;
    const Outcome reference = run(config_);
    config_.runtime.scheduler = "lws";
    config_.runtime.cpus = std::min(num_usable_cores(), 2);
    config_.runtime.submit_ahead = 1;
    const Outcome others = run(config_, {.num_out_slots = 1});
    expect_bitwise_equal(others, reference);
    config_.runtime.memory_limit_host_bytes = others.problem.memory.total_bytes() - 1;
    const Outcome limited = run(config_);
    EXPECT_TRUE(limited.problem.patterns.reads_again());
    expect_bitwise_equal(limited, reference);
}

// With voxels each tile ends where its own halo ends.
TEST_F(Truncation, WithVoxelsLowersTheCost) {
    set_halo(7);
    config_.tiling.exchange = Exchange::voxels;
    for (const EngineName engine : {EngineName::CG, EngineName::GD}) {
        config_.engines[0].name = engine;
        const Outcome outcome = run(config_);
        EXPECT_LT(outcome.result.final_cost, 0.7 * outcome.reports.front().cost);
        expect_equal_overlaps(outcome);
    }
}

TEST_F(Truncation, OfSeveralSlicesLowersTheCost) {
    set_halo(7);
    config_.object.num_slices = 3;
    config_.object.slice_spacings_m = {2e-6, 2e-6};
    const Outcome outcome = run(config_);
    for (std::size_t n = 1; n < outcome.reports.size(); ++n)
        EXPECT_LE(outcome.reports[n].cost, outcome.reports[n - 1].cost * (1 + 1e-6));
    EXPECT_LT(outcome.result.final_cost, 0.7 * outcome.reports.front().cost);
}

// A window of the probe: what is beyond the halo, counted by hand.
TEST_F(Truncation, SaysWhatLightItLoses) {
    set_halo(3);
    config_.engines[0].num_iter = 1;
    const Problem problem = run(config_).problem;
    Array<cfloat, 3> probe({2, 24, 32}, {0, 0});
    probe(0, 12, 16) = {0, 2};  // the centre
    probe(0, 9, 12) = {1, 0};   // the corner that is kept
    probe(1, 16, 16) = {1, 0};  // one pixel beyond
    probe(1, 12, 11) = {0, 2};
    EXPECT_NEAR(power_beyond_halo(problem, probe), 5.0 / 10.0, 1e-12);
    EXPECT_NE(halo_text(problem, probe).find("50 %"), std::string::npos) << halo_text(problem, probe);
    EXPECT_NE(halo_text(problem, std::nullopt).find("3 x 4 pixels"), std::string::npos);
    EXPECT_TRUE(probe_without_frames(problem, {}).has_value());
}

TEST_F(Truncation, ToLessThanAPixelIsRefused) {
    set_halo(0.99);
    try {
        run(config_);
        ADD_FAILURE() << "not refused";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::usage);
        EXPECT_NE(std::string(error.what()).find("tiling.halo_m"), std::string::npos) << error.what();
    }
    set_halo(1);
    EXPECT_NO_THROW(run(config_));
}

}  // namespace
}  // namespace tessera::test
