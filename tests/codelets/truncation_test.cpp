// Frames whose windows reach out of their tile into vacuum, against the oracle of an object that is 1 there,
// or 0 in modes after the first.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "codelets/line_search.hpp"
#include "support/one_batch.hpp"

namespace tessera::test {
namespace {

using reference::Problem;
using reference::ProblemShape;
using reference::Unknowns;
using Field = ProblemShape::Field;

// Single precision, as in gradient_test.cpp.
constexpr double gradient_bound = 5e-6;

double sum_of_counts(const Problem& problem) {
    double sum = 0;
    for (const double count : problem.patterns) sum += std::max(count, 0.0);
    return sum;
}

// Every pixel outside of the tile becomes `value`, of planes from `first` on.
void set_outside(reference::Stack& object, const Rect& part, reference::Value value,
                 std::ptrdiff_t first = 0) {
    for (std::ptrdiff_t slice = first; slice < object.extent(0); ++slice) {
        for (std::ptrdiff_t y = 0; y < object.extent(1); ++y) {
            for (std::ptrdiff_t x = 0; x < object.extent(2); ++x) {
                if (y < part.y0 || y >= part.y1 || x < part.x0 || x >= part.x1) object(slice, y, x) = value;
            }
        }
    }
}

Problem truncated(Problem problem, const Rect& part) {
    set_outside(problem.object, part, 1);
    if (problem.num_object_modes > 1) set_outside(problem.object, part, 0, 1);
    return problem;
}

// The problem's gradient where the tile is.
Unknowns truncated_gradient(const Problem& problem, const Rect& part) {
    Unknowns gradient = reference::gradient(problem);
    set_outside(gradient.object, part, 0);
    return gradient;
}

// A direction of the problem's own size that leaves vacuum alone.
Unknowns direction_of(const Problem& problem, const Rect& part, ProbeMotion motion) {
    Unknowns direction = reference::random_direction(problem, 31);
    set_outside(direction.object, part, 0);
    double largest = 0;
    for (const reference::Value& value : problem.probe) largest = std::max(largest, std::abs(value));
    for (reference::Value& value : direction.probe) value *= motion == ProbeMotion::moving ? largest : 0;
    return as_held(direction);
}

class Truncation : public testing::TestWithParam<std::tuple<reference::Interpolation, Field>> {
  protected:
    // Calls check(truncated problem as held, part) for slices, modes and parts of the object: cut on either
    // side, on all, and to a pixel. Every problem has frames that reach out.
    template <class Check>
    static void for_each_problem(const Check& check) {
        for (const auto& [num_slices, num_object_modes, num_modes] :
             {std::tuple{1, 1, 2}, {3, 1, 1}, {1, 2, 2}}) {
            ProblemShape shape{.frame = {14, 15},
                               .probe = {9, 12},
                               .num_modes = num_modes,
                               .num_slices = num_slices,
                               .num_object_modes = num_object_modes,
                               .num_frames = 3,
                               .seed = 12};
            std::tie(shape.interpolation, shape.field) = GetParam();
            const Problem whole = as_held(reference::random_problem(shape), PatternType::f32);
            const int height = static_cast<int>(whole.object.extent(1)),
                      width = static_cast<int>(whole.object.extent(2));
            for (const Rect& part : {Rect{3, 0, height, width - 4}, Rect{0, 5, height - 2, width},
                                     Rect{4, 3, height - 5, width - 4}, Rect{7, 8, 8, 9}}) {
                SCOPED_TRACE(testing::Message()
                             << num_slices << " slices, " << num_object_modes << " modes, [" << part.y0
                             << ", " << part.y1 << ") x [" << part.x0 << ", " << part.x1 << ")");
                check(truncated(whole, part), part);
            }
        }
    }
};

TEST_P(Truncation, HasTheOraclesGradientWhereTheTileIs) {
    for_each_problem([](const Problem& problem, const Rect& part) {
        OneBatch batch(problem, PatternType::f32, KeptWaves::none, part);
        ASSERT_TRUE(batch.shape.reaches_out);
        batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
        const double cost = reference::cost(problem).total;
        EXPECT_NEAR(batch.sums().cost, cost, 5e-7 * (cost + sum_of_counts(problem)));
        const Unknowns found = batch.gradient(), expected = truncated_gradient(problem, part);
        EXPECT_LT(relative_error(found.object, expected.object), gradient_bound);
        EXPECT_LT(relative_error(found.probe, expected.probe), gradient_bound);
    });
}

// df = 2 Re <g, delta> for a change that leaves vacuum alone, by differences of the oracle's cost.
TEST_P(Truncation, HasTheGradientOfTheTruncatedCost) {
    for_each_problem([](const Problem& problem, const Rect& part) {
        OneBatch batch(problem, PatternType::f32, KeptWaves::none, part);
        batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
        const Unknowns direction = direction_of(problem, part, ProbeMotion::moving);
        constexpr double h = 1e-5;
        const std::vector<double> costs = reference::costs_along(problem, direction, {h, -h});
        const double slope = 2 * reference::dot(batch.gradient(), direction).real();
        EXPECT_NEAR(slope, (costs[0] - costs[1]) / (2 * h), 1e-4 * std::abs(slope) + 1e-6 * costs[0]);
    });
}

TEST_P(Truncation, HasTheOraclesCostsAtTheTrialSteps) {
    for (const ProbeMotion motion : {ProbeMotion::moving, ProbeMotion::fixed}) {
        for (const KeptWaves waves : {KeptWaves::none, KeptWaves::refresh}) {
            for_each_problem([&](const Problem& problem, const Rect& part) {
                const bool is_sliced = problem.num_slices() > 1;
                if (is_sliced && waves != KeptWaves::none) return;
                OneBatch batch(problem, PatternType::f32, waves, part);
                const Unknowns direction = direction_of(problem, part, motion);
                batch.set_direction(direction, motion);
                IterationState state;
                state.ladder_centre = 0.3;
                batch.set_state(state);
                if (waves != KeptWaves::none) batch.run_gradient(waves, motion);
                batch.run_line_search(waves, motion);
                const BatchSums sums = batch.sums();
                const std::size_t count = is_sliced ? num_sliced_trials : num_trials;
                std::vector<double> steps;
                for (std::size_t i = 0; i < count; ++i)
                    steps.push_back(is_sliced ? sliced_trial_step(0.3, i) : trial_step(0.3, i));
                const std::vector<double> expected = reference::costs_along(problem, direction, steps);
                for (std::size_t i = 0; i < count; ++i) {
                    EXPECT_NEAR(sums.trial_cost[i + 1], expected[i],
                                1e-6 * (std::abs(expected[i]) + sum_of_counts(problem)))
                        << "step " << steps[i];
                }
            });
        }
    }
}

TEST_P(Truncation, EvaluatesToTheOraclesCost) {
    for_each_problem([](const Problem& problem, const Rect& part) {
        OneBatch batch(problem, PatternType::f32, KeptWaves::none, part);
        batch.run_evaluate();
        const reference::Cost expected = reference::cost(problem);
        EXPECT_NEAR(batch.sums().cost, expected.total, 5e-7 * (expected.total + sum_of_counts(problem)));
    });
}

TEST_P(Truncation, LightsUpTheTileAlone) {
    for_each_problem([](const Problem& problem, const Rect& part) {
        OneBatch batch(problem, PatternType::f32, KeptWaves::none, part);
        batch.run_illumination();
        const Unknowns found = batch.gradient();
        reference::Stack expected(problem.object.extents());
        for (std::ptrdiff_t slice = 0; slice < problem.object.extent(0); ++slice) {
            const reference::RealImage weight =
                reference::illumination(problem, problem.num_object_modes > 1 ? 0 : slice);
            std::copy(weight.begin(), weight.end(), expected.slice(slice).begin());
        }
        set_outside(expected, part, 0);
        EXPECT_LT(relative_error(found.object, expected), 1e-6);
        const reference::RealImage coverage = reference::coverage(problem);
        for (std::ptrdiff_t i = 0; i < coverage.size(); ++i)
            EXPECT_NEAR(found.probe.slice(0)[i].real(), coverage[i], 1e-6 * coverage[i]);
    });
}

INSTANTIATE_TEST_SUITE_P(All, Truncation,
                         testing::Combine(testing::ValuesIn(all_interpolations),
                                          testing::Values(Field::far, Field::near)),
                         [](const auto& chosen) {
                             return std::string(name(std::get<0>(chosen.param))) +
                                    (std::get<1>(chosen.param) == Field::far ? "_far" : "_near");
                         });

}  // namespace
}  // namespace tessera::test
