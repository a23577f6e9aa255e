// Cost and gradient of a batch against the oracle, through StarPU.
#include "codelets/gradient.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/one_batch.hpp"

namespace tessera::test {
namespace {

using reference::Problem;
using reference::ProblemShape;
using Detector = ProblemShape::Detector;
using Field = ProblemShape::Field;

// Single precision: every transform and product adds a few units of 2^-24 = 6e-8, and pixels with little
// light amplify them (sqrt(d) Psi / |Psi|, d Psi / I). Measured: at most 1.2e-6 of the norm over all cases
// below.
constexpr double gradient_bound = 5e-6;
// A pixel's cost is a difference of numbers of the size of its counts and intensity, each with a few units of
// error.
constexpr double cost_bound = 5e-7;

double sum_of_counts(const Problem& problem) {
    double sum = 0;
    for (const double count : problem.patterns) sum += std::max(count, 0.0);
    return sum;
}

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
         {.frame = {16, 16}, .probe = {16, 16}, .num_modes = 2, .detector = Detector::plain, .seed = 3},
         PatternType::u8},
        {"odd number of pixels, i32",
         {.frame = {9, 7}, .probe = {9, 7}, .num_modes = 2, .num_frames = 5, .seed = 4},
         PatternType::i32},
        {"odd probe in even frame, three modes",
         {.frame = {8, 20}, .probe = {5, 3}, .num_modes = 3, .num_frames = 3, .seed = 5},
         PatternType::f32},
        {"more than one chunk of pixels",
         {.frame = {34, 37}, .probe = {20, 37}, .num_modes = 1, .num_frames = 2, .seed = 6},
         PatternType::u16},
        {"point spread",
         {.frame = {12, 15}, .probe = {7, 10}, .num_modes = 2, .blur_sigma = 0.7, .seed = 11},
         PatternType::u16},
        {"point spread wider than the frame, saturated",
         {.frame = {9, 7},
          .probe = {9, 7},
          .num_modes = 1,
          .num_frames = 3,
          .blur_sigma = 2.5,
          .saturated_from = 12,
          .seed = 12},
         PatternType::f32},
        {"point spread, three slices",
         {.frame = {12, 15}, .probe = {7, 10}, .num_slices = 3, .blur_sigma = 1, .seed = 13},
         PatternType::i32},
        {"upsampled, the window of a frame",
         {.frame = {12, 15}, .probe = {12, 15}, .num_modes = 2, .upsampling = 2, .seed = 14},
         PatternType::u16},
        {"upsampled three times, point spread, saturated",
         {.frame = {7, 6},
          .probe = {7, 6},
          .num_modes = 1,
          .blur_sigma = 0.6,
          .upsampling = 3,
          .saturated_from = 12,
          .seed = 15},
         PatternType::f32},
        {"upsampled, point spread, modes of probe and object",
         {.frame = {7, 6},
          .probe = {7, 6},
          .num_modes = 2,
          .num_object_modes = 3,
          .blur_sigma = 0.6,
          .upsampling = 2,
          .seed = 18},
         PatternType::u16},
        {"half of the pixels saturated, u16",
         {.frame = {12, 15}, .probe = {7, 10}, .num_modes = 2, .saturated_from = 12, .seed = 9},
         PatternType::u16},
        {"half of the pixels saturated, f32",
         {.frame = {12, 15}, .probe = {12, 15}, .num_modes = 1, .saturated_from = 12, .seed = 10},
         PatternType::f32},
        {"three slices, small probe, two modes",
         {.frame = {12, 15}, .probe = {7, 10}, .num_slices = 3, .seed = 8},
         PatternType::f32},
        {"one frame of one pixel",
         {.frame = {1, 1},
          .probe = {1, 1},
          .num_modes = 1,
          .num_frames = 1,
          .detector = Detector::plain,
          .seed = 7},
         PatternType::f32},
    };
}

class Gradient : public testing::TestWithParam<std::tuple<reference::Interpolation, Field, Operations>> {
  protected:
    // Calls check(problem as held, its batch) for every case and noise model.
    template <class Check>
    static void for_each_case(const Check& check) {
        for (Case c : cases()) {
            Operations operations = Operations::fused;
            std::tie(c.shape.interpolation, c.shape.field, operations) = GetParam();
            if (operations == Operations::staged && c.shape.num_slices > 1) continue;
            for (const reference::NoiseModel noise : all_noise_models) {
                SCOPED_TRACE(testing::Message() << c.name << ", " << test::name(noise));
                c.shape.noise_model = noise;
                const Problem problem = as_held(reference::random_problem(c.shape), c.type);
                OneBatch batch(problem, c.type);
                batch.operations = operations;
                check(problem, batch);
            }
        }
    }
};

