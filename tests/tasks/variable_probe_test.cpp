// Runs of scans whose beam is another one in each frame: powers and eigen-probes are found, whatever the
// engine, tiles, workers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <ostream>

#include "support/small_run.hpp"

namespace tessera::test {
namespace {

SimulationConfig flickering_scan() {
    SimulationConfig config = jittered_scan(9);
    config.scan.fluctuation.intensity = 0.1;
    return config;
}
SimulationConfig pointing_scan() {
    SimulationConfig config = jittered_scan(9);
    config.scan.fluctuation.pointing_px = 0.5;
    return config;
}

RunConfig run_of(const SmallScan& scan, EngineName engine, int num_iter) {
    RunConfig config = scan.run_config();
    config.engines[0].name = engine;
    config.engines[0].num_iter = num_iter;
    config.runtime.cpus = most_workers();
    return config;
}

// Away from the truth, root mean square, relative; but for a power that grows or falls exponentially across
// the scan, which is the same as an object and a probe that do, so that nobody can see it.
double intensity_error(const Outcome& outcome, const SyntheticScan& truth) {
    const auto& found = outcome.result.intensity_scale;
    EXPECT_EQ(found.size(), truth.beams.size());
    // Least squares of 1, y and x, one after the other, each without what those before explain.
    std::vector<double> rest;
    for (std::size_t j = 0; j < found.size(); ++j)
        rest.push_back(std::log(found[j] / truth.beams[j].intensity));
    std::vector<std::vector<double>> explained;
    for (std::ptrdiff_t shape = -1; shape < 2; ++shape) {
        std::vector<double> values;
        for (std::size_t j = 0; j < rest.size(); ++j)
            values.push_back(shape < 0 ? 1 : truth.positions_px(static_cast<std::ptrdiff_t>(j), shape));
        const auto dot = [](const auto& a, const auto& b) {
            return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
        };
        const auto remove = [&](std::vector<double>& from, const std::vector<double>& what) {
            const double share = dot(from, what) / dot(what, what);
            for (std::size_t j = 0; j < from.size(); ++j) from[j] -= share * what[j];
        };
        for (const auto& before : explained) remove(values, before);
        remove(rest, values);
        explained.push_back(std::move(values));
    }
    double sum = 0;
    for (const double value : rest) sum += value * value / static_cast<double>(rest.size());
    return std::sqrt(sum);
}

struct EngineCase {
    const char* name;
    EngineName engine;
    int num_iter = 40;
};
void PrintTo(const EngineCase& c, std::ostream* stream) {
    *stream << c.name;
}

class Flicker : public testing::TestWithParam<EngineCase> {};

TEST_P(Flicker, IsFoundWithinOnePercent) {
    const SmallScan scan(flickering_scan());
    RunConfig config = run_of(scan, GetParam().engine, GetParam().num_iter);
    const Outcome blind = run(config);
    config.probe.variable.variable_intensity = true;
    const Outcome found = run(config);
    EXPECT_LT(intensity_error(found, scan.truth()), 0.01);
    EXPECT_LT(found.result.final_data_error, 0.2 * blind.result.final_data_error);
    double mean = 0;
    for (const double scale : found.result.intensity_scale) mean += scale / 81;
    EXPECT_NEAR(mean, 1, 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Engines, Flicker,
                         testing::Values(EngineCase{"cg", EngineName::CG},
                                         EngineCase{"gd", EngineName::GD, 160},
                                         EngineCase{"rpie", EngineName::rPIE},
                                         EngineCase{"lsqml", EngineName::LSQML, 80}),
                         [](const auto& chosen) { return std::string(chosen.param.name); });

class Pointing : public testing::TestWithParam<EngineCase> {};

TEST_P(Pointing, IsExplainedByTwoEigenProbes) {
    const SmallScan scan(pointing_scan());
    RunConfig config = run_of(scan, GetParam().engine, GetParam().num_iter);
    const Outcome blind = run(config);
    config.probe.variable.num_opr_modes = 2;
    const Outcome found = run(config);
    EXPECT_LT(found.result.final_data_error, 0.35 * blind.result.final_data_error);
    ASSERT_EQ(found.result.opr_mode_powers.size(), 2U);
    EXPECT_GE(found.result.opr_mode_powers[0], found.result.opr_mode_powers[1]);
    EXPECT_GT(found.result.opr_mode_powers[1], 0);
}

INSTANTIATE_TEST_SUITE_P(Engines, Pointing,
                         testing::Values(EngineCase{"cg", EngineName::CG, 60},
                                         EngineCase{"rpie", EngineName::rPIE, 60},
                                         EngineCase{"lsqml", EngineName::LSQML, 60}),
                         [](const auto& chosen) { return std::string(chosen.param.name); });

struct SameBitsCase {
    const char* name;
    EngineName engine;
    int num_opr_modes = 2;
    bool variable_intensity = true;
    Waves waves = Waves::recompute;
    Interpolation interpolation = Interpolation::fourier;
    int num_modes = 1;
};
void PrintTo(const SameBitsCase& c, std::ostream* stream) {
    *stream << c.name;
}

class VariableProbe : public testing::TestWithParam<SameBitsCase> {
  protected:
    VariableProbe() : scan_(far_field_scan()) {
        config_ = scan_.run_config();
        config_.engines[0].name = GetParam().engine;
        config_.runtime.waves = GetParam().waves;
        config_.positions.interpolation = GetParam().interpolation;
        config_.probe.num_modes = GetParam().num_modes;
        config_.probe.variable.num_opr_modes = GetParam().num_opr_modes;
        config_.probe.variable.variable_intensity = GetParam().variable_intensity;
        config_.probe.variable.start = 2;
        config_.probe.variable.interval = 2;
    }
    SmallScan scan_;
    RunConfig config_;
};

TEST_P(VariableProbe, HasTheSameBitsOnAnySchedule) {
    const Outcome reference = run(config_);
    double varied = 0;
    for (const double scale : reference.result.intensity_scale)
        varied = std::max(varied, std::abs(scale - 1));
    for (const double power : reference.result.opr_mode_powers) varied = std::max(varied, power);
    EXPECT_GT(varied, 1e-3);
    config_.runtime.scheduler = "lws";
    config_.runtime.cpus = most_workers();
    config_.runtime.submit_ahead = 1;
    expect_bitwise_equal(run(config_, {.num_out_slots = 1}), reference);
}

TEST_P(VariableProbe, OnTilesIsThatOfTheWhole) {
    config_.tiling.tiles = {1, 1};
    const Outcome whole = run(config_);
    config_.tiling.tiles = {2, 3};
    const Outcome tiled = run(config_);
    expect_equal_overlaps(tiled);
    for (std::size_t j = 0; j < whole.result.intensity_scale.size(); ++j)
        EXPECT_NEAR(tiled.result.intensity_scale[j], whole.result.intensity_scale[j], 1e-3);
    EXPECT_LT(relative_difference(tiled.result.object, whole.result.object), 1e-3);
    EXPECT_NEAR(tiled.result.final_cost / whole.result.final_cost, 1, 2e-3);
}

INSTANTIATE_TEST_SUITE_P(Engines, VariableProbe,
                         testing::Values(SameBitsCase{"cg_keep", EngineName::CG, 2, true, Waves::keep},
                                         SameBitsCase{"cg_bilinear_two_modes", EngineName::CG, 1, true,
                                                      Waves::recompute, Interpolation::bilinear, 2},
                                         SameBitsCase{"gd_nearest", EngineName::GD, 2, false,
                                                      Waves::recompute, Interpolation::nearest},
                                         SameBitsCase{"rpie", EngineName::rPIE},
                                         SameBitsCase{"lsqml_intensity", EngineName::LSQML, 0}),
                         [](const auto& chosen) { return std::string(chosen.param.name); });

// What has been kept of far fields does not follow a probe that varies.
TEST(VariableProbeWithKeptWaves, IsThatWithout) {
    const SmallScan scan(far_field_scan());
    RunConfig config = run_of(scan, EngineName::CG, 8);
    config.probe.variable = {.num_opr_modes = 1, .variable_intensity = true, .start = 2, .interval = 3};
    const Outcome made_afresh = run(config);
    config.runtime.waves = Waves::keep;
    const Outcome kept = run(config);
    for (std::size_t j = 0; j < kept.result.intensity_scale.size(); ++j)
        EXPECT_NEAR(kept.result.intensity_scale[j], made_afresh.result.intensity_scale[j], 1e-3);
}

// A projection first, whose exit waves are those of one probe; then an engine that lets it vary; and one that
// goes on from there.
TEST(VariableProbeBehindAProjection, FallsFurther) {
    const SmallScan scan(flickering_scan());
    RunConfig config = run_of(scan, EngineName::DM, 10);
    config.engines.push_back({.name = EngineName::CG, .num_iter = 10});
    config.probe.variable.variable_intensity = true;
    config.probe.variable.start = 2;
    const Outcome two = run(config);
    config.engines.push_back({.name = EngineName::LSQML, .num_iter = 10});
    const Outcome three = run(config);
    EXPECT_LT(three.result.final_cost, two.result.final_cost);
    EXPECT_LT(intensity_error(three, scan.truth()), 0.01);
}

// Positions and lights together.
TEST(VariableProbeOfMovingFrames, IsFoundToo) {
    SimulationConfig simulation = flickering_scan();
    simulation.scan.position_error.jitter_px = 1;
    const SmallScan scan(simulation);
    RunConfig config = run_of(scan, EngineName::LSQML, 80);
    config.positions.max_shift_px = 3;
    config.engines[0].refine_positions.emplace().start = 3;
    config.probe.variable.variable_intensity = true;
    EXPECT_LT(intensity_error(run(config), scan.truth()), 0.03);  // of 0.1: positions are not exact either
}

}  // namespace
}  // namespace tessera::test
