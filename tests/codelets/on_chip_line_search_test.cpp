// The line search by on-chip kernels against the staged ones and, but for the largest frames, the oracle.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "codelets/line_search.hpp"
#include "support/on_chip_test.hpp"
#include "support/one_batch.hpp"

namespace tessera::test {
namespace {

using reference::Problem;
using reference::ProblemShape;
using reference::Unknowns;

constexpr double ladder_centre = 0.3;

struct Case {
    const char* name;
    std::ptrdiff_t size, num_modes, num_frames;
    reference::NoiseModel noise_model;
    PatternType type;
};
constexpr Case all_cases[] = {
    {"64, two modes, u16", 64, 2, 3, reference::NoiseModel::amplitude, PatternType::u16},
    {"64, one mode, f32", 64, 1, 2, reference::NoiseModel::poisson, PatternType::f32},
    {"64, three modes, i32", 64, 3, 1, reference::NoiseModel::gaussian, PatternType::i32},
    {"128, two modes, u8", 128, 2, 1, reference::NoiseModel::amplitude, PatternType::u8},
    {"256, two modes, u16", 256, 2, 1, reference::NoiseModel::poisson, PatternType::u16},
};

using Given = std::tuple<reference::Interpolation, ProbeMotion>;
class OnChipLineSearch : public OnChipTest<testing::TestWithParam<Given>> {};

// As line_search_test.cpp's bound.
void expect_costs(const BatchSums& sums, const Problem& problem, const std::vector<double>& expected) {
    double counts = 0;
    for (const double count : problem.patterns) counts += std::max(count, 0.0);
    for (std::size_t i = 0; i <= num_trials; ++i) {
        EXPECT_NEAR(sums.trial_cost[i], expected[i], 2e-6 * (std::abs(expected[i]) + counts)) << "step " << i;
    }
}

std::vector<double> oracles_costs(const Problem& problem, const Unknowns& direction) {
    std::vector<double> steps = {0};
    for (std::size_t i = 0; i < num_trials; ++i) steps.push_back(trial_step(ladder_centre, i));
    return reference::costs_along(problem, direction, steps);
}

Unknowns direction_of(const Problem& problem, ProbeMotion motion) {
    Unknowns direction = reference::random_direction(problem, 31);
    double largest = 0;
    for (const reference::Value& value : problem.probe) largest = std::max(largest, std::abs(value));
    for (reference::Value& value : direction.probe) value *= motion == ProbeMotion::moving ? largest : 0;
    return as_held(direction);
}

std::vector<double> costs_of(const BatchSums& sums) {
    return {std::begin(sums.trial_cost), std::end(sums.trial_cost)};
}

bool same_costs(const BatchSums& a, const BatchSums& b) {
    return std::memcmp(a.trial_cost, b.trial_cost, sizeof a.trial_cost) == 0;
}

TEST_P(OnChipLineSearch, HasTheOraclesAndTheStagedCosts) {
    const auto [interpolation, motion] = GetParam();
    for (const Case& c : all_cases) {
        SCOPED_TRACE(c.name);
        const Problem problem = as_held(reference::random_problem({.frame = {c.size, c.size},
                                                                   .probe = {c.size, c.size},
                                                                   .num_modes = c.num_modes,
                                                                   .num_frames = c.num_frames,
                                                                   .interpolation = interpolation,
                                                                   .noise_model = c.noise_model}),
                                        c.type);
        const Unknowns direction = direction_of(problem, motion);
        OneBatch batch(problem, c.type);
        batch.set_direction(direction, motion);
        IterationState state;
        state.ladder_centre = ladder_centre;
        batch.set_state(state);
        batch.run_line_search(KeptWaves::none, motion);
        const BatchSums staged = batch.sums();
        batch.shape.on_chip = true;
        batch.run_line_search(KeptWaves::none, motion);
        const BatchSums sums = batch.sums();
        expect_costs(sums, problem, costs_of(staged));
        expect_other_kernels(same_costs(sums, staged));
        if (c.size <= 128) expect_costs(sums, problem, oracles_costs(problem, direction));
    }
}

TEST_P(OnChipLineSearch, RepeatsBitwiseAndRestsOnceStopped) {
    const auto [interpolation, motion] = GetParam();
    const Problem problem =
        as_held(reference::random_problem(
                    {.frame = {64, 64}, .probe = {64, 64}, .num_modes = 2, .interpolation = interpolation}),
                PatternType::u16);
    OneBatch batch(problem, PatternType::u16);
    batch.shape.on_chip = true;
    batch.set_direction(direction_of(problem, motion), motion);
    IterationState state;
    state.ladder_centre = ladder_centre;
    batch.set_state(state);
    batch.run_line_search(KeptWaves::none, motion);
    const BatchSums first = batch.sums();
    batch.run_line_search(KeptWaves::none, motion);
    EXPECT_TRUE(same_costs(batch.sums(), first));
    state.stopped = static_cast<std::int32_t>(StopReason::converged);
    batch.set_state(state);
    batch.run_line_search(KeptWaves::none, motion);
    EXPECT_TRUE(same_costs(batch.sums(), BatchSums()));
}

INSTANTIATE_TEST_SUITE_P(All, OnChipLineSearch,
                         testing::Combine(testing::Values(reference::Interpolation::nearest,
                                                          reference::Interpolation::fourier),
                                          testing::Values(ProbeMotion::moving, ProbeMotion::fixed)),
                         [](const auto& chosen) {
                             return std::string(test::name(std::get<0>(chosen.param))) +
                                    (std::get<1>(chosen.param) == ProbeMotion::moving ? "_moving" : "_fixed");
                         });

}  // namespace
}  // namespace tessera::test
