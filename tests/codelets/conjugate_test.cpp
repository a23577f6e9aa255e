// The scalar decisions of an iteration, branch by branch, with numbers worked out by hand.
#include "codelets/conjugate.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "codelets/choose_step.hpp"
#include "codelets/line_search.hpp"
#include "support/filled_data.hpp"

namespace tessera::test {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// ---- beta

TEST(ConjugateBeta, IsEachRulesQuotient) {
    const DotProducts dots = {.s1 = 6, .s2 = 2, .s3 = -1, .s1_previous = 8, .slope_previous = -5};
    EXPECT_DOUBLE_EQ(conjugate_beta(DirectionRule::polak_ribiere, dots, 0), (6.0 - 2.0) / 8);
    EXPECT_DOUBLE_EQ(conjugate_beta(DirectionRule::fletcher_reeves, dots, 0), 6.0 / 8);
    EXPECT_DOUBLE_EQ(conjugate_beta(DirectionRule::dai_yuan, dots, 0), 6.0 / (-1 + 5));
    EXPECT_DOUBLE_EQ(conjugate_beta(DirectionRule::heavy_ball, dots, 0.8), 0.8);
}

TEST(ConjugateBeta, OfPolakAndRibiereIsNeverNegative) {
    EXPECT_EQ(conjugate_beta(DirectionRule::polak_ribiere, {.s1 = 2, .s2 = 3, .s1_previous = 8}, 0), 0);
}

TEST(ConjugateBeta, IsZeroWithoutAUsableDenominator) {
    for (const double denominator : {0.0, -1.0, nan}) {
        EXPECT_EQ(
            conjugate_beta(DirectionRule::polak_ribiere, {.s1 = 6, .s2 = 2, .s1_previous = denominator}, 0),
            0);
        EXPECT_EQ(conjugate_beta(DirectionRule::fletcher_reeves, {.s1 = 6, .s1_previous = denominator}, 0),
                  0);
        EXPECT_EQ(conjugate_beta(DirectionRule::dai_yuan, {.s1 = 6, .s3 = denominator}, 0), 0);
    }
    // A quotient beyond all numbers is none.
    EXPECT_EQ(conjugate_beta(DirectionRule::fletcher_reeves, {.s1 = 1e300, .s1_previous = 1e-300}, 0), 0);
}

// ---- The accepted step

// Costs at step 0 and at the ladder's eight steps around 1: 1/16, 1/8, 1/4, 1/2, 1, 2, 4, 8.
using Costs = std::array<double, num_trials + 1>;
constexpr double gentle_slope = -1;  // Armijo asks for 2e-4 of the step

TEST(AcceptedStep, IsTheVertexThroughTheBestThree) {
    // f = 10 + (log2 s + 1)^2: least at s = 1/2, symmetric about it.
    const Costs symmetric = {20, 19, 14, 11, 10, 11, 14, 19, 26};
    EXPECT_DOUBLE_EQ(accepted_step(symmetric, 1, gentle_slope, true), 0.5);
    // Left 11, middle 10, right 10.5: the vertex is at log2 s = -1 + 0.5 (11 - 10.5) / (11 - 20 + 10.5) = -1
    // + 1/6.
    const Costs skew = {20, 19, 14, 11, 10, 10.5, 14, 19, 26};
    EXPECT_NEAR(accepted_step(skew, 1, gentle_slope, true), std::exp2(-1 + 1.0 / 6), 1e-15);
    EXPECT_EQ(accepted_step(skew, 1, gentle_slope, false), 0.5);
    // In units of the ladder's centre.
    EXPECT_NEAR(accepted_step(skew, 3, gentle_slope, true), 3 * std::exp2(-1 + 1.0 / 6), 1e-14);
}

TEST(AcceptedStep, StaysBetweenTheNeighboursOfTheBest) {
    // Nearly as good on the left: the vertex is half a rung away, never more.
    const Costs flat_left = {20, 19, 14, 10, 10, 11, 14, 19, 26};
    EXPECT_NEAR(accepted_step(flat_left, 1, gentle_slope, true), 0.25 * std::exp2(0.5), 1e-15);
}

TEST(AcceptedStep, AtAnEndOfTheLadderIsThatEnd) {
    const Costs falling = {20, 19, 18, 17, 16, 15, 14, 13, 12};
    EXPECT_EQ(accepted_step(falling, 1, gentle_slope, true), 8);
    const Costs rising = {20, 12, 13, 14, 15, 16, 17, 18, 19};
    EXPECT_EQ(accepted_step(rising, 1, gentle_slope, true), 0.0625);
}

TEST(AcceptedStep, NeedsEnoughDescent) {
    // The best trial is step 1. Along a slope of -1 it must lower the cost by 2e-4 times the step.
    Costs costs;
    costs.fill(30);
    costs[0] = 20;
    costs[5] = 20 - 2.1e-4;
    EXPECT_EQ(accepted_step(costs, 1, -1, false), 1);
    costs[5] = 20 - 1.9e-4;
    EXPECT_EQ(accepted_step(costs, 1, -1, false), 0);
    costs[5] = 20 + 1e-9;
    EXPECT_EQ(accepted_step(costs, 1, -1, false), 0);
    costs[5] = 19;
    EXPECT_EQ(accepted_step(costs, 1, -1, false), 1);
    EXPECT_EQ(accepted_step(costs, 1, -6000, false), 0);  // a steep slope asks for 1.2
}

TEST(AcceptedStep, SkipsTrialsThatAreNotNumbers) {
    const Costs costs = {20, 19, 14, 11, 10, 11, nan, nan, nan};
    EXPECT_DOUBLE_EQ(accepted_step(costs, 1, gentle_slope, true), 0.5);
    Costs none;
    none.fill(nan);
    EXPECT_EQ(accepted_step(none, 1, gentle_slope, true), 0);
    none[0] = 20;
    EXPECT_EQ(accepted_step(none, 1, gentle_slope, true), 0);
    // A neighbour without a number: no parabola.
    const Costs beside = {20, 19, 14, 11, 10, nan, 14, 19, 26};
    EXPECT_EQ(accepted_step(beside, 1, gentle_slope, true), 0.5);
}

TEST(AcceptedStep, OfEqualCostsIsNone) {
    Costs costs;
    costs.fill(20);
    EXPECT_EQ(accepted_step(costs, 1, gentle_slope, true), 0);
}

// ---- choose_step: what becomes of the state

IterationState after_choosing(IterationState state, const Costs& costs) {
    BatchSums sums;
    std::copy(costs.begin(), costs.end(), sums.trial_cost);
    const Data sums_data = data_of_one(sums), state_data = data_of_one(state);
    choose_step.submit({}, {&sums_data, &state_data});
    return content_of_one<IterationState>(state_data);
}

const Costs skew_costs = {20, 19, 14, 11, 10, 10.5, 14, 19, 26};

TEST(ChooseStep, CentresTheNextLadderOnTheStep) {
    IterationState state;
    state.slope = -1;
    state.failures = 1;
    state.ladder_centre = 2;
    const IterationState after = after_choosing(state, skew_costs);
    EXPECT_NEAR(after.step, 2 * std::exp2(-1 + 1.0 / 6), 1e-15);
    EXPECT_EQ(after.ladder_centre, after.step);
    EXPECT_EQ(after.failures, 0);
    EXPECT_EQ(after.stopped, 0);
}

TEST(ChooseStep, AfterARiseTakesNoParabola) {
    IterationState state;
    state.slope = -1;
    state.cost_rose = 1;
    EXPECT_EQ(after_choosing(state, skew_costs).step, 0.5);
}

TEST(ChooseStep, StopsAfterTwoFailures) {
    Costs rising;
    for (std::size_t i = 0; i < rising.size(); ++i) rising[i] = 20 + static_cast<double>(i);
    IterationState state;
    state.slope = -1;
    state.step = 0.7;
    const IterationState once = after_choosing(state, rising);
    EXPECT_EQ(once.step, 0);
    EXPECT_EQ(once.failures, 1);
    EXPECT_EQ(once.ladder_centre, 1.0 / 16);
    EXPECT_EQ(once.stopped, 0);
    const IterationState twice = after_choosing(once, rising);
    EXPECT_EQ(twice.step, 0);
    EXPECT_EQ(twice.failures, 2);
    EXPECT_EQ(twice.stopped, static_cast<std::int32_t>(StopReason::no_descent));
}

// ---- conjugate: sums to state

// A probe of one mode and two pixels, so that its share of the dot products is a line of arithmetic: weights
// 1 and 3, maximum 3, alpha 0.1: M = 1 / (0.9 + 0.3) = 5/6 and 1 / (2.7 + 0.3) = 1/3.
class Conjugate : public testing::Test {
  protected:
    Conjugate() {
        args_.iteration = 3;
        args_.num_modes = 1;
        args_.probe_shape = {1, 2};
        state_.iteration = 2;
        state_.previous_cost = 100;
        state_.gradient_norm = 8;
        state_.slope = -8;
        state_.coverage_max = 3;
        sums_.cost = 90;
        sums_.squared_error = 85;
        sums_.gradient_norm = 6;
        sums_.gradient_previous = 2;
        sums_.gradient_direction = -1;
    }

