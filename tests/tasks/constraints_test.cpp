// What is known of object and probe, whatever the engine; and what is taken off results.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <ostream>

#include "base/error.hpp"
#include "codelets/runtime/runtime.hpp"
#include "math/fft.hpp"
#include "support/reference_run.hpp"
#include "support/small_run.hpp"

namespace tessera::test {
namespace {

std::complex<double> in_double(cfloat z) {
    return {static_cast<double>(z.re), static_cast<double>(z.im)};
}

struct EngineCase {
    const char* name;
    EngineName engine;
    Waves waves = Waves::recompute;
    double momentum_gain = 0;
};
void PrintTo(const EngineCase& c, std::ostream* stream) {
    *stream << c.name;
}
const auto name_of_case = [](const auto& chosen) { return std::string(chosen.param.name); };
const EngineCase engines[] = {
    {"cg", EngineName::CG},     {"cg_keep", EngineName::CG, Waves::keep},
    {"gd", EngineName::GD},     {"dm", EngineName::DM},
    {"raar", EngineName::RAAR}, {"epie", EngineName::ePIE},
    {"mpie", EngineName::mPIE}, {"lsqml_momentum", EngineName::LSQML, Waves::recompute, 0.5}};

class Constraints : public testing::TestWithParam<EngineCase> {
  protected:
    Constraints() {
        config_ = scan_.run_config();
        config_.engines[0].name = GetParam().engine;
        config_.engines[0].num_iter = 12;
        config_.engines[0].momentum_acceleration_gain = GetParam().momentum_gain;
        config_.runtime.waves = GetParam().waves;
    }
    void expect_same_bits_on_any_schedule() {
        const Outcome reference = run(config_);
        expect_equal_overlaps(reference);
        for (const char* scheduler : {"lws", "dmdas"}) {
            config_.runtime.scheduler = scheduler;
            config_.runtime.cpus = std::min(num_usable_cores(), 2);
            config_.runtime.submit_ahead = 1;
            expect_bitwise_equal(run(config_, {.num_out_slots = 2}), reference);
        }
    }
    void expect_tiles_to_be_the_whole() {
        config_.tiling.tiles = {1, 1};
        const Outcome whole = run(config_);
        config_.tiling.tiles = {3, 4};
        const Outcome tiled = run(config_);
        expect_equal_overlaps(tiled);
        constexpr double rounding_bound = 1e-4;
        EXPECT_LT(relative_difference(tiled.result.object, whole.result.object), rounding_bound);
        EXPECT_LT(relative_difference(tiled.probe, whole.probe), rounding_bound);
    }

