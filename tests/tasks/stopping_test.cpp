// How runs end: converged, without a descent, by request, with numbers that are none.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>

#include "base/error.hpp"
#include "support/small_run.hpp"

namespace tessera::test {
namespace {

class Stopping : public testing::Test {
  protected:
    Stopping() { config_ = scan_.run_config(); }
    SmallScan scan_{far_field_scan()};
    RunConfig config_;
};

// The host learns of convergence up to submit_ahead iterations late; what was submitted meanwhile must change
// nothing.
TEST_F(Stopping, WhenConvergedDoesNotDependOnHowFarTheHostIsAhead) {
    for (const auto waves : {Waves::keep, Waves::recompute}) {
        config_.runtime.waves = waves;
        config_.engines[0].num_iter = 30;
        config_.engines[0].tolerance = 0.1;
        config_.runtime.submit_ahead = 1;
        const Outcome patient = run(config_);
        ASSERT_GT(patient.result.cost.size(), 2U);
        ASSERT_LT(patient.result.cost.size(), 25U);
        EXPECT_EQ(patient.final_state.stopped, static_cast<std::int32_t>(StopReason::converged));
        EXPECT_EQ(patient.result.step.back(), 0);
        for (const int ahead : {2, 5, 29}) {
            config_.runtime.submit_ahead = ahead;
            const Outcome eager = run(config_);
            expect_bitwise_equal(eager, patient);
            EXPECT_EQ(eager.final_state.iteration, patient.final_state.iteration);
            EXPECT_EQ(eager.final_state.cost, patient.final_state.cost);
            EXPECT_EQ(eager.reports.size(), patient.reports.size());
        }
        // The same iterations as without a tolerance: it only ends them.
        config_.engines[0].tolerance = 0;
        config_.engines[0].num_iter = static_cast<int>(patient.reports.size()) - 1;
        const Outcome shorter = run(config_);
        EXPECT_EQ(shorter.result.final_cost, patient.result.final_cost);
        EXPECT_EQ(relative_difference(shorter.result.object, patient.result.object), 0);
    }
}

TEST_F(Stopping, OfOneEngineLetsTheNextOneBegin) {
    config_.engines = {{.name = EngineName::CG, .num_iter = 20, .tolerance = 0.2},
                       {.name = EngineName::CG, .num_iter = 3, .noise_model = NoiseModel::poisson}};
    const Outcome outcome = run(config_);
    ASSERT_LT(outcome.reports.size(), 20U);
    EXPECT_EQ(outcome.reports.back().iteration, 2);
    EXPECT_GT(outcome.reports.back().step, 0);
    EXPECT_LT(outcome.result.final_cost, outcome.reports[outcome.reports.size() - 3].cost);
    EXPECT_FALSE(outcome.stopped_early);
}

// Six frames fit so well after some hundred iterations that what is left of the descent drowns in rounding:
// no trial step is better any more, twice running.
TEST(StoppingWithoutDescent, KeepsTheObjectWhateverTheHostsLead) {
    SimulationConfig simulation = far_field_scan();
    simulation.scan.grid = {2, 3};
    const SmallScan scan(simulation);
    RunConfig config = scan.run_config();
    config.tiling.tiles = {1, 2};
    config.engines[0].num_iter = 5000;
    config.engines[0].noise_model = NoiseModel::poisson;
    config.runtime.submit_ahead = 1;
    const Outcome patient = run(config);
    EXPECT_EQ(patient.final_state.stopped, static_cast<std::int32_t>(StopReason::no_descent));
    ASSERT_LT(patient.reports.size(), 5000U);
    ASSERT_GT(patient.reports.size(), 20U);
    EXPECT_EQ(patient.reports.back().step, 0);
    EXPECT_EQ(patient.reports[patient.reports.size() - 2].step, 0);
    EXPECT_LT(patient.result.final_cost, 0.05 * patient.reports.front().cost);
    config.runtime.submit_ahead = 40;
    expect_bitwise_equal(run(config), patient);
}

TEST_F(Stopping, OnRequestKeepsWhatIsThere) {
    std::atomic<bool> stop = true;
    const Outcome outcome = run(config_, {.num_out_slots = {}, .stop_requested = &stop});
    EXPECT_TRUE(outcome.stopped_early);
    ASSERT_EQ(outcome.reports.size(), 1U);
    EXPECT_EQ(outcome.reports[0].step, 0);
    EXPECT_EQ(outcome.result.cost.size(), 1U);
    EXPECT_TRUE(std::isfinite(outcome.result.final_cost));
    EXPECT_GT(outcome.result.object.size(), 0);
}

TEST_F(Stopping, AtTheTimeLimitKeepsWhatIsThere) {
    config_.runtime.time_limit_s = 1e-9;
    config_.engines.push_back(config_.engines[0]);
    const Outcome outcome = run(config_);
    EXPECT_TRUE(outcome.stopped_early);
    ASSERT_EQ(outcome.reports.size(), 1U);
    EXPECT_EQ(outcome.reports[0].step, 0);
}

// Gradient descent with a step far beyond the curvature runs away; the error says when, and is the same for
// every lead of the host.
TEST_F(Stopping, WhenNotFiniteIsAnErrorThatNamesTheIteration) {
    config_.engines[0].name = EngineName::GD;
    config_.engines[0].num_iter = 100;
    config_.engines[0].step = 1e6;
    config_.engines[0].momentum = 0;
    std::string first;
    for (const int ahead : {1, 6}) {
        config_.runtime.submit_ahead = ahead;
        try {
            run(config_);
            ADD_FAILURE() << "it did not diverge";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ExitCode::diverged);
            const std::string message = error.what();
            EXPECT_NE(message.find("GD: the cost is not finite after 3 iterations"), std::string::npos)
                << message;
            if (first.empty()) first = message;
            EXPECT_EQ(message, first);
        }
    }
}

}  // namespace
}  // namespace tessera::test
