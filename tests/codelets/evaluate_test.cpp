// Costs without a gradient, and what preconditioners are made of, against the oracle.
#include "codelets/evaluate.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/one_batch.hpp"

namespace tessera::test {
namespace {

using reference::Problem;
using reference::ProblemShape;
using Field = ProblemShape::Field;

template <class Check>
void for_each_problem(const Check& check) {
    const ProblemShape shapes[] = {
        {.frame = {12, 15}, .probe = {7, 10}},
        {.frame = {9, 7}, .probe = {9, 7}, .num_modes = 1, .num_frames = 5, .seed = 2},
        {.frame = {34, 37}, .probe = {20, 37}, .num_modes = 3, .num_frames = 1, .seed = 3},
        {.frame = {12, 15}, .probe = {7, 10}, .num_slices = 3, .seed = 4},
        {.frame = {12, 15}, .probe = {7, 10}, .saturated_from = 12, .seed = 5},
        {.frame = {12, 15}, .probe = {7, 10}, .blur_sigma = 0.7, .seed = 6},
        {.frame = {12, 15}, .probe = {7, 10}, .upsampling = 2, .seed = 7},
    };
    for (const ProblemShape& sizes : shapes) {
        for (const reference::Interpolation interpolation : all_interpolations) {
            for (const Field field : {Field::far, Field::near}) {
                ProblemShape shape = sizes;
                shape.interpolation = interpolation;
                shape.field = field;
                SCOPED_TRACE(testing::Message() << test::name(interpolation) << ", seed " << shape.seed
                                                << (field == Field::far ? ", far" : ", near"));
                check(shape);
            }
        }
    }
}

TEST(Evaluate, AgreesWithTheOracleFrameByFrame) {
    for_each_problem([](ProblemShape shape) {
        for (const reference::NoiseModel noise : all_noise_models) {
            shape.noise_model = noise;
            const Problem problem = as_held(reference::random_problem(shape), PatternType::i32);
            OneBatch batch(problem, PatternType::i32);
            batch.run_evaluate();
            const BatchSums sums = batch.sums();
            const reference::Cost expected = reference::cost(problem);
            double all_counts = 0, errors = 0;
            const std::vector<double> frame_errors = batch.frame_errors();
            for (std::ptrdiff_t j = 0; j < problem.num_frames(); ++j) {
                double counts = 0;
                for (std::ptrdiff_t i = 0; i < problem.mask.size(); ++i) {
                    counts += problem.mask[i] * std::max(problem.patterns.slice(j)[i], 0.0);
                }
                const double found = frame_errors[static_cast<std::size_t>(j)];
                EXPECT_NEAR(found / counts, expected.data_error_per_frame[static_cast<std::size_t>(j)], 1e-6);
                all_counts += counts;
                errors += found;
            }
            EXPECT_NEAR(sums.cost, expected.total, 5e-7 * (expected.total + all_counts)) << test::name(noise);
            EXPECT_NEAR(sums.squared_error / all_counts, expected.data_error, 1e-6);
            EXPECT_NEAR(sums.squared_error, errors, 1e-12 * errors);
        }
    });
}

// Both carry the same numbers through the same arithmetic, so that a run's last cost continues its history.
TEST(Evaluate, HasTheGradientsCost) {
    for_each_problem([](const ProblemShape& shape) {
        const Problem problem = as_held(reference::random_problem(shape), PatternType::f32);
        OneBatch batch(problem, PatternType::f32);
        batch.run_gradient(KeptWaves::none, ProbeMotion::fixed);
        const BatchSums gradient = batch.sums();
        batch.run_evaluate();
        EXPECT_NEAR(batch.sums().cost, gradient.cost, 1e-7 * gradient.cost);
        EXPECT_NEAR(batch.sums().squared_error, gradient.squared_error, 5e-7 * gradient.squared_error);
    });
}

reference::Image slice_of(const reference::Stack& stack, std::ptrdiff_t i) {
    reference::Image slice({stack.extent(1), stack.extent(2)});
    std::copy_n(stack.slice(i).begin(), slice.size(), slice.begin());
    return slice;
}

// Windows at the whole pixels of the positions; in further slices the probe as it would be without an object.
TEST(Illumination, IsTheProbesPowerOnTheObjectAndTheObjectsUnderTheProbe) {
    for_each_problem([](const ProblemShape& shape) {
        const Problem problem = as_held(reference::random_problem(shape), PatternType::u16);
        OneBatch batch(problem, PatternType::u16);
        batch.run_illumination();
        const reference::Unknowns found = batch.gradient();
        reference::Image illumination({problem.object.extent(1), problem.object.extent(2)});
        reference::Image coverage(problem.probe_shape());
        for (const reference::Window& window : problem.windows) {
            for (std::ptrdiff_t y = 0; y < problem.probe_shape()[0]; ++y) {
                for (std::ptrdiff_t x = 0; x < problem.probe_shape()[1]; ++x) {
                    coverage(y, x) += std::norm(problem.object(0, window.y + y, window.x + x));
                    for (std::ptrdiff_t k = 0; k < problem.num_modes(); ++k) {
                        illumination(window.y + y, window.x + x) += std::norm(problem.probe(k, y, x));
                    }
                }
            }
        }
        EXPECT_LT(relative_error(slice_of(found.object, 0), illumination), 3e-7);
        for (std::ptrdiff_t slice = 1; slice < problem.num_slices(); ++slice) {
            const reference::RealImage weight = reference::illumination(problem, slice);
            reference::Image expected(weight.extents());
            std::copy(weight.begin(), weight.end(), expected.begin());
            EXPECT_LT(relative_error(slice_of(found.object, slice), expected), 1e-6) << slice;
        }
        reference::Image found_coverage(problem.probe_shape());
        for (std::ptrdiff_t i = 0; i < found_coverage.size(); ++i)
            found_coverage[i] = found.probe.slice(0)[i];
        EXPECT_LT(relative_error(found_coverage, coverage), 3e-7);
    });
}

}  // namespace
}  // namespace tessera::test