    SmallScan scan_{far_field_scan()};
    RunConfig config_;
};

TEST_P(Constraints, HoldAfterEveryIterationAndTheCostFalls) {
    config_.object.constraints.amplitude = {0.9, 1.02};
    config_.object.constraints.phase_rad = {-0.8, 0.4};
    for (const int num_iter : {1, 2, 12}) {
        config_.engines[0].num_iter = num_iter;
        const Outcome outcome = run(config_);
        for (std::ptrdiff_t i = 0; i < outcome.result.object.size(); ++i) {
            const std::complex<double> z = in_double(outcome.result.object[i]);
            ASSERT_GT(std::abs(z), 0.9 - 1e-5) << num_iter;
            ASSERT_LT(std::abs(z), 1.02 + 1e-5) << num_iter;
            ASSERT_GT(std::arg(z), -0.8 - 1e-5) << num_iter;
            ASSERT_LT(std::arg(z), 0.4 + 1e-5) << num_iter;
        }
        EXPECT_LT(outcome.result.final_cost, (num_iter == 12 ? 0.5 : 1.0) * outcome.reports[0].cost);
    }
    expect_same_bits_on_any_schedule();
}

TEST_P(Constraints, OfNeighboursAreThoseOfTheWhole) {
    config_.engines[0].num_iter = 5;
    config_.object.constraints.total_variation = 0.01;
    config_.object.constraints.smoothing = 0.1;
    config_.object.constraints.interval = 2;
    const Outcome constrained = run(config_);
    EXPECT_LT(constrained.result.final_cost, 0.9 * constrained.reports[0].cost);
    expect_same_bits_on_any_schedule();
    expect_tiles_to_be_the_whole();
}

double largest_outside(const SemiAxes& axes, const Array<cfloat, 3>& probe) {
    double largest = 0;
    const auto [modes, height, width] = probe.extents();
    for (std::ptrdiff_t i = 0; i < probe.size(); ++i) {
        const double y = static_cast<double>(i / width % height - height / 2) / static_cast<double>(axes.y),
                     x = static_cast<double>(i % width - width / 2) / static_cast<double>(axes.x);
        if (y * y + x * x > 1 + 1e-5) largest = std::max(largest, std::abs(in_double(probe[i])));
    }
    return largest;
}

// As a share of the largest; the probe's pixels are not square here, those of its spectrum are.
double outside_of_spectrum(const Array<cfloat, 3>& probe, double radius) {
    Array<cfloat, 3> spectra = probe;
    const auto [modes, height, width] = probe.extents();
    const FftPlan& plan = fft_plan({static_cast<int>(height), static_cast<int>(width)});
    double largest_outside = 0, largest = 0;
    for (std::ptrdiff_t k = 0; k < modes; ++k) {
        plan.forward(&spectra(k, 0, 0));
        for (std::ptrdiff_t y = 0; y < height; ++y) {
            for (std::ptrdiff_t x = 0; x < width; ++x) {
                const auto v = static_cast<double>(2 * y < height ? y : y - height),
                           u = static_cast<double>(2 * x < width ? x : x - width);
                const double size = std::abs(in_double(spectra(k, y, x)));
                largest = std::max(largest, size);
                if (std::hypot(v, u) > radius * static_cast<double>(std::min(height, width)) / 2 + 1e-3)
                    largest_outside = std::max(largest_outside, size);
            }
        }
    }
    return largest_outside / largest;
}

TEST_P(Constraints, KeepTheProbeInItsSupport) {
    config_.probe.num_modes = 2;
    const bool is_cg = GetParam().engine == EngineName::CG;
    for (const bool in_window : {true, false}) {
        SCOPED_TRACE(in_window ? "window" : "spectrum");
        config_.probe.support = {};
        if (in_window) config_.probe.support.radius = 0.8;
        if (!in_window) config_.probe.support.fourier_radius = 0.6;
        for (const int num_iter : {1, 12}) {
            config_.engines[0].num_iter = num_iter;
            const Outcome outcome = run(config_);
            if (in_window) {
                const auto& pixel_m = outcome.problem.scan.pixel_size_m;
                const SemiAxes axes = outcome.problem.probe_support().window;  // a circle in metres
                EXPECT_NEAR(static_cast<double>(axes.y / axes.x) * pixel_m[0] / pixel_m[1], 1, 1e-5);
                EXPECT_EQ(largest_outside(axes, outcome.probe), 0);
            } else {
                EXPECT_LT(outside_of_spectrum(outcome.probe, 0.6), 1e-5);
            }
            for (std::size_t n = 0; is_cg && n + 1 < outcome.reports.size(); ++n)
                EXPECT_LE(outcome.reports[n + 1].cost, outcome.reports[n].cost * (1 + 1e-6)) << n;
            EXPECT_LT(outcome.result.final_cost, (num_iter == 12 ? 0.6 : 1.0) * outcome.reports[0].cost);
        }
        expect_same_bits_on_any_schedule();
    }
}

INSTANTIATE_TEST_SUITE_P(Engines, Constraints, testing::ValuesIn(engines), name_of_case);

class ConstrainedRun : public testing::Test {
  protected:
    ConstrainedRun() : config_(scan_.run_config()) {}
    SmallScan scan_{far_field_scan()};
    RunConfig config_;
};

// Other ways that tiles agree, tiles that hardly reach beyond their interior, several slices.
TEST_F(ConstrainedRun, OfNeighboursGoesWithAnyTiling) {
    config_.object.constraints.total_variation = 0.02;
    config_.object.constraints.smoothing = 0.2;
    config_.engines[0].num_iter = 4;
    config_.tiling.tiles = {1, 1};
    const Outcome whole = run(config_);
    config_.tiling.tiles = {3, 3};
    config_.tiling.exchange = Exchange::passes;
    EXPECT_LT(relative_difference(run(config_).result.object, whole.result.object), 1e-5);
    config_.tiling.exchange = Exchange::voxels;
    expect_equal_overlaps(run(config_));
    config_.tiling.exchange = Exchange::neighbours;
    config_.tiling.halo_m = 1.5 * scan_.truth().pixel_size_m[1];
    const Outcome narrow = run(config_);
    expect_equal_overlaps(narrow);
    for (const Tile& tile : narrow.problem.tiling.tiles) {
        const auto [height, width] = narrow.problem.tiling.object_shape;
        EXPECT_LE(tile.extended.y0, std::max(tile.interior.y0 - 11, 0));
        EXPECT_GE(tile.extended.y1, std::min(tile.interior.y1 + 11, height));
        EXPECT_LE(tile.extended.x0, std::max(tile.interior.x0 - 11, 0));
        EXPECT_GE(tile.extended.x1, std::min(tile.interior.x1 + 11, width));
    }
}

TEST_F(ConstrainedRun, OfSeveralSlicesIsThatOfTheWhole) {
    config_.object.num_slices = 2;
    config_.object.slice_spacings_m = {2e-5};
    config_.object.constraints.total_variation = 0.01;
    config_.object.constraints.amplitude = {0, 1};
    config_.engines[0].num_iter = 4;
    config_.tiling.tiles = {1, 1};
    const Outcome whole = run(config_);
    config_.tiling.tiles = {2, 3};
    const Outcome tiled = run(config_);
    expect_equal_overlaps(tiled);
    EXPECT_LT(relative_difference(tiled.result.object, whole.result.object), 1e-5);
}

TEST_F(ConstrainedRun, BeginsWhereItIsToldTo) {
    config_.engines[0].num_iter = 6;
    const Outcome free = run(config_);
    config_.object.constraints.amplitude = {0.95, 1};
    config_.object.constraints.start = 3;
    config_.object.constraints.interval = 2;
    const Outcome constrained = run(config_);
    for (std::size_t n = 0; n < 6; ++n) {
        const bool is_same = constrained.reports[n].cost == free.reports[n].cost;
        EXPECT_EQ(is_same, n <= 3) << n;
    }
    double largest = 0;
    for (std::ptrdiff_t i = 0; i < constrained.result.object.size(); ++i)
        largest = std::max(largest, std::abs(in_double(constrained.result.object[i])));
    EXPECT_LT(largest, 1 + 1e-5);  // iterations 3 and 5
}

// PtyPy's name for the same circle where the window is square.
TEST(ProbeSupportOfDm, IsThatOfAllEngines) {
    SimulationConfig simulation = far_field_scan();
    simulation.detector.shape = {24, 24};
    const SmallScan scan(simulation);
    RunConfig config = scan.run_config();
    config.engines[0].name = EngineName::DM;
    config.engines[0].projection.probe_support_radius = 0.7;
    const Outcome ptypy = run(config);
    const SemiAxes axes = {0.7f * 12, 0.7f * 12}, narrower = {0.6f * 12, 0.6f * 12};
    EXPECT_EQ(largest_outside(axes, ptypy.probe), 0);
    EXPECT_GT(largest_outside(narrower, ptypy.probe), 0);
    config.engines[0].projection.probe_support_radius.reset();
    config.probe.support.radius = 0.7;
    EXPECT_EQ(largest_outside(axes, run(config).probe), 0);
}

TEST(ProbeSupport, LeavesTheProbeItsPower) {
    const SmallScan scan(far_field_scan());
    RunConfig config = scan.run_config();
    config.engines[0].num_iter = 1;
    config.probe.update.start = 1;  // as it begins
    const auto power = [](const Array<cfloat, 3>& probe) {
        double sum = 0;
        for (std::ptrdiff_t i = 0; i < probe.size(); ++i) sum += static_cast<double>(norm(probe[i]));
        return sum;
    };
    const double free = power(run(config).probe);
    config.probe.support.radius = 0.4;
    EXPECT_NEAR(power(run(config).probe) / free, 1, 1e-5);
    config.probe.support.radius = 0.01;  // the pixel in the middle
    EXPECT_NO_THROW(run(config));
    config.probe.support.fourier_radius = 1e-3;
    EXPECT_NEAR(power(run(config).probe) / free, 1, 1e-5);
}

// ---- noise

// ||c O - T|| / ||T|| with the best factor c, where the centres of the windows are.
double object_error(const Result& result, const SyntheticScan& truth) {
    const auto [found, expected] = where_windows_centre(result, truth);
    std::complex<double> cross = 0;
    double found_power = 0, true_power = 0;
    for (std::ptrdiff_t i = 0; i < found.size(); ++i) {
        const auto t = in_double(expected[i]), o = in_double(found[i]);
        cross += std::conj(t) * o;
        found_power += std::norm(o);
        true_power += std::norm(t);
    }
    return std::sqrt(std::max(0.0, 1 - std::norm(cross) / (found_power * true_power)));
}

// 300 photons a frame, spread wide by a known probe: what is known of the object takes noise away. Measured:
// 0.190 free, 0.129 with total variation, 0.154 smoothed, 0.112 within its limits.
TEST(NoisyScan, IsBetterWithWhatIsKnown) {
    SimulationConfig simulation = far_field_scan();
    simulation.object.feature_size_px = 12;
    simulation.object.phase_range_rad = {-0.6, 0};
    simulation.object.amplitude_range = {0.9, 1};
    simulation.probe.diameter_px = 3;
    simulation.probe.photons_per_frame = 300;
    simulation.probe.guess_defocus_error = 0;
    simulation.scan.pattern = ScanPattern::jittered;
    simulation.scan.grid = {8, 8};
    simulation.scan.step_px = 3;
    const SmallScan scan(simulation);
    RunConfig config = scan.run_config();
    config.probe.initial = InitialProbe::file;
    config.probe.rescale = false;
    config.probe.update.start = 1000;
    config.engines[0].num_iter = 40;
    const double free = object_error(run(config).result, scan.truth());
    ObjectConstraintsConfig variation, smoothing, limits;
    variation.total_variation = 0.04;
    smoothing.smoothing = 0.5;
    limits.amplitude = {0.9, 1};
    limits.phase_rad = {-0.6, 0};
    const auto error_with = [&](const ObjectConstraintsConfig& known) {
        config.object.constraints = known;
        return object_error(run(config).result, scan.truth());
    };
    EXPECT_LT(error_with(variation), 0.75 * free);
    EXPECT_LT(error_with(smoothing), 0.88 * free);
    EXPECT_LT(error_with(limits), 0.65 * free);
}

// ---- what is taken off results

// Begins with a probe that has a ramp, which the object takes over.
class RampOfResult : public ConstrainedRun {
  protected:
    static constexpr double k_y = 0.11, k_x = -0.06;
    RampOfResult() {
        Result earlier;
        const SyntheticScan& truth = scan_.truth();
        earlier.object = Array<cfloat, 3>({1, 2, 2});
        earlier.probe = truth.probe_guess;
        const auto [modes, height, width] = earlier.probe.extents();
        for (std::ptrdiff_t i = 0; i < earlier.probe.size(); ++i) {
            const double phase =
                k_y * static_cast<double>(i / width % height) + k_x * static_cast<double>(i % width);
            const auto turned = in_double(earlier.probe[i]) * std::polar(1.3, phase);
            earlier.probe[i] = {static_cast<float>(turned.real()), static_cast<float>(turned.imag())};
        }
        earlier.pixel_size_m = truth.pixel_size_m;
        earlier.positions_px = Array<double, 2>({0, 2});
        write_result(scan_.folder() / "earlier.h5", earlier);
        config_.probe.initial = InitialProbe::file;
        config_.probe.file = scan_.folder() / "earlier.h5";
        config_.probe.rescale = false;
        config_.positions.interpolation = Interpolation::nearest;
        config_.engines[0].num_iter = 15;
    }
};

// Of the result's object and probe.
double cost_of_result(const Outcome& outcome, const SyntheticScan& truth) {
    reference::Problem problem = problem_at_the_end(outcome, truth, NoiseModel::amplitude);
    for (const double spacing_m : outcome.result.slice_spacings_m) {
        problem.slice_transfer_functions.push_back(reference::fresnel_transfer_function(
            problem.probe_shape(), truth.pixel_size_m, truth.geometry.wavelength_m, spacing_m));
    }
    return reference::cost(problem).total;
}

// The argument of the object's neighbours under the light of all frames (but in the last row and column of
// each window), along y and x.
std::array<double, 2> ramp_under_light(const Result& result) {
    std::array<std::complex<double>, 2> sums{};
    const auto [modes, height, width] = result.probe.extents();
    for (std::ptrdiff_t j = 0; j < result.positions_px.extent(0); ++j) {
        const auto y0 = std::lround(result.positions_px(j, 0)), x0 = std::lround(result.positions_px(j, 1));
        for (std::ptrdiff_t y = 0; y + 1 < height; ++y) {
            for (std::ptrdiff_t x = 0; x + 1 < width; ++x) {
                double light = 0;
                for (std::ptrdiff_t k = 0; k < modes; ++k)
                    light += static_cast<double>(norm(result.probe(k, y, x)));
                const auto here = light * std::conj(in_double(result.object(0, y0 + y, x0 + x)));
                sums[0] += here * in_double(result.object(0, y0 + y + 1, x0 + x));
                sums[1] += here * in_double(result.object(0, y0 + y, x0 + x + 1));
            }
        }
    }
    return {std::arg(sums[0]), std::arg(sums[1])};
}

TEST_F(RampOfResult, IsTakenOffAndNoFrameNotices) {
    const Outcome with_ramp = run(config_);
    EXPECT_FALSE(with_ramp.result.removed_ramp.has_value());
    config_.output.remove_ramp = true;
    const Outcome without = run(config_);
    ASSERT_TRUE(without.result.removed_ramp.has_value());
    const RemovedRamp& removed = *without.result.removed_ramp;
    const auto there = ramp_under_light(with_ramp.result), left = ramp_under_light(without.result);
    for (std::size_t axis = 0; axis < 2; ++axis) {
        EXPECT_GT(std::abs(there[axis]), 0.02);
        EXPECT_NEAR(removed.rad_per_px[axis], there[axis], 1e-5);
        EXPECT_NEAR(left[axis], 0, 1e-5);
    }
    EXPECT_EQ(removed.mean, (std::array<double, 2>{1, 0}));
    // The run is what it was.
    EXPECT_EQ(relative_difference(without.probe, with_ramp.probe), 0);
    EXPECT_EQ(without.result.final_cost, with_ramp.result.final_cost);
    EXPECT_GT(relative_difference(without.result.object, with_ramp.result.object), 0.1);
    EXPECT_NEAR(cost_of_result(without, scan_.truth()) / cost_of_result(with_ramp, scan_.truth()), 1, 1e-5);
    // Whatever the tiles and batches.
    config_.tiling.tiles = {3, 2};
    config_.tiling.batch_size = 3;
    const Outcome tiled = run(config_);
    EXPECT_NEAR(tiled.result.removed_ramp->rad_per_px[0], removed.rad_per_px[0], 1e-4);
    EXPECT_NEAR(tiled.result.removed_ramp->rad_per_px[1], removed.rad_per_px[1], 1e-4);
}

// A ramp has an edge where the window of a probe that moves by fractions begins again: it must be dark there.
TEST_F(RampOfResult, IsTakenOffBetweenPixelsToo) {
    config_.positions.interpolation = Interpolation::fourier;
    config_.probe.support.radius = 0.8;
    const Outcome with_ramp = run(config_);
    config_.output.remove_ramp = true;
    const Outcome without = run(config_);
    EXPECT_GT(relative_difference(without.result.object, with_ramp.result.object), 0.05);
    EXPECT_NEAR(cost_of_result(without, scan_.truth()) / cost_of_result(with_ramp, scan_.truth()), 1, 5e-3);
}

TEST_F(RampOfResult, LeavesAFlatRegionFlat) {
    for (const int num_slices : {1, 2}) {
        SCOPED_TRACE(num_slices);
        config_.object.num_slices = num_slices;
        config_.object.slice_propagation = SlicePropagation::fresnel;
        config_.object.slice_spacings_m.assign(static_cast<std::size_t>(num_slices - 1), 2e-5);
        config_.output.remove_ramp = false;
        config_.output.flat_region.reset();
        const Outcome as_is = run(config_);
        config_.output.remove_ramp = true;
        config_.output.flat_region = {22, 34, 24, 37};
        const Outcome outcome = run(config_);
        std::complex<double> sum = 0, along_y = 0, along_x = 0;
        const auto value = [&](std::ptrdiff_t y, std::ptrdiff_t x) {
            std::complex<double> product = 1;
            for (std::ptrdiff_t slice = 0; slice < num_slices; ++slice)
                product *= in_double(outcome.result.object(slice, y, x));
            return product;
        };
        for (std::ptrdiff_t y = 22; y < 34; ++y) {
            for (std::ptrdiff_t x = 24; x < 37; ++x) {
                sum += value(y, x) / (12.0 * 13);
                if (y < 33) along_y += std::conj(value(y, x)) * value(y + 1, x);
                if (x < 36) along_x += std::conj(value(y, x)) * value(y, x + 1);
            }
        }
        // Under even light here; under that of the frames there.
        EXPECT_LT(std::abs(sum - 1.0), 0.15);
        EXPECT_LT(std::abs(std::arg(along_y)), 0.03);
        EXPECT_LT(std::abs(std::arg(along_x)), 0.03);
        EXPECT_NEAR(cost_of_result(outcome, scan_.truth()) / cost_of_result(as_is, scan_.truth()), 1, 1e-5);
    }
}

TEST_F(RampOfResult, IsRefusedWhereThereIsNothingFlat) {
    for (const std::array<int, 4>& region :
         {std::array<int, 4>{0, 10, 0, 2000}, {-3, 5, 4, 8}, {2000, 2002, 2000, 2002}, {0, 3, 0, 3}}) {
        config_.output.flat_region = region;
        try {
            run(config_);
            ADD_FAILURE() << "taken: " << region[0];
        } catch (const Error& refused) {
            EXPECT_EQ(refused.code(), ExitCode::usage);
            EXPECT_NE(std::string(refused.what()).find("output.flat_region: ["), std::string::npos)
                << refused.what();
        }
    }
}

}  // namespace
}  // namespace tessera::test
