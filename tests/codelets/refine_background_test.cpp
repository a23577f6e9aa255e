// The background's derivatives against the oracle, and what is made of them.
#include "codelets/refine_background.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <ostream>

#include "support/filled_data.hpp"
#include "support/one_batch.hpp"

namespace tessera::test {
namespace {

using reference::Problem;
using reference::ProblemShape;
using reference::RealImage;
using Field = ProblemShape::Field;

std::vector<cfloat> found_derivatives(const OneBatch& batch) {
    const Data out(sums_bytes(detector_shape(batch.shape).area()));
    find_background_derivatives.submit({batch.shape}, {&batch.patterns, &batch.frames, &batch.detector,
                                                       &batch.probe, &batch.object, &batch.state, &out});
    const HostAccess access(out, Access::read);
    throw_task_failure();
    const cfloat* found = probe_part(access.as<const std::byte>());
    return {found, found + detector_shape(batch.shape).area()};
}

struct Derivatives {
    double gradient = 0, curvature = 0;
};

double curvature_of(const Problem& p, double intensity, double counts) {
    const double regular = intensity + p.epsilon;
    return p.noise_model == reference::NoiseModel::amplitude ? 1 / (2 * regular)
           : p.noise_model == reference::NoiseModel::poisson ? 1 / regular
                                                             : 1 / (counts + 1);
}

// Sums over frames written out, pixels without a count and saturated ones that the model exceeds left out.
std::vector<Derivatives> expected_derivatives(const Problem& p) {
    std::vector<Derivatives> sums(static_cast<std::size_t>(p.frame_shape()[0] * p.frame_shape()[1]));
    for (std::ptrdiff_t j = 0; j < p.num_frames(); ++j) {
        const RealImage intensity = reference::intensity(p, j);
        for (std::ptrdiff_t i = 0; i < intensity.size(); ++i) {
            const double counts = p.patterns.slice(j)[i];
            if (counts < 0 || p.mask[i] == 0) continue;
            if (counts >= p.saturated_from && intensity[i] >= counts) continue;
            Derivatives& sum = sums[static_cast<std::size_t>(i)];
            sum.gradient += reference::pixel_slope(p.noise_model, intensity[i], counts, p.epsilon);
            sum.curvature += curvature_of(p, intensity[i], counts);
        }
    }
    return sums;
}

struct BackgroundCase {
    ProblemShape shape;
    const char* name;
};
void PrintTo(const BackgroundCase& c, std::ostream* stream) {
    *stream << c.name;
}

class BackgroundDerivatives : public testing::TestWithParam<BackgroundCase> {};

TEST_P(BackgroundDerivatives, AreTheOracles) {
    ProblemShape shape = GetParam().shape;
    for (const reference::NoiseModel noise : all_noise_models) {
        SCOPED_TRACE(test::name(noise));
        shape.noise_model = noise;
        const Problem problem = as_held(reference::random_problem(shape), PatternType::i32);
        const auto found = found_derivatives(OneBatch(problem, PatternType::i32));
        const auto expected = expected_derivatives(problem);
        ASSERT_EQ(found.size(), expected.size());
        for (std::size_t i = 0; i < found.size(); ++i) {
            const double size = std::abs(expected[i].gradient) + 1;
            EXPECT_NEAR(static_cast<double>(found[i].re), expected[i].gradient, 2e-4 * size) << "pixel " << i;
            EXPECT_NEAR(static_cast<double>(found[i].im), expected[i].curvature, 2e-4 * expected[i].curvature)
                << "pixel " << i;
        }
    }
}

// Of the whole cost, as the oracle has it, along some change of the background.
TEST_P(BackgroundDerivatives, AreTheCostsFiniteDifferences) {
    ProblemShape shape = GetParam().shape;
    shape.saturated_from = std::numeric_limits<double>::infinity();  // at which the cost has an edge
    for (const reference::NoiseModel noise : all_noise_models) {
        SCOPED_TRACE(test::name(noise));
        shape.noise_model = noise;
        const Problem problem = as_held(reference::random_problem(shape), PatternType::i32);
        const auto found = found_derivatives(OneBatch(problem, PatternType::i32));
        const auto change = [](std::ptrdiff_t i) { return 0.5 + 0.25 * static_cast<double>(i % 3); };
        const auto cost_at = [&](double step) {
            Problem there = problem;
            for (std::ptrdiff_t i = 0; i < there.background.size(); ++i)
                there.background[i] += step * change(i);
            return reference::cost(there).total;
        };
        double expected = 0;
        for (std::size_t i = 0; i < found.size(); ++i)
            expected += static_cast<double>(found[i].re) * change(static_cast<std::ptrdiff_t>(i));
        constexpr double h = 1e-4;
        EXPECT_NEAR((cost_at(h) - cost_at(-h)) / (2 * h) / expected, 1, 1e-4);
    }
}

constexpr auto fourier = reference::Interpolation::fourier;
INSTANTIATE_TEST_SUITE_P(
    Models, BackgroundDerivatives,
    testing::Values(
        BackgroundCase{{.interpolation = fourier}, "far_field"},
        BackgroundCase{{.interpolation = reference::Interpolation::bilinear}, "bilinear"},
        BackgroundCase{{.interpolation = fourier, .field = Field::near}, "near_field"},
        BackgroundCase{{.num_slices = 2, .interpolation = fourier}, "slices"},
        BackgroundCase{{.interpolation = fourier, .blur_sigma = 0.7}, "point_spread"},
        BackgroundCase{{.interpolation = fourier, .upsampling = 3}, "upsampled"},
        BackgroundCase{{.num_object_modes = 2, .interpolation = fourier, .blur_sigma = 0.6, .upsampling = 2},
                       "object_modes_upsampled_point_spread"},
        BackgroundCase{{.interpolation = fourier, .saturated_from = 12}, "saturated"},
        BackgroundCase{
            {.frame = {34, 37}, .probe = {20, 37}, .num_modes = 3, .num_frames = 5, .interpolation = fourier},
            "larger"}),
    [](const auto& chosen) { return std::string(chosen.param.name); });

// ---- Steps

TEST(UpdatedBackground, IsADampedGaussNewtonStepThatIsNeverNegative) {
    EXPECT_NEAR(updated_background(3, {-2, 4}, 4, 1), 3 + 0.5 / 1.1, 1e-6);
    EXPECT_NEAR(updated_background(3, {-2, 4}, 4, 0.5), 3 + 0.25 / 1.1, 1e-6);
    EXPECT_NEAR(updated_background(3, {-2, 4}, 360, 1), 3 + 0.05, 1e-6);  // bright in all frames
    EXPECT_EQ(updated_background(3, {20, 4}, 4, 1), 0);
    EXPECT_EQ(updated_background(3, {0, 0}, 4, 1), 3);
    EXPECT_EQ(counted_curvature({1, 5}, 9), 5);
    EXPECT_EQ(counted_curvature({1, 1e9F}, 9), 9);
    const float nan = std::numeric_limits<float>::quiet_NaN();
    EXPECT_EQ(updated_background(3, {nan, nan}, 1, 1), 3);
}

Data sums_with(const std::vector<cfloat>& derivatives) {
    Data sums(sums_bytes(derivatives.size()));
    std::copy(derivatives.begin(), derivatives.end(), probe_part(sums.before_tasks<std::byte>()));
    return sums;
}

TEST(UpdateBackground, MovesEachPixelAndNotesItUnlessTheRunHasStopped) {
    const Shape2 frame = {3, 7};
    const std::vector<cfloat> derivatives = random_pixels(frame.area(), 4);
    double curvature = 0;
    for (const cfloat d : derivatives)
        curvature += std::min(static_cast<double>(d.im), 1.5) / static_cast<double>(frame.area());
    const std::vector<float> mask(frame.area(), 7.0f);
    for (const std::int32_t stopped : {0, 1}) {
        Data detector(background_offset(frame) + 2 * frame.area() * sizeof(float));
        auto* base = detector.before_tasks<std::byte>();
        auto* background = reinterpret_cast<float*>(base + background_offset(frame));
        std::copy(mask.begin(), mask.end(), reinterpret_cast<float*>(base));
        std::fill_n(background, 2 * frame.area(), 0.25f);
        const Data noted = data_of(std::vector<float>(frame.area(), -1.0f)), sums = sums_with(derivatives);
        IterationState state;
        state.stopped = stopped;
        const Data held = data_of_one(state);
        update_background.submit({frame, 0.5f, 1.5f}, {&sums, &detector, &held, &noted});
        const auto found = content<float>(noted, frame.area());
        const HostAccess access(detector, Access::read);
        const auto* after =
            reinterpret_cast<const float*>(access.as<const std::byte>() + background_offset(frame));
        for (std::size_t i = 0; i < frame.area(); ++i) {
            const float moved =
                updated_background(0.25f, derivatives[i], static_cast<float>(curvature), 0.5f);
            EXPECT_FLOAT_EQ(after[i], stopped != 0 ? 0.25f : moved);
            EXPECT_FLOAT_EQ(found[i], stopped != 0 ? -1.0f : moved);
            EXPECT_EQ(after[frame.area() + i], 0.25f);  // what lies behind it
            EXPECT_EQ(access.as<const float>()[i], 7.0f);
        }
    }
}

TEST(BackgroundDerivativesOfAStoppedRun, AreNone) {
    const Problem problem = as_held(reference::random_problem({}), PatternType::i32);
    OneBatch batch(problem, PatternType::i32);
    IterationState state;
    state.stopped = 1;
    batch.set_state(state);
    for (const cfloat value : found_derivatives(batch)) {
        EXPECT_EQ(value.re, 0);
        EXPECT_EQ(value.im, 0);
    }
}

// Where object and probe are right some rounds find the background, from none and from too much of it.
TEST(RefinedBackground, IsTheOneThatWasThere) {
    for (const reference::NoiseModel noise : all_noise_models) {
        for (const double start : {0.0, 2.0}) {
            SCOPED_TRACE(testing::Message() << test::name(noise) << ", from " << start);
            ProblemShape shape;
            shape.noise_model = noise;
            Problem problem = as_held(reference::random_problem(shape), PatternType::f32);
            for (std::ptrdiff_t j = 0; j < problem.num_frames(); ++j) {
                const RealImage truth = reference::intensity(problem, j);
                for (std::ptrdiff_t i = 0; i < truth.size(); ++i) {
                    double& counts = problem.patterns.slice(j)[i];
                    if (counts >= 0) counts = truth[i];
                }
            }
            const RealImage truth = problem.background;
            for (double& value : problem.background) value *= start;
            const OneBatch batch(problem, PatternType::f32);
            const Data noted(detector_shape(batch.shape).area() * sizeof(float));
            for (int round = 0; round < 100; ++round) {
                const Data sums = sums_with(found_derivatives(batch));
                update_background.submit({detector_shape(batch.shape), 1.0f, 4.0f},
                                         {&sums, &batch.detector, &batch.state, &noted});
            }
            const auto found = content<float>(noted, detector_shape(batch.shape).area());
            for (std::ptrdiff_t i = 0; i < truth.size(); ++i) {
                const double expected = problem.mask[i] == 0 ? problem.background[i] : truth[i];
                EXPECT_NEAR(static_cast<double>(found[static_cast<std::size_t>(i)]), expected, 2e-2)
                    << "pixel " << i;
            }
        }
    }
}

}  // namespace
}  // namespace tessera::test
