// The nine costs of a line search against the oracle's cost at each step, and far fields that are kept over a
// step.
#include "codelets/line_search.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "support/one_batch.hpp"

namespace tessera::test {
namespace {

using reference::Problem;
using reference::ProblemShape;
using reference::Unknowns;
using Field = ProblemShape::Field;

constexpr double ladder_centre = 0.3;

struct Case {
    const char* name;
    ProblemShape shape;
    PatternType type;
};

std::vector<Case> cases() {
    return {
        {"two modes, small probe, f32", {.frame = {12, 15}, .probe = {7, 10}}, PatternType::f32},
        {"one mode, u16",
         {.frame = {12, 15}, .probe = {12, 15}, .num_modes = 1, .seed = 2},
         PatternType::u16},
        {"no mask, no background, u8",
         {.frame = {16, 16},
          .probe = {16, 16},
          .num_modes = 2,
          .detector = ProblemShape::Detector::plain,
          .seed = 3},
         PatternType::u8},
        {"odd number of pixels, i32",
         {.frame = {9, 7}, .probe = {9, 7}, .num_modes = 3, .num_frames = 3, .seed = 4},
         PatternType::i32},
        {"point spread",
         {.frame = {12, 15}, .probe = {7, 10}, .num_modes = 2, .blur_sigma = 0.7, .seed = 7},
         PatternType::u16},
        {"upsampled",
         {.frame = {7, 9}, .probe = {7, 9}, .num_modes = 2, .upsampling = 2, .seed = 8},
         PatternType::u16},
        {"upsampled, point spread, modes of probe and object",
         {.frame = {7, 9},
          .probe = {7, 9},
          .num_modes = 2,
          .num_object_modes = 2,
          .blur_sigma = 0.6,
          .upsampling = 2,
          .seed = 9},
         PatternType::u16},
        {"half of the pixels saturated",
         {.frame = {9, 7}, .probe = {9, 7}, .num_modes = 2, .num_frames = 3, .saturated_from = 12, .seed = 5},
         PatternType::u16},
        {"more than one chunk of pixels",
         {.frame = {34, 37}, .probe = {20, 37}, .num_modes = 1, .num_frames = 2, .seed = 6},
         PatternType::u16},
    };
}

std::vector<double> ladder() {
    std::vector<double> steps = {0};
    for (std::size_t i = 0; i < num_trials; ++i) steps.push_back(trial_step(ladder_centre, i));
    return steps;
}

// A direction of the problem's own size: the probe's modes are as large as its counts make them.
Unknowns direction_of(const Problem& problem, ProbeMotion motion) {
    Unknowns direction = reference::random_direction(problem, 31);
    double largest = 0;
    for (const reference::Value& value : problem.probe) largest = std::max(largest, std::abs(value));
    for (reference::Value& value : direction.probe) value *= motion == ProbeMotion::moving ? largest : 0;
    return as_held(direction);
}

class LineSearch : public testing::TestWithParam<std::tuple<reference::Interpolation, Field, Operations>> {
  protected:
    // Calls check(problem, batch, direction) for every case, noise model and motion; the direction is set,
    // the probe's to NaN when it does not move: nobody may look at it.
    template <class Check>
    static void for_each_case(ProbeMotion motion, KeptWaves kept, const Check& check) {
        for (Case c : cases()) {
            Operations operations = Operations::fused;
            std::tie(c.shape.interpolation, c.shape.field, operations) = GetParam();
            if (operations == Operations::staged && c.shape.num_slices > 1) continue;
            for (const reference::NoiseModel noise : all_noise_models) {
                SCOPED_TRACE(testing::Message() << c.name << ", " << test::name(noise) << ", probe "
                                                << (motion == ProbeMotion::moving ? "moving" : "fixed"));
                c.shape.noise_model = noise;
                const Problem problem = as_held(reference::random_problem(c.shape), c.type);
                const Unknowns direction = direction_of(problem, motion);
                OneBatch batch(problem, c.type, kept);
                batch.operations = operations;
                batch.set_direction(direction, motion);
                IterationState state;
                state.ladder_centre = ladder_centre;
                batch.set_state(state);
                check(problem, batch, direction);
            }
        }
    }
};

// Along the ladder from 1/16 to 8 times the centre the intensity grows up to a few hundredfold: the largest
// of its terms, s^4 |C|^2, sets the rounding of a pixel. Measured: at most 2e-7 of the cost plus the counts.
void expect_costs(const BatchSums& sums, const Problem& problem, const Unknowns& direction) {
    const std::vector<double> steps = ladder();
    const std::vector<double> expected = reference::costs_along(problem, direction, steps);
    double counts = 0;
    for (const double count : problem.patterns) counts += std::max(count, 0.0);
    for (std::size_t i = 0; i <= num_trials; ++i) {
        EXPECT_NEAR(sums.trial_cost[i], expected[i], 2e-6 * (std::abs(expected[i]) + counts))
            << "step " << steps[i];
    }
}

TEST_P(LineSearch, HasTheOraclesCosts) {
    for (const ProbeMotion motion : {ProbeMotion::moving, ProbeMotion::fixed}) {
        for_each_case(motion, KeptWaves::none,
                      [&](const Problem& problem, OneBatch& batch, const Unknowns& direction) {
                          batch.run_line_search(KeptWaves::none, motion);
                          expect_costs(batch.sums(), problem, direction);
                      });
    }
}

TEST_P(LineSearch, HasTheGradientsCostAtStepZero) {
    for_each_case(ProbeMotion::moving, KeptWaves::none, [](const Problem&, OneBatch& batch, const Unknowns&) {
        batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
        const double cost = batch.sums().cost;
        batch.run_line_search(KeptWaves::none, ProbeMotion::moving);
        EXPECT_NEAR(batch.sums().trial_cost[0], cost, 5e-7 * cost);
    });
}

// With kept waves the search reads A and computes B and C: the same numbers.
TEST_P(LineSearch, FindsTheSameWithKeptWaves) {
    for (const ProbeMotion motion : {ProbeMotion::moving, ProbeMotion::fixed}) {
        for_each_case(motion, KeptWaves::refresh, [&](const Problem&, OneBatch& batch, const Unknowns&) {
            batch.run_line_search(KeptWaves::none, motion);
            const BatchSums made_anew = batch.sums();
            batch.run_gradient(KeptWaves::refresh, motion);
            batch.run_line_search(KeptWaves::refresh, motion);
            const BatchSums kept = batch.sums();
            EXPECT_EQ(std::memcmp(kept.trial_cost, made_anew.trial_cost, sizeof kept.trial_cost), 0);
        });
    }
}

// After a step the far field is A + s B + s^2 C: the gradient there agrees with one made anew, and with the
// oracle's. A's three terms are rounded once more: twice the bound of a gradient made anew.
TEST_P(LineSearch, KeepsWavesOverAStep) {
    for (const ProbeMotion motion : {ProbeMotion::moving, ProbeMotion::fixed}) {
        for_each_case(motion, KeptWaves::refresh,
                      [&](const Problem& problem, OneBatch& batch, const Unknowns&) {
                          batch.run_gradient(KeptWaves::refresh, motion);
                          batch.run_line_search(KeptWaves::refresh, motion);
                          IterationState state = batch.get_state();
                          state.step = 0.21;
                          batch.set_state(state);
                          batch.run_step(motion);
                          batch.run_gradient(KeptWaves::advance, motion);
                          const Unknowns advanced = batch.gradient();
                          const double advanced_cost = batch.sums().cost;
                          batch.run_gradient(KeptWaves::none, motion);
                          const Unknowns made_anew = batch.gradient();
                          const Problem there = batch.at_present(problem);
                          ASSERT_GT(relative_error(there.object, problem.object), 0.01);
                          const Unknowns expected = reference::gradient(there);
                          const double cost = reference::cost(there).total;
                          EXPECT_NEAR(advanced_cost, cost, 2e-6 * cost);
                          EXPECT_LT(relative_error(advanced.object, made_anew.object), 1e-5);
                          EXPECT_LT(relative_error(advanced.object, expected.object), 1e-5);
                          if (motion == ProbeMotion::fixed) return;
                          EXPECT_GT(relative_error(there.probe, problem.probe), 0.01);
                          EXPECT_LT(relative_error(advanced.probe, made_anew.probe), 1e-5);
                          EXPECT_LT(relative_error(advanced.probe, expected.probe), 1e-5);
                      });
    }
}

// C of an earlier search with a moving probe must not enter the waves of one with a fixed probe.
TEST_P(LineSearch, ForgetsTheKeptCWhenTheProbeIsFixed) {
    for_each_case(ProbeMotion::moving, KeptWaves::refresh,
                  [](const Problem&, OneBatch& batch, const Unknowns&) {
                      batch.run_gradient(KeptWaves::refresh, ProbeMotion::moving);
                      batch.run_line_search(KeptWaves::refresh, ProbeMotion::moving);
                      batch.run_line_search(KeptWaves::refresh, ProbeMotion::fixed);
                      IterationState state = batch.get_state();
                      state.step = 0.21;
                      batch.set_state(state);
                      batch.run_step(ProbeMotion::fixed);
                      batch.run_gradient(KeptWaves::advance, ProbeMotion::fixed);
                      const reference::Stack advanced = batch.gradient().object;
                      batch.run_gradient(KeptWaves::none, ProbeMotion::fixed);
                      EXPECT_LT(relative_error(advanced, batch.gradient().object), 1e-5);
                  });
}

// A step of zero (no acceptable one) leaves the kept waves as they are, to the last bit.
TEST_P(LineSearch, KeepsWavesOverNoStep) {
    for_each_case(ProbeMotion::moving, KeptWaves::refresh,
                  [](const Problem&, OneBatch& batch, const Unknowns&) {
                      batch.run_gradient(KeptWaves::refresh, ProbeMotion::moving);
                      const Unknowns before = batch.gradient();
                      batch.run_line_search(KeptWaves::refresh, ProbeMotion::moving);
                      batch.run_gradient(KeptWaves::advance, ProbeMotion::moving);
                      EXPECT_EQ(relative_error(batch.gradient().object, before.object), 0);
                      EXPECT_EQ(relative_error(batch.gradient().probe, before.probe), 0);
                  });
}

INSTANTIATE_TEST_SUITE_P(All, LineSearch,
                         testing::Combine(testing::ValuesIn(all_interpolations),
                                          testing::Values(Field::far, Field::near),
                                          testing::Values(Operations::fused, Operations::staged)),
                         [](const auto& chosen) {
                             return std::string(test::name(std::get<0>(chosen.param))) +
                                    (std::get<1>(chosen.param) == Field::far ? "_far" : "_near") +
                                    (std::get<2>(chosen.param) == Operations::fused ? "" : "_staged");
                         });

TEST(TrialSteps, AreALadderOfFactorsOfTwoAroundItsCentre) {
    for (std::size_t i = 0; i < num_trials; ++i) {
        EXPECT_EQ(trial_step(3, i), 3 * std::pow(2.0, static_cast<double>(i) - 4));
    }
    EXPECT_EQ(trial_step(0.7, 4), 0.7);
}

}  // namespace
}  // namespace tessera::test
