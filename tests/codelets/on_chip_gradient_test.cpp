// The gradient by on-chip kernels against the oracle and against the staged kernels.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "codelets/device/on_chip_layout.hpp"
#include "codelets/gradient.hpp"
#include "support/on_chip_test.hpp"
#include "support/one_batch.hpp"

namespace tessera::test {
namespace {

using reference::Problem;
using reference::ProblemShape;
using reference::Unknowns;
using Detector = ProblemShape::Detector;

// As in gradient_test.cpp. Measured: at most 1e-6, but for one mode and the Poisson model 3.2e-6: its factor
// is large in dark pixels.
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

// Noise models and sizes have nothing to do with each other: the larger sizes take one.
std::vector<Case> cases(reference::NoiseModel noise_model) {
    std::vector<Case> all = {
        {"64, two modes, u16", square(64, {.num_modes = 2, .num_frames = 3}), PatternType::u16},
        {"64, one mode, no mask, f32",
         square(64, {.num_modes = 1, .num_frames = 1, .detector = Detector::plain, .seed = 2}),
         PatternType::f32},
        {"64, three modes, i32", square(64, {.num_modes = 3, .num_frames = 2, .seed = 3}), PatternType::i32}};
    if (noise_model == reference::NoiseModel::amplitude) {
        all.push_back({"128, two modes, u8", square(128, {.num_modes = 2, .num_frames = 1, .seed = 4}),
                       PatternType::u8});
        all.push_back({"256, two modes, u16", square(256, {.num_modes = 2, .num_frames = 1, .seed = 5}),
                       PatternType::u16});
    }
    return all;
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
class OnChipGradient : public OnChipTest<testing::TestWithParam<Given>> {};
class OnChipGradientOfABatch : public OnChipTest<testing::Test> {};

double error_of(const Unknowns& found, const Unknowns& expected) {
    return std::max(relative_error(found.object, expected.object),
                    relative_error(found.probe, expected.probe));
}

// The oracle takes seconds for the largest frames: those agree with the staged kernels.
TEST_P(OnChipGradient, AgreesWithTheOracleAndTheStagedKernels) {
    for (Case c : cases(std::get<1>(GetParam()))) {
        SCOPED_TRACE(c.name);
        std::tie(c.shape.interpolation, c.shape.noise_model) = GetParam();
        const Problem problem = as_held(reference::random_problem(c.shape), c.type);
        OneBatch batch(problem, c.type);
        batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
        const Unknowns staged = batch.gradient();
        const BatchSums staged_sums = batch.sums();
        batch.shape.on_chip = true;
        batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
        const Unknowns found = batch.gradient();
        const BatchSums sums = batch.sums();
        EXPECT_LT(error_of(found, staged), gradient_bound);
        expect_other_kernels(same(found.object, staged.object));
        const double counts = sum_of_counts(problem);
        EXPECT_NEAR(sums.cost, staged_sums.cost, cost_bound * (sums.cost + counts));
        EXPECT_NEAR(sums.squared_error, staged_sums.squared_error,
                    cost_bound * (sums.squared_error + counts));
        EXPECT_EQ(sums.bad_frames, 0);
        if (c.shape.frame[0] > 128) continue;
        EXPECT_LT(error_of(found, reference::gradient(problem)), gradient_bound);
        EXPECT_NEAR(sums.cost, reference::cost(problem).total, cost_bound * (sums.cost + counts));
    }
}

TEST_P(OnChipGradient, WithAFixedProbeIsTheObjectsAlone) {
    for (Case c : cases(std::get<1>(GetParam()))) {
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
TEST_F(OnChipGradientOfABatch, OfManyFramesIsTheStagedOne) {
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
        expect_other_kernels(same(batch.gradient().object, staged.object));
    }
}

TEST_F(OnChipGradientOfABatch, RepeatsBitwise) {
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

TEST_F(OnChipGradientOfABatch, CountsFramesThatAreNotFinite) {
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

TEST_F(OnChipGradientOfABatch, IsNothingOnceStopped) {
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
TEST_F(OnChipGradientOfABatch, LeavesOtherShapesToTheStagedKernels) {
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