double squared_error(const Problem& problem) {
    double sum = 0;
    for (std::ptrdiff_t j = 0; j < problem.num_frames(); ++j) {
        const reference::RealImage model = reference::intensity(problem, j);
        for (std::ptrdiff_t i = 0; i < model.size(); ++i) {
            const double counts = problem.patterns.slice(j)[i];
            if (counts < 0 || (!problem.mask.empty() && problem.mask[i] == 0)) continue;
            if (counts >= problem.saturated_from && model[i] >= counts) continue;
            sum += std::pow(std::sqrt(model[i]) - std::sqrt(counts), 2);
        }
    }
    return sum;
}

TEST_P(Gradient, AgreesWithTheOracle) {
    for_each_case([](const Problem& problem, OneBatch& batch) {
        batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
        const BatchSums sums = batch.sums();
        const double cost = reference::cost(problem).total, error = squared_error(problem);
        const double counts = sum_of_counts(problem);
        EXPECT_NEAR(sums.cost, cost, cost_bound * (cost + counts));
        EXPECT_NEAR(sums.squared_error, error, cost_bound * (error + counts));
        EXPECT_EQ(sums.bad_frames, 0);
        const reference::Unknowns found = batch.gradient(), expected = reference::gradient(problem);
        EXPECT_LT(relative_error(found.object, expected.object), gradient_bound);
        EXPECT_LT(relative_error(found.probe, expected.probe), gradient_bound);
    });
}

TEST_P(Gradient, WithAFixedProbeIsTheObjectsAlone) {
    for_each_case([](const Problem&, OneBatch& batch) {
        batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
        const reference::Unknowns both = batch.gradient();
        const double cost = batch.sums().cost;
        batch.run_gradient(KeptWaves::none, ProbeMotion::fixed);
        const reference::Unknowns object_only = batch.gradient();
        EXPECT_EQ(batch.sums().cost, cost);
        EXPECT_LT(relative_error(object_only.object, both.object), 1e-7);
        for (const reference::Value& value : object_only.probe) EXPECT_EQ(value, reference::Value(0, 0));
    });
}

// The codelet against itself: its gradient is the derivative of its cost, so that forward and backward are
// adjoint. Single precision leaves 1e-6 of the cost to the difference quotient of step 0.02.
TEST_P(Gradient, IsTheDerivativeOfTheCodeletsOwnCost) {
    for (const reference::NoiseModel noise : all_noise_models) {
        ProblemShape shape{.frame = {12, 15}, .probe = {7, 10}, .noise_model = noise};
        std::tie(shape.interpolation, shape.field, std::ignore) = GetParam();
        const Problem problem = as_held(reference::random_problem(shape), PatternType::f32);
        OneBatch batch(problem, PatternType::f32);
        batch.operations = std::get<Operations>(GetParam());
        batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
        const reference::Unknowns gradient = batch.gradient();
        reference::Unknowns direction = as_held(reference::random_direction(problem, 21));
        const double alignment = reference::dot(gradient, direction).real();
        ASSERT_NE(alignment, 0);
        const auto cost_at = [&](double step) {
            const Problem moved = as_held(reference::moved(problem, direction, step), PatternType::i32);
            Problem same_counts = moved;
            same_counts.patterns = problem.patterns;
            OneBatch there(same_counts, PatternType::f32);
            there.operations = std::get<Operations>(GetParam());
            there.run_gradient(KeptWaves::none, ProbeMotion::fixed);
            return there.sums().cost;
        };
        const double h = 0.02;
        const double slope = (8 * (cost_at(h) - cost_at(-h)) - (cost_at(2 * h) - cost_at(-2 * h))) / (12 * h);
        const double cost = batch.sums().cost;
        EXPECT_NEAR(slope, 2 * alignment, 2e-3 * std::abs(alignment) + 1e-6 * cost / h) << test::name(noise);
    }
}

