// Whole reconstructions of objects of several slices.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.hpp"
#include "codelets/runtime/runtime.hpp"
#include "support/small_run.hpp"

namespace tessera::test {
namespace {

// Slices many depths of field apart, seen through a known probe without noise.
SimulationConfig sliced_scan(int num_slices) {
    SimulationConfig config = far_field_scan();
    config.object.num_slices = num_slices;
    config.object.slice_spacings_m.assign(static_cast<std::size_t>(num_slices - 1), 1e-2);
    config.object.phase_range_rad = {-0.5, 0};
    config.object.amplitude_range = {0.9, 1};
    config.probe.guess_defocus_error = 0;
    config.probe.photons_per_frame = 1e6;
    config.scan.grid = {8, 8};
    config.scan.step_px = 3.5;
    config.detector.photon_noise = false;
    config.detector.integer_counts = false;
    return config;
}

RunConfig sliced_run(const SmallScan& scan, int num_iter) {
    RunConfig config = scan.run_config();
    config.object.num_slices = static_cast<int>(scan.truth().object.extent(0));
    config.object.slice_spacings_m = scan.truth().slice_spacings_m;
    config.probe.initial = InitialProbe::file;
    config.probe.rescale = false;
    config.probe.update.start = num_iter;
    config.engines[0].num_iter = num_iter;
    return config;
}

// ||c O - T|| / ||T|| of a slice with the best factor c, where the centres of the windows are.
double slice_error(const Result& result, const SyntheticScan& truth, std::ptrdiff_t slice) {
    const Array<double, 2>& positions = result.positions_px;
    const auto y_shift = std::lround(positions(0, 0) - truth.positions_px(0, 0));
    const auto x_shift = std::lround(positions(0, 1) - truth.positions_px(0, 1));
    const auto centre = [&](std::ptrdiff_t axis, bool last) {
        double value = truth.positions_px(0, axis);
        for (std::ptrdiff_t j = 1; j < truth.positions_px.extent(0); ++j) {
            const double here = truth.positions_px(j, axis);
            value = last ? std::max(value, here) : std::min(value, here);
        }
        return std::lround(value) + truth.probe.extent(static_cast<std::size_t>(axis) + 1) / 2;
    };
    cdouble cross = {0, 0};
    double found_power = 0, true_power = 0;
    for (std::ptrdiff_t y = centre(0, false); y < centre(0, true); ++y) {
        for (std::ptrdiff_t x = centre(1, false); x < centre(1, true); ++x) {
            const cfloat t = truth.object(slice, y, x);
            const cfloat o = result.object(slice, y + y_shift, x + x_shift);
            const cdouble td = {t.re, t.im}, od = {o.re, o.im};
            cross = cross + conj_mul(td, od);
            found_power += norm(od);
            true_power += norm(td);
        }
    }
    return std::sqrt(std::max(0.0, 1 - norm(cross) / (found_power * true_power)));
}

std::vector<double> costs_of(const Outcome& outcome) {
    std::vector<double> costs;
    for (const IterationReport& report : outcome.reports) costs.push_back(report.cost);
    costs.push_back(outcome.result.final_cost);
    return costs;
}

TEST(SlicedObject, IsFoundSliceBySlice) {
    // Of a flat object's error. Measured: 0.07 in both of two slices; 0.25, 0.46 and 0.21 in three, which
    // more iterations go on improving.
    for (const auto& [num_slices, most_error] : {std::pair{2, 0.1}, {3, 0.6}}) {
        SCOPED_TRACE(testing::Message() << num_slices << " slices");
        const SmallScan scan(sliced_scan(num_slices));
        const Outcome outcome = run(sliced_run(scan, 80));
        ASSERT_EQ(outcome.result.object.extent(0), num_slices);
        const std::vector<double> costs = costs_of(outcome);
        for (std::size_t n = 0; n + 1 < costs.size(); ++n) {
            EXPECT_LE(costs[n + 1], costs[n] * (1 + 1e-6)) << "iteration " << n;
        }
        EXPECT_LT(costs.back(), 3e-3 * costs.front());
        Result flat = outcome.result;
        flat.object = Array<cfloat, 3>(flat.object.extents(), {1, 0});
        for (int slice = 0; slice < num_slices; ++slice) {
            const double error = slice_error(outcome.result, scan.truth(), slice);
            EXPECT_LT(error, most_error * slice_error(flat, scan.truth(), slice)) << slice;
        }
        // The data know that there are several: one slice does not explain them.
        RunConfig thin = sliced_run(scan, 20);
        thin.object.num_slices = 1;
        thin.object.slice_spacings_m.clear();
        EXPECT_GT(run(thin).result.final_cost, 10 * costs.back());
    }
}

TEST(SlicedObject, OfAnyScheduleHasTheSameBits) {
    const SmallScan scan(sliced_scan(2));
    RunConfig config = sliced_run(scan, 5);
    config.probe.update.start = 2;
    const Outcome reference = run(config);
    for (const char* scheduler : {"eager", "lws", "dmdas"}) {
        config.runtime.scheduler = scheduler;
        config.runtime.cpus = std::min(num_usable_cores(), 2);
        config.runtime.submit_ahead = 1;
        expect_bitwise_equal(run(config, {.num_out_slots = 2}), reference);
    }
}

TEST(SlicedObject, OnTilesIsTheWhole) {
    for (const auto interpolation : {Interpolation::fourier, Interpolation::bilinear}) {
        const SmallScan scan(sliced_scan(2));
        RunConfig config = sliced_run(scan, 6);
        config.probe.update.start = 2;
        config.positions.interpolation = interpolation;
        config.tiling.tiles = {1, 1};
        const Outcome whole = run(config);
        config.tiling.tiles = {2, 3};
        const Outcome tiled = run(config);
        EXPECT_LT(relative_difference(tiled.result.object, whole.result.object), 3e-5);
        EXPECT_LT(relative_difference(tiled.probe, whole.probe), 3e-5);
        EXPECT_NEAR(tiled.result.final_cost / whole.result.final_cost, 1, 3e-5);
        // Tiles that overlap hold the same bits in every slice.
        const auto& tiles = tiled.problem.tiling.tiles;
        for (const Neighbour& neighbour : tiles[0].neighbours) {
            const Rect& there = tiles[static_cast<std::size_t>(neighbour.tile)].extended;
            const auto& other = tiled.tile_objects[static_cast<std::size_t>(neighbour.tile)];
            for (int slice = 0; slice < 2; ++slice) {
                for (int y = neighbour.overlap.y0; y < neighbour.overlap.y1; ++y) {
                    ASSERT_EQ(
                        std::memcmp(&tiled.tile_objects[0](slice, y - tiles[0].extended.y0,
                                                           neighbour.overlap.x0 - tiles[0].extended.x0),
                                    &other(slice, y - there.y0, neighbour.overlap.x0 - there.x0),
                                    static_cast<std::size_t>(neighbour.overlap.width()) * sizeof(cfloat)),
                        0);
                }
            }
        }
    }
}

TEST(SlicedObject, StartsAtRandomInEverySliceAnew) {
    const SmallScan scan(sliced_scan(3));
    RunConfig config = sliced_run(scan, 1);
    config.object.initial = InitialObject::random;
    const Outcome outcome = run(config);
    for (int slice = 1; slice < 3; ++slice) {
        EXPECT_NE(outcome.result.object(0, 3, 4).re, outcome.result.object(slice, 3, 4).re);
    }
}

TEST(SlicedObject, KeepsNoWaves) {
    const SmallScan scan(sliced_scan(2));
    RunConfig config = sliced_run(scan, 1);
    config.runtime.waves = Waves::automatic;
    EXPECT_FALSE(run(config).problem.keep_waves);
    config.runtime.waves = Waves::keep;
    try {
        run(config);
        FAIL() << "waves were kept";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::usage);
        EXPECT_NE(std::string(error.what()).find("runtime.waves"), std::string::npos);
        EXPECT_NE(std::string(error.what()).find("object.num_slices"), std::string::npos);
    }
}

// ---- Coupled slices

// ||O_1 - O_0|| / ||O_0||
double apart(const Array<cfloat, 3>& object) {
    double difference = 0, size = 0;
    for (std::ptrdiff_t y = 0; y < object.extent(1); ++y) {
        for (std::ptrdiff_t x = 0; x < object.extent(2); ++x) {
            const cfloat a = object(1, y, x), b = object(0, y, x);
            difference += static_cast<double>(norm(a - b));
            size += static_cast<double>(norm(b));
        }
    }
    return std::sqrt(difference / size);
}

TEST(CoupledSlices, ComeCloserAndTheCostStillFalls) {
    const SmallScan scan(sliced_scan(2));
    RunConfig config = sliced_run(scan, 10);
    const Outcome free = run(config);
    double before = apart(free.result.object);
    for (const double strength : {0.02, 0.1, 1.0}) {
        config.object.regularize_layers = strength;
        const Outcome coupled = run(config);
        const double now = apart(coupled.result.object);
        EXPECT_LT(now, before) << strength;
        before = now;
        EXPECT_LT(coupled.result.final_cost, 0.5 * coupled.reports.front().cost) << strength;
    }
    // Less often, less of it.
    config.object.regularize_interval = 4;
    EXPECT_GT(apart(run(config).result.object), before);
    config.object.regularize_interval = 11;
    expect_bitwise_equal(run(config), free);
}

TEST(CoupledSlices, AgreeWhereTilesOverlapWhateverTheSchedule) {
    const SmallScan scan(sliced_scan(3));
    for (const auto exchange : {Exchange::neighbours, Exchange::passes, Exchange::voxels}) {
        RunConfig config = sliced_run(scan, 4);
        config.object.regularize_layers = 0.3;
        config.tiling.tiles = {2, 3};
        config.tiling.exchange = exchange;
        const Outcome reference = run(config);
        expect_equal_overlaps(reference);
        config.runtime.scheduler = "lws";
        config.runtime.cpus = std::min(num_usable_cores(), 2);
        config.runtime.submit_ahead = 1;
        expect_bitwise_equal(run(config), reference);
        config.runtime.scheduler = "eager";
        config.tiling.halo_m = 8 * scan.truth().pixel_size_m[0];
        expect_equal_overlaps(run(config));
    }
}

// What a tile's filter lacks lies beyond its halo. Measured: at most 1.8 % of what one coupling changes.
TEST(CoupledSlices, OnTilesAreNearlyThoseOfTheWhole) {
    const SmallScan scan(sliced_scan(2));
    RunConfig config = sliced_run(scan, 1);
    config.engines[0].name = EngineName::GD;
    config.tiling.tiles = {1, 1};
    const Outcome free = run(config);
    for (const double strength : {0.05, 1.0}) {
        config.object.regularize_layers = strength;
        config.tiling.tiles = {1, 1};
        const Outcome whole = run(config);
        config.tiling.tiles = {2, 2};
        const Outcome tiled = run(config);
        const double change = relative_difference(whole.result.object, free.result.object);
        EXPECT_GT(change, 5e-5);
        EXPECT_LT(relative_difference(tiled.result.object, whole.result.object), 0.05 * change) << strength;
    }
}

TEST(SlicedObject, OfGradientDescentFalls) {
    const SmallScan scan(sliced_scan(3));
    RunConfig config = sliced_run(scan, 20);
    config.engines[0].name = EngineName::GD;
    const Outcome outcome = run(config);
    EXPECT_LT(outcome.result.final_cost, 0.2 * outcome.reports.front().cost);
}

}  // namespace
}  // namespace tessera::test
