// One text of the kernels, compiled once per instruction set: each agrees with the oracle, not only the best
// one.
#include <gtest/gtest.h>

#include <algorithm>

#include "support/instruction_sets.hpp"
#include "support/one_batch.hpp"

namespace tessera::test {
namespace {

using reference::Problem;
using reference::ProblemShape;

// Relative, in single precision.
struct Bounds {
    double cost, gradient;
};
constexpr Bounds bounds = {2e-6, 5e-6};

template <class Check>
void for_each_problem(const Check& check) {
    for (const reference::Interpolation interpolation : all_interpolations) {
        for (const reference::NoiseModel noise : all_noise_models) {
            for (const auto field : {ProblemShape::Field::far, ProblemShape::Field::near}) {
                SCOPED_TRACE(testing::Message() << name(interpolation) << ", " << name(noise));
                const Problem problem = as_held(reference::random_problem({.probe = {7, 10},
                                                                           .interpolation = interpolation,
                                                                           .noise_model = noise,
                                                                           .field = field}),
                                                PatternType::u16);
                check(problem);
            }
        }
    }
}

TEST(InstructionSets, AgreeWithTheOraclesGradient) {
    for_each_problem([](const Problem& problem) {
        const reference::Unknowns expected = reference::gradient(problem);
        const double cost = reference::cost(problem).total;
        OneBatch batch(problem, PatternType::u16);
        for_each_instruction_set([&] {
            batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
            EXPECT_NEAR(batch.sums().cost / cost, 1, bounds.cost);
            EXPECT_LT(relative_error(batch.gradient().object, expected.object), bounds.gradient);
            EXPECT_LT(relative_error(batch.gradient().probe, expected.probe), bounds.gradient);
        });
    });
}

TEST(InstructionSets, AgreeWithTheOraclesCostsAlongALine) {
    for_each_problem([](const Problem& problem) {
        const reference::Unknowns direction = as_held(reference::random_direction(problem, 31));
        const std::vector<double> expected = reference::costs_along(problem, direction, {0, 0.25, 1, 2});
        OneBatch batch(problem, PatternType::u16);
        batch.set_direction(direction, ProbeMotion::moving);
        batch.set_state(IterationState{});  // ladder: 1/16, 1/8, 1/4, 1/2, 1, 2, 4, 8
        for_each_instruction_set([&] {
            batch.run_line_search(KeptWaves::none, ProbeMotion::moving);
            const BatchSums sums = batch.sums();
            EXPECT_NEAR(sums.trial_cost[0] / expected[0], 1, bounds.cost);
            EXPECT_NEAR(sums.trial_cost[3] / expected[1], 1, bounds.cost);
            EXPECT_NEAR(sums.trial_cost[5] / expected[2], 1, bounds.cost);
            EXPECT_NEAR(sums.trial_cost[6] / expected[3], 1, bounds.cost);
        });
    });
}

TEST(InstructionSets, AreMoreThanOneOnX86) {
    int count = 0;
    for_each_instruction_set([&] { ++count; });
#ifdef __x86_64__
    EXPECT_GE(count, 2);
#else
    EXPECT_GE(count, 1);
#endif
}

}  // namespace
}  // namespace tessera::test
