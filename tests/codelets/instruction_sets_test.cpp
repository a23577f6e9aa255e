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
            EXPECT_NEAR(batch.sums().cost / cost, 1, 2e-6);
            EXPECT_LT(relative_error(batch.gradient().object, expected.object), 5e-6);
            EXPECT_LT(relative_error(batch.gradient().probe, expected.probe), 5e-6);
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
            EXPECT_NEAR(sums.trial_cost[0] / expected[0], 1, 2e-6);
            EXPECT_NEAR(sums.trial_cost[3] / expected[1], 1, 2e-6);
            EXPECT_NEAR(sums.trial_cost[5] / expected[2], 1, 2e-6);
            EXPECT_NEAR(sums.trial_cost[6] / expected[3], 1, 2e-6);
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
