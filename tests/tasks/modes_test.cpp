// Incoherent modes: their powers are found, and making them orthogonal on the way changes nothing else.
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>

#include "codelets/runtime/runtime.hpp"
#include "scan/orthogonal_modes.hpp"
#include "support/small_run.hpp"

namespace tessera::test {
namespace {

SimulationConfig three_modes_scan() {
    SimulationConfig config = far_field_scan();
    config.probe.num_modes = 3;
    config.probe.mode_power = 0.3;
    config.probe.photons_per_frame = 1e6;
    config.probe.guess_defocus_error = 0;
    config.scan.pattern = ScanPattern::jittered;
    config.scan.grid = {9, 9};
    config.scan.step_px = 3;
    config.detector.shape = {32, 32};
    return config;
}

// Of the whole.
std::vector<double> shares(std::vector<double> powers) {
    double sum = 0;
    for (const double power : powers) sum += power;
    for (double& power : powers) power /= sum;
    return powers;
}

TEST(Modes, HaveThePowersOfTheTruth) {
    const SmallScan scan(three_modes_scan());
    RunConfig config = scan.run_config();
    config.runtime.cpus = std::min(num_usable_cores(), 2);
    config.probe.num_modes = 3;
    config.probe.initial = InitialProbe::gaussian;  // one mode of the right size, others at 5 %
    config.probe.diameter_m = 10 * scan.truth().pixel_size_m[0];
    config.probe.defocus_m = 8e-3;
    config.probe.orthogonalize_interval = 10;
    config.engines[0].num_iter = 150;
    const Outcome found = run(config);
    const auto expected = shares(mode_powers(orthogonal_modes(scan.truth().probe)));
    const auto powers = shares(found.result.mode_powers);
    ASSERT_EQ(powers.size(), 3U);
    for (std::size_t k = 0; k < 3; ++k) EXPECT_NEAR(powers[k] / expected[k], 1, 0.02) << "mode " << k;
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

class OrthogonalModes : public testing::TestWithParam<EngineCase> {
  protected:
    OrthogonalModes() : scan_(three_modes_scan()) {
        config_ = scan_.run_config();
        config_.engines[0].name = GetParam().engine;
        config_.engines[0].momentum_acceleration_gain = GetParam().momentum_gain;
        config_.runtime.waves = GetParam().waves;
    }
    SmallScan scan_;
    RunConfig config_;
};

// Mixing by a unitary matrix commutes with all that an engine does.
TEST_P(OrthogonalModes, OnTheWayGiveTheSameAnswer) {
    const Outcome at_the_end = run(config_);
    config_.probe.orthogonalize_interval = 2;
    const Outcome on_the_way = run(config_);
    EXPECT_LT(relative_difference(on_the_way.result.object, at_the_end.result.object), 1e-4);
    for (std::size_t k = 0; k < 3; ++k)
        EXPECT_NEAR(on_the_way.result.mode_powers[k] / at_the_end.result.mode_powers[k], 1, 1e-4);
    // They are so before the result makes them so: after the eighth iteration.
    const Array<cfloat, 3> again = orthogonal_modes(on_the_way.probe);
    const auto before = mode_powers(on_the_way.probe), after = mode_powers(again);
    for (std::size_t k = 0; k < 3; ++k) EXPECT_NEAR(before[k] / after[k], 1, 1e-5);
    config_.runtime.scheduler = "lws";
    config_.runtime.submit_ahead = 1;
    config_.runtime.cpus = std::min(num_usable_cores(), 2);
    expect_bitwise_equal(run(config_), on_the_way);
}

INSTANTIATE_TEST_SUITE_P(Engines, OrthogonalModes,
                         testing::Values(EngineCase{"cg_keep", EngineName::CG, Waves::keep},
                                         EngineCase{"cg", EngineName::CG}, EngineCase{"gd", EngineName::GD},
                                         EngineCase{"rpie", EngineName::rPIE},
                                         EngineCase{"mpie", EngineName::mPIE},
                                         EngineCase{"lsqml", EngineName::LSQML, Waves::recompute, 0.5}),
                         [](const auto& chosen) { return std::string(chosen.param.name); });

}  // namespace
}  // namespace tessera::test
