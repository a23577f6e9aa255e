// The gradient by on-chip kernels against the oracle and against the staged kernels.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "codelets/device/on_chip_layout.hpp"
#include "codelets/gradient.hpp"
#include "support/one_batch.hpp"

namespace tessera::test {
namespace {

using reference::Problem;
using reference::ProblemShape;
using reference::Unknowns;
using Detector = ProblemShape::Detector;

// As in gradient_test.cpp; larger transforms round a little more. Measured: at most 1.5e-6.
constexpr double gradient_bound = 5e-6;
constexpr double cost_bound = 5e-7;

struct Case {
    const char* name;
    ProblemShape shape;
    PatternType type;
};

ProblemShape square(std::ptrdiff_t size, ProblemShape shape) {
    shape.frame = shape.probe = {size, size};
    return shape;
}

std::vector<Case> cases() {
    return {
        {"64, two modes, u16", square(64, {.num_modes = 2, .num_frames = 3}), PatternType::u16},
        {"64, one mode, no mask, f32",
         square(64, {.num_modes = 1, .num_frames = 1, .detector = Detector::plain, .seed = 2}),
         PatternType::f32},
        {"64, three modes, i32", square(64, {.num_modes = 3, .num_frames = 2, .seed = 3}), PatternType::i32},
        {"128, two modes, u8", square(128, {.num_modes = 2, .num_frames = 2, .seed = 4}), PatternType::u8},
        {"256, one mode, u16", square(256, {.num_modes = 1, .num_frames = 1, .seed = 5}), PatternType::u16},
    };
}

double sum_of_counts(const Problem& problem) {
    double sum = 0;
    for (const double count : problem.patterns) sum += std::max(count, 0.0);
    return sum;
}

bool same(const reference::Stack& a, const reference::Stack& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

using Given = std::tuple<reference::Interpolation, reference::NoiseModel>;
class OnChipGradient : public testing::TestWithParam<Given> {};

// ... and what it says agrees with the staged kernels' sums, which are made in another order: that it comes
// from other kernels at all shows in the last bits.
TEST_P(OnChipGradient, AgreesWithTheOracleAndTheStagedKernels) {
    for (Case c : cases()) {
        SCOPED_TRACE(c.name);
        std::tie(c.shape.interpolation, c.shape.noise_model) = GetParam();
        const Problem problem = as_held(reference::random_problem(c.shape), c.type);
        OneBatch batch(problem, c.type);
        batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
        const Unknowns staged = batch.gradient();
        batch.shape.on_chip = true;
        batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
        const BatchSums sums = batch.sums();
        const double cost = reference::cost(problem).total;
        EXPECT_NEAR(sums.cost, cost, cost_bound * (cost + sum_of_counts(problem)));
        EXPECT_EQ(sums.bad_frames, 0);
        const Unknowns found = batch.gradient(), expected = reference::gradient(problem);
        EXPECT_LT(relative_error(found.object, expected.object), gradient_bound);
        EXPECT_LT(relative_error(found.probe, expected.probe), gradient_bound);
        EXPECT_LT(relative_error(found.object, staged.object), gradient_bound);
        EXPECT_LT(relative_error(found.probe, staged.probe), gradient_bound);
        EXPECT_FALSE(same(found.object, staged.object)) << "the staged kernels ran instead";
    }
}

TEST_P(OnChipGradient, WithAFixedProbeIsTheObjectsAlone) {
    for (Case c : cases()) {
        SCOPED_TRACE(c.name);
        std::tie(c.shape.interpolation, c.shape.noise_model) = GetParam();
        OneBatch batch(as_held(reference::random_problem(c.shape), c.type), c.type);
        batch.shape.on_chip = true;
        batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
        const Unknowns both = batch.gradient();
        const BatchSums sums = batch.sums();
        batch.run_gradient(KeptWaves::none, ProbeMotion::fixed);
        const Unknowns object_only = batch.gradient();
        EXPECT_EQ(batch.sums().cost, sums.cost);
        EXPECT_EQ(batch.sums().squared_error, sums.squared_error);
        EXPECT_TRUE(same(object_only.object, both.object));
        for (const reference::Value& value : object_only.probe) EXPECT_EQ(value, reference::Value(0, 0));
    }
}

INSTANTIATE_TEST_SUITE_P(All, OnChipGradient,
                         testing::Combine(testing::Values(reference::Interpolation::nearest,
                                                          reference::Interpolation::fourier),
                                          testing::ValuesIn(all_noise_models)),
                         [](const auto& chosen) {
                             return std::string(test::name(std::get<0>(chosen.param))) + "_" +
                                    test::name(std::get<1>(chosen.param));
                         });

// More frames than teams, and than one turn of them: teams add to what they have, some have nothing to do in
// the last turn.
TEST(OnChipGradientOfManyFrames, IsTheStagedOne) {
    using Layout = OnChipLayout<64>;
    const std::ptrdiff_t num_frames = Layout::num_teams * Layout::frames_per_turn + 50;
    for (const reference::Interpolation interpolation :
         {reference::Interpolation::nearest, reference::Interpolation::fourier}) {
        SCOPED_TRACE(test::name(interpolation));
        Problem problem = reference::random_problem(
            square(64, {.num_modes = 1, .num_frames = 3, .interpolation = interpolation, .seed = 6}));
        Problem many = problem;
        many.windows.clear();
        many.patterns = Array<double, 3>({num_frames, 64, 64});
        for (std::ptrdiff_t j = 0; j < num_frames; ++j) {
            reference::Window window = problem.windows[static_cast<std::size_t>(j % 3)];
            window.y = j % 5;
            window.x = j % 4;
            many.windows.push_back(window);
            const auto counts = problem.patterns.slice(j % 3);
            for (std::ptrdiff_t i = 0; i < 64 * 64; ++i) many.patterns.slice(j)[i] = counts[i];
        }
        OneBatch batch(as_held(many, PatternType::u16), PatternType::u16);
        batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
        const Unknowns staged = batch.gradient();
        const BatchSums sums = batch.sums();
        batch.shape.on_chip = true;
        batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
        EXPECT_NEAR(batch.sums().cost, sums.cost, 1e-6 * sums.cost);
        EXPECT_NEAR(batch.sums().squared_error, sums.squared_error, 1e-6 * sums.squared_error);
        EXPECT_LT(relative_error(batch.gradient().object, staged.object), gradient_bound);
        EXPECT_LT(relative_error(batch.gradient().probe, staged.probe), gradient_bound);
        EXPECT_FALSE(same(batch.gradient().object, staged.object)) << "the staged kernels ran instead";
    }
}

TEST(OnChipGradientOfABatch, RepeatsBitwise) {
    OneBatch batch(as_held(reference::random_problem(square(64, {.num_modes = 2})), PatternType::f32),
                   PatternType::f32);
    batch.shape.on_chip = true;
    batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
    const Unknowns first = batch.gradient();
    const double cost = batch.sums().cost;
    batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
    EXPECT_EQ(batch.sums().cost, cost);
    EXPECT_TRUE(same(batch.gradient().object, first.object));
    EXPECT_TRUE(same(batch.gradient().probe, first.probe));
}

TEST(OnChipGradientOfABatch, CountsFramesThatAreNotFinite) {
    Problem problem =
        as_held(reference::random_problem(square(64, {.num_modes = 1, .num_frames = 3})), PatternType::f32);
    problem.object(0, 0, 0) = std::nan("");
    for (reference::Window& window : problem.windows) window.y = 1;
    problem.windows[1].y = problem.windows[1].x = 0;
    OneBatch batch(problem, PatternType::f32);
    batch.shape.on_chip = true;
    batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
    EXPECT_EQ(batch.sums().bad_frames, 1);
}

TEST(OnChipGradientOfABatch, IsNothingOnceStopped) {
    OneBatch batch(as_held(reference::random_problem(square(64, {.num_modes = 2})), PatternType::f32),
                   PatternType::f32);
    batch.shape.on_chip = true;
    IterationState state;
    state.stopped = static_cast<std::int32_t>(StopReason::converged);
    batch.set_state(state);
    batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
    EXPECT_EQ(batch.sums().cost, 0);
    for (const reference::Value& value : batch.gradient().object) EXPECT_EQ(value, reference::Value(0, 0));
    for (const reference::Value& value : batch.gradient().probe) EXPECT_EQ(value, reference::Value(0, 0));
}

// What has no on-chip kernel is done by the staged ones, to the last bit.
TEST(OnChipGradientOfABatch, LeavesOtherShapesToTheStagedKernels) {
    using reference::Interpolation;
    const ProblemShape others[] = {
        {.frame = {64, 64}, .probe = {64, 60}, .interpolation = Interpolation::nearest},
        {.frame = {32, 32}, .probe = {32, 32}},
        square(64, {.interpolation = Interpolation::bilinear}),
        square(64, {.field = ProblemShape::Field::near})};
    for (const ProblemShape& shape : others) {
        OneBatch batch(as_held(reference::random_problem(shape), PatternType::f32), PatternType::f32);
        batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
        const Unknowns staged = batch.gradient();
        batch.shape.on_chip = true;
        EXPECT_FALSE(fits_on_chip(batch.shape));
        batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
        EXPECT_TRUE(same(batch.gradient().object, staged.object));
        EXPECT_TRUE(same(batch.gradient().probe, staged.probe));
    }
}

}  // namespace
}  // namespace tessera::test