// The same batch, frame by frame: a batch is the sum of its frames.
TEST_P(Gradient, OfABatchIsTheSumOverItsFrames) {
    ProblemShape shape;
    std::tie(shape.interpolation, shape.field, std::ignore) = GetParam();
    const Problem problem = as_held(reference::random_problem(shape), PatternType::f32);
    OneBatch whole(problem, PatternType::f32);
    whole.operations = std::get<Operations>(GetParam());
    whole.run_gradient(KeptWaves::none, ProbeMotion::moving);
    reference::Unknowns sum{reference::Stack(problem.object.extents()),
                            reference::Stack(problem.probe.extents())};
    double cost = 0;
    for (std::ptrdiff_t j = 0; j < problem.num_frames(); ++j) {
        Problem one = problem;
        one.windows = {problem.windows[static_cast<std::size_t>(j)]};
        one.patterns = Array<double, 3>({1, problem.patterns.extent(1), problem.patterns.extent(2)});
        for (std::ptrdiff_t i = 0; i < one.patterns.size(); ++i)
            one.patterns[i] = problem.patterns.slice(j)[i];
        OneBatch batch(one, PatternType::f32);
        batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
        const reference::Unknowns part = batch.gradient();
        for (std::ptrdiff_t i = 0; i < sum.object.size(); ++i) sum.object[i] += part.object[i];
        for (std::ptrdiff_t i = 0; i < sum.probe.size(); ++i) sum.probe[i] += part.probe[i];
        cost += batch.sums().cost;
    }
    const reference::Unknowns all = whole.gradient();
    EXPECT_NEAR(whole.sums().cost, cost, 1e-12 * cost);
    EXPECT_LT(relative_error(all.object, sum.object), 5e-7);
    EXPECT_LT(relative_error(all.probe, sum.probe), 1e-6);
}

TEST_P(Gradient, RepeatsBitwise) {
    ProblemShape shape;
    std::tie(shape.interpolation, shape.field, std::ignore) = GetParam();
    const Problem problem = as_held(reference::random_problem(shape), PatternType::f32);
    OneBatch batch(problem, PatternType::f32);
    batch.operations = std::get<Operations>(GetParam());
    batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
    const reference::Unknowns first = batch.gradient();
    const double cost = batch.sums().cost;
    batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
    EXPECT_EQ(batch.sums().cost, cost);
    EXPECT_EQ(relative_error(batch.gradient().object, first.object), 0);
    EXPECT_EQ(relative_error(batch.gradient().probe, first.probe), 0);
}

TEST_P(Gradient, CountsFramesThatAreNotFinite) {
    ProblemShape shape;
    std::tie(shape.interpolation, shape.field, std::ignore) = GetParam();
    Problem problem = as_held(reference::random_problem(shape), PatternType::f32);
    problem.object(0, 0, 0) = std::nan("");  // in the window of some frames only
    problem.windows[1].y = problem.windows[1].x = 0;
    const auto bad =
        std::count_if(problem.windows.begin(), problem.windows.end(),
                      [](const reference::Window& window) { return window.y == 0 && window.x == 0; });
    OneBatch batch(problem, PatternType::f32);
    batch.operations = std::get<Operations>(GetParam());
    batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
    EXPECT_EQ(batch.sums().bad_frames, bad);
    EXPECT_GT(bad, 0);
    EXPECT_LT(bad, problem.num_frames());
}

TEST_P(Gradient, InStagesHasTheSameBits) {
    for_each_case([](const Problem&, OneBatch& batch) {
        for (const ProbeMotion motion : {ProbeMotion::moving, ProbeMotion::fixed}) {
            batch.run_gradient(KeptWaves::none, motion);
            const auto found = batch.bytes();
            batch.operations = Operations::fused;
            batch.run_gradient(KeptWaves::none, motion);
            EXPECT_EQ(found, batch.bytes());
            batch.operations = std::get<Operations>(GetParam());
        }
    });
}

INSTANTIATE_TEST_SUITE_P(All, Gradient,
                         testing::Combine(testing::ValuesIn(all_interpolations),
                                          testing::Values(Field::far, Field::near),
                                          testing::Values(Operations::fused, Operations::staged)),
                         [](const auto& chosen) {
                             return std::string(test::name(std::get<0>(chosen.param))) +
                                    (std::get<1>(chosen.param) == Field::far ? "_far" : "_near") +
                                    (std::get<2>(chosen.param) == Operations::fused ? "" : "_staged");
                         });

}  // namespace
}  // namespace tessera::test
