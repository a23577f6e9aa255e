// What every engine promises, on small scans of both propagations.
#include "tasks/engines.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "support/reference_run.hpp"
#include "support/small_run.hpp"

namespace tessera::test {
namespace {

// Of the costs: each iteration's before its step, and the last one's after it.
std::vector<double> costs_of(const Outcome& outcome) {
    std::vector<double> costs;
    for (const IterationReport& report : outcome.reports) costs.push_back(report.cost);
    costs.push_back(outcome.result.final_cost);
    return costs;
}

void expect_never_rises(const Outcome& outcome) {
    const auto costs = costs_of(outcome);
    for (std::size_t n = 0; n + 1 < costs.size(); ++n) {
        EXPECT_LE(costs[n + 1], costs[n] * (1 + 1e-6)) << "iteration " << n;
    }
}

SmallScan& scan_of(Propagation propagation) {
    static SmallScan far(far_field_scan()), near(near_field_scan());
    return propagation == Propagation::far_field ? far : near;
}

struct EngineCase {
    const char* name;
    Propagation propagation;
    NoiseModel noise_model;
    ConjugateRule rule;
    double least_fall;  // of the cost, in twelve iterations: last / first
};

const EngineCase engine_cases[] = {
    {"far_amplitude", Propagation::far_field, NoiseModel::amplitude, ConjugateRule::polak_ribiere, 0.5},
    {"far_poisson", Propagation::far_field, NoiseModel::poisson, ConjugateRule::polak_ribiere, 0.5},
    {"far_gaussian", Propagation::far_field, NoiseModel::gaussian, ConjugateRule::polak_ribiere, 0.5},
    {"near_amplitude", Propagation::near_field, NoiseModel::amplitude, ConjugateRule::polak_ribiere, 0.5},
    {"near_poisson", Propagation::near_field, NoiseModel::poisson, ConjugateRule::polak_ribiere, 0.5},
    {"near_gaussian", Propagation::near_field, NoiseModel::gaussian, ConjugateRule::polak_ribiere, 0.5},
    {"dai_yuan", Propagation::far_field, NoiseModel::amplitude, ConjugateRule::dai_yuan, 0.5},
    {"fletcher_reeves", Propagation::far_field, NoiseModel::amplitude, ConjugateRule::fletcher_reeves, 0.5},
};

class ConjugateGradient : public testing::TestWithParam<EngineCase> {};

TEST_P(ConjugateGradient, LowersTheCostInEveryAcceptedStep) {
    RunConfig config = scan_of(GetParam().propagation).run_config();
    config.engines[0].num_iter = 12;
    config.engines[0].noise_model = GetParam().noise_model;
    config.engines[0].beta = GetParam().rule;
    const Outcome recomputed = run(config);
    expect_never_rises(recomputed);
    const auto costs = costs_of(recomputed);
    ASSERT_EQ(costs.size(), 13U);
    EXPECT_LT(costs.back(), GetParam().least_fall * costs.front());
    // The history has each iteration's cost after its step.
    for (std::size_t n = 0; n < 12; ++n) EXPECT_EQ(recomputed.result.cost[n], costs[n + 1]);

    // Kept waves: the same within rounding; A is made anew in the eleventh iteration.
    config.runtime.waves = Waves::keep;
    const Outcome kept = run(config);
    expect_never_rises(kept);
    EXPECT_LT(relative_difference(kept.result.object, recomputed.result.object), 1e-4);
    EXPECT_LT(relative_difference(kept.probe, recomputed.probe), 1e-4);
    for (std::size_t n = 0; n < 12; ++n) {
        EXPECT_NEAR(kept.result.cost[n] / recomputed.result.cost[n], 1, 1e-4) << "iteration " << n;
    }
}

INSTANTIATE_TEST_SUITE_P(All, ConjugateGradient, testing::ValuesIn(engine_cases),
                         [](const auto& chosen) { return std::string(chosen.param.name); });

TEST(ConjugateRules, AreThreeDifferentOnes) {
    RunConfig config = scan_of(Propagation::far_field).run_config();
    std::vector<double> last_costs;
    for (const auto rule :
         {ConjugateRule::polak_ribiere, ConjugateRule::dai_yuan, ConjugateRule::fletcher_reeves}) {
        config.engines[0].beta = rule;
        last_costs.push_back(run(config).result.final_cost);
    }
    EXPECT_NE(last_costs[0], last_costs[1]);
    EXPECT_NE(last_costs[0], last_costs[2]);
    EXPECT_NE(last_costs[1], last_costs[2]);
}

TEST(GradientDescent, LowersTheCost) {
    for (const auto propagation : {Propagation::far_field, Propagation::near_field}) {
        for (const auto noise_model : {NoiseModel::amplitude, NoiseModel::poisson}) {
            RunConfig config = scan_of(propagation).run_config();
            config.engines[0].name = EngineName::GD;
            config.engines[0].num_iter = 12;
            config.engines[0].noise_model = noise_model;
            const Outcome outcome = run(config);
            EXPECT_EQ(outcome.reports.back().engine, "GD");
            EXPECT_LT(outcome.result.final_cost, 0.6 * outcome.reports.front().cost);
        }
    }
}

TEST(GradientDescent, WithoutMomentumFallsSteadily) {
    RunConfig config = scan_of(Propagation::far_field).run_config();
    config.engines[0].name = EngineName::GD;
    config.engines[0].step = 0.3;
    config.engines[0].momentum = 0;
    const Outcome outcome = run(config);
    expect_never_rises(outcome);
    for (const IterationReport& report : outcome.reports) {
        EXPECT_EQ(report.step, 0.3);
        EXPECT_EQ(report.beta, 0);
    }
}

TEST(Probe, StaysFixedToTheLastBitUntilItsStart) {
    for (const auto waves : {Waves::keep, Waves::recompute}) {
        for (const auto engine : {EngineName::CG, EngineName::GD}) {
            RunConfig config = scan_of(Propagation::far_field).run_config();
            config.engines[0].name = engine;
            config.engines[0].num_iter = 6;
            config.runtime.waves = engine == EngineName::CG ? waves : Waves::recompute;
            config.probe.update.start = 6;
            const Outcome fixed = run(config);
            config.engines[0].num_iter = 1;
            const Outcome beginning = run(config);  // the probe as the run begins with it
            ASSERT_EQ(fixed.probe.bytes(), beginning.probe.bytes());
            EXPECT_EQ(std::memcmp(fixed.probe.data(), beginning.probe.data(), fixed.probe.bytes()), 0);
            EXPECT_LT(fixed.result.final_cost, fixed.reports.front().cost);
            config.engines[0].num_iter = 6;
            config.probe.update.start = 5;
            EXPECT_GT(relative_difference(run(config).probe, beginning.probe), 1e-3);
        }
    }
}

// A restart of the directions when the probe joins.
TEST(Probe, JoinsWithAFreshDirection) {
    RunConfig config = scan_of(Propagation::far_field).run_config();
    config.probe.update.start = 3;
    const Outcome outcome = run(config);
    for (const IterationReport& report : outcome.reports) {
        if (report.iteration != 0 && report.iteration != 3) continue;
        EXPECT_EQ(report.beta, 0) << report.iteration;
    }
    EXPECT_GT(outcome.reports[1].beta, 0);
    EXPECT_GT(outcome.reports[4].beta, 0);
}

TEST(Engines, WorkInSequence) {
    RunConfig config = scan_of(Propagation::far_field).run_config();
    config.engines = {{.name = EngineName::GD, .num_iter = 4},
                      {.name = EngineName::CG, .num_iter = 5},
                      {.name = EngineName::CG, .num_iter = 3, .noise_model = NoiseModel::poisson}};
    config.runtime.waves = Waves::keep;
    const Outcome outcome = run(config);
    ASSERT_EQ(outcome.reports.size(), 12U);
    ASSERT_EQ(outcome.result.cost.size(), 12U);
    const char* names[] = {"GD", "CG", "CG"};
    const int first[] = {0, 4, 9}, num_iter[] = {4, 5, 3};
    for (std::size_t e = 0; e < 3; ++e) {
        for (int n = 0; n < num_iter[e]; ++n) {
            const IterationReport& report = outcome.reports[static_cast<std::size_t>(first[e] + n)];
            EXPECT_EQ(report.engine, names[e]);
            EXPECT_EQ(report.iteration, n);
            EXPECT_EQ(report.overall, first[e] + n);
            EXPECT_EQ(report.overall_num_iter, 12);
            EXPECT_EQ(report.num_iter, num_iter[e]);
        }
    }
    // The second engine goes on where the first one ended.
    EXPECT_NEAR(outcome.reports[4].cost, outcome.result.cost[3], 1e-6 * outcome.result.cost[3]);
    EXPECT_LT(outcome.result.cost[8], outcome.result.cost[3]);
    EXPECT_LT(outcome.result.cost[11], outcome.reports[9].cost);  // of the poisson model
    EXPECT_LT(outcome.result.data_error[11], outcome.result.data_error[3]);
}

// An engine's first iteration does not depend on what the one before left behind in directions, gradients or
// waves.
TEST(Engines, BeginAfresh) {
    RunConfig config = scan_of(Propagation::far_field).run_config();
    config.engines = {{.name = EngineName::CG, .num_iter = 3}, {.name = EngineName::CG, .num_iter = 3}};
    const Outcome outcome = run(config);
    EXPECT_EQ(outcome.reports[3].beta, 0);
    EXPECT_GT(outcome.reports[4].beta, 0);
    expect_never_rises(outcome);
}

// ---- The reported cost is the cost

TEST(ReportedCost, IsTheOraclesCostOfTheResult) {
    SimulationConfig sliced = far_field_scan();
    sliced.object.num_slices = 3;
    sliced.object.slice_spacings_m = {1e-3, 2e-3};
    sliced.object.slice_propagation = SlicePropagation::fresnel;
    for (SimulationConfig simulation : {far_field_scan(), near_field_scan(), sliced}) {
        simulation.probe.num_modes = 2;
        simulation.detector.background_per_pixel = 1.5;
        simulation.detector.masked_fraction = 0.02;
        const SmallScan scan(simulation);
        for (const auto noise_model : {NoiseModel::amplitude, NoiseModel::poisson}) {
            RunConfig config = scan.run_config();
            config.engines[0].num_iter = 4;
            config.engines[0].noise_model = noise_model;
            config.tiling.tiles = {2, 3};
            config.object.num_slices = simulation.object.num_slices;
            config.object.slice_spacings_m = simulation.object.slice_spacings_m;
            config.object.slice_propagation = simulation.object.slice_propagation;
            const Outcome outcome = run(config);
            const reference::Cost expected =
                reference::cost(problem_at_the_end(outcome, scan.truth(), noise_model));
            EXPECT_NEAR(outcome.result.final_cost / expected.total, 1, 1e-5);
            EXPECT_NEAR(outcome.result.final_data_error / expected.data_error, 1, 1e-5);
            for (std::size_t j = 0; j < expected.data_error_per_frame.size(); ++j) {
                EXPECT_NEAR(outcome.result.data_error_per_frame[j] / expected.data_error_per_frame[j], 1,
                            1e-4);
            }
        }
    }
}

}  // namespace
}  // namespace tessera::test