    IterationState run() {
        Data total(sums_bytes(2));
        *batch_sums(total.before_tasks<std::byte>()) = sums_;
        probe_part(total.before_tasks<std::byte>())[0] = {3, 0};
        probe_part(total.before_tasks<std::byte>())[1] = {0, 6};
        const Data previous = data_of(std::vector<cfloat>{{1, 1}, {0, -1}});
        const Data probe = moving_field_of({{5, 5}, {5, 5}}, {{-2, 0}, {0, 1}});
        const Data coverage = data_of(std::vector<float>{1, 3});
        const Data state = data_of_one(state_);
        const Data gradient = data_of(std::vector<cfloat>{{9, 9}, {9, 9}});
        conjugate.submit(args_, {&total, &previous, &probe, &coverage, &gradient, &state});
        probe_gradient_ = content<cfloat>(gradient, 2);
        return content_of_one<IterationState>(state);
    }

    // The probe's shares: S1 = 5/6 9 + 1/3 36 = 19.5, S2 = 5/6 3 + 1/3 (-6) = 0.5, S3 = -6 + 6 = 0.
    static constexpr double s1_ = 6 + 19.5, s2_ = 2 + 0.5, s3_ = -1;
    ConjugateArgs args_;
    IterationState state_;
    BatchSums sums_;
    std::vector<cfloat> probe_gradient_;
};

TEST_F(Conjugate, AddsTheProbesShareAndKeepsItsGradient) {
    const IterationState after = run();
    EXPECT_EQ(after.iteration, 3);
    EXPECT_EQ(after.cost, 90);
    EXPECT_EQ(after.squared_error, 85);
    EXPECT_NEAR(after.gradient_norm, s1_, 1e-5);
    const double beta = (s1_ - s2_) / 8;
    EXPECT_NEAR(after.beta, beta, 1e-6);
    EXPECT_NEAR(after.slope, -s1_ + beta * s3_, 1e-5);
    EXPECT_EQ(after.previous_cost, 90);
    EXPECT_EQ(after.cost_rose, 0);
    EXPECT_EQ(after.stopped, 0);
    EXPECT_EQ(probe_gradient_[0].re, 3);
    EXPECT_EQ(probe_gradient_[1].im, 6);
}

TEST_F(Conjugate, WithAFixedProbeTakesTheObjectsAlone) {
    args_.probe = ProbeMotion::fixed;
    const IterationState after = run();
    EXPECT_DOUBLE_EQ(after.gradient_norm, 6);
    EXPECT_DOUBLE_EQ(after.beta, (6.0 - 2) / 8);
    EXPECT_EQ(probe_gradient_[0].re, 9);  // left as it was
}

TEST_F(Conjugate, OtherRulesTakeTheirOwnBeta) {
    args_.rule = DirectionRule::dai_yuan;
    EXPECT_NEAR(run().beta, s1_ / (s3_ + 8), 1e-6);
    args_.rule = DirectionRule::fletcher_reeves;
    EXPECT_NEAR(run().beta, s1_ / 8, 1e-6);
}

TEST_F(Conjugate, RestartsWhenToldTo) {
    args_.restart = 1;
    const IterationState after = run();
    EXPECT_EQ(after.beta, 0);
    EXPECT_NEAR(after.slope, -s1_, 1e-5);
}

TEST_F(Conjugate, RestartsAfterARise) {
    sums_.cost = 100 * (1 + 2e-6);
    const IterationState after = run();
    EXPECT_EQ(after.beta, 0);
    EXPECT_EQ(after.cost_rose, 1);
    sums_.cost = 100 * (1 + 0.5e-6);  // a rise within rounding is none
    EXPECT_GT(run().beta, 0);
    EXPECT_EQ(run().cost_rose, 0);
}

TEST_F(Conjugate, RestartsAfterAFailedLineSearch) {
    state_.failures = 1;
    EXPECT_EQ(run().beta, 0);
}

TEST_F(Conjugate, RestartsWhenTheDirectionWouldClimb) {
    sums_.gradient_direction = 40;  // beta 2.9 times 40 is far more than S1
    const IterationState after = run();
    EXPECT_EQ(after.beta, 0);
    EXPECT_NEAR(after.slope, -s1_, 1e-5);
}

TEST_F(Conjugate, FirstIterationComparesWithNothing) {
    args_.iteration = 0;
    args_.restart = 1;
    args_.tolerance = 0.5;
    state_ = IterationState{};
    state_.coverage_max = 3;
    const IterationState after = run();
    EXPECT_EQ(after.cost_rose, 0);
    EXPECT_EQ(after.stopped, 0);
}

TEST_F(Conjugate, StopsWhenConverged) {
    args_.tolerance = 0.2;  // fell by 10 %
    const IterationState after = run();
    EXPECT_EQ(after.stopped, static_cast<std::int32_t>(StopReason::converged));
    EXPECT_EQ(after.step, 0);
    EXPECT_EQ(after.cost, 90);
    args_.tolerance = 0.05;
    EXPECT_EQ(run().stopped, 0);
    sums_.cost = 101;  // a rise is no convergence
    args_.tolerance = 0.2;
    EXPECT_EQ(run().stopped, 0);
}

TEST_F(Conjugate, StopsWhenAFrameIsNotFinite) {
    sums_.bad_frames = 2;
    const IterationState after = run();
    EXPECT_EQ(after.stopped, static_cast<std::int32_t>(StopReason::not_finite));
    EXPECT_EQ(after.bad_frames, 2);
}

TEST_F(Conjugate, StopsWhenASumIsNotFinite) {
    sums_.cost = nan;
    EXPECT_EQ(run().stopped, static_cast<std::int32_t>(StopReason::not_finite));
    sums_.cost = 90;
    sums_.gradient_norm = std::numeric_limits<double>::infinity();
    EXPECT_EQ(run().stopped, static_cast<std::int32_t>(StopReason::not_finite));
}

TEST_F(Conjugate, HeavyBallHasItsMomentumAndItsStep) {
    args_.rule = DirectionRule::heavy_ball;
    args_.momentum = 0.8;
    args_.step = 0.5;
    sums_.gradient_direction = 1000;  // it may climb for a while
    const IterationState after = run();
    EXPECT_EQ(after.beta, 0.8);
    EXPECT_EQ(after.step, 0.5);
    sums_.cost = 101;  // but drops the momentum when the cost rose
    EXPECT_EQ(run().beta, 0);
}

}  // namespace
}  // namespace tessera::test
