// Objects of several slices: what the tests of each operation do not go through already.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "codelets/accumulate.hpp"
#include "codelets/choose_step.hpp"
#include "codelets/direction.hpp"
#include "codelets/dots.hpp"
#include "codelets/line_search.hpp"
#include "codelets/weigh.hpp"
#include "support/filled_data.hpp"
#include "support/one_batch.hpp"

namespace tessera::test {
namespace {

using reference::Problem;
using reference::ProblemShape;
using reference::Unknowns;
using Field = ProblemShape::Field;

double sum_of_counts(const Problem& problem) {
    double sum = 0;
    for (const double count : problem.patterns) sum += std::max(count, 0.0);
    return sum;
}

// ---- Batches against the oracle

class Slices : public testing::TestWithParam<std::tuple<reference::Interpolation, Field>> {
  protected:
    // Calls check(problem as held, its batch) for numbers of slices and modes and every noise model.
    template <class Check>
    static void for_each_problem(const Check& check) {
        for (const std::ptrdiff_t num_slices : {1, 2, 3}) {
            for (const std::ptrdiff_t num_modes : {1, 2}) {
                for (const reference::NoiseModel noise : all_noise_models) {
                    SCOPED_TRACE(testing::Message() << num_slices << " slices, " << num_modes << " modes, "
                                                    << test::name(noise));
                    ProblemShape shape{.frame = {14, 15},
                                       .probe = {9, 12},
                                       .num_modes = num_modes,
                                       .num_slices = num_slices,
                                       .num_frames = 3,
                                       .noise_model = noise,
                                       .seed = 9};
                    std::tie(shape.interpolation, shape.field) = GetParam();
                    const Problem problem = as_held(reference::random_problem(shape), PatternType::f32);
                    OneBatch batch(problem, PatternType::f32);
                    check(problem, batch);
                }
            }
        }
    }
};

TEST_P(Slices, HaveTheOraclesGradient) {
    for_each_problem([](const Problem& problem, OneBatch& batch) {
        batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
        const double cost = reference::cost(problem).total;
        EXPECT_NEAR(batch.sums().cost, cost, 5e-7 * (cost + sum_of_counts(problem)));
        const Unknowns found = batch.gradient(), expected = reference::gradient(problem);
        EXPECT_LT(relative_error(found.object, expected.object), 5e-6);
        EXPECT_LT(relative_error(found.probe, expected.probe), 5e-6);
    });
}

// A direction of the problem's own size: the probe's modes are as large as its counts make them.
Unknowns direction_of(const Problem& problem, ProbeMotion motion) {
    Unknowns direction = reference::random_direction(problem, 31);
    double largest = 0;
    for (const reference::Value& value : problem.probe) largest = std::max(largest, std::abs(value));
    for (reference::Value& value : direction.probe) value *= motion == ProbeMotion::moving ? largest : 0;
    return as_held(direction);
}

TEST_P(Slices, HaveTheOraclesCostsAtTheTrialSteps) {
    for (const ProbeMotion motion : {ProbeMotion::moving, ProbeMotion::fixed}) {
        for_each_problem([&](const Problem& problem, OneBatch& batch) {
            if (problem.num_slices() == 1) return;
            const Unknowns direction = direction_of(problem, motion);
            batch.set_direction(direction, motion);
            IterationState state;
            state.ladder_centre = 0.3;
            batch.set_state(state);
            batch.run_line_search(KeptWaves::none, motion);
            const BatchSums sums = batch.sums();
            std::vector<double> steps;
            for (std::size_t i = 0; i < num_sliced_trials; ++i) steps.push_back(sliced_trial_step(0.3, i));
            const std::vector<double> expected = reference::costs_along(problem, direction, steps);
            for (std::size_t i = 0; i < num_sliced_trials; ++i) {
                EXPECT_NEAR(sums.trial_cost[i + 1], expected[i],
                            1e-6 * (std::abs(expected[i]) + sum_of_counts(problem)))
                    << "step " << steps[i];
            }
            EXPECT_EQ(sums.trial_cost[0], 0);
            for (std::size_t i = num_sliced_trials + 1; i <= num_trials; ++i)
                EXPECT_EQ(sums.trial_cost[i], 0);
        });
    }
}

// The gradient's cost is the search's cost at step 0: both go through the same arithmetic.
TEST_P(Slices, CostTheSameToSearchAndGradient) {
    for_each_problem([&](const Problem& problem, OneBatch& batch) {
        if (problem.num_slices() == 1) return;
        Unknowns nowhere{reference::Stack(problem.object.extents()),
                         reference::Stack(problem.probe.extents())};
        batch.set_direction(nowhere, ProbeMotion::moving);
        batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
        const double cost = batch.sums().cost;
        batch.run_line_search(KeptWaves::none, ProbeMotion::moving);
        for (std::size_t i = 1; i <= num_sliced_trials; ++i)
            EXPECT_NEAR(batch.sums().trial_cost[i], cost, 1e-7 * cost);
    });
}

INSTANTIATE_TEST_SUITE_P(All, Slices,
                         testing::Combine(testing::ValuesIn(all_interpolations),
                                          testing::Values(Field::far, Field::near)),
                         [](const auto& chosen) {
                             return std::string(test::name(std::get<0>(chosen.param))) +
                                    (std::get<1>(chosen.param) == Field::far ? "_far" : "_near");
                         });

// Kernels that keep waves on the chip know one slice: the staged ones run.
TEST(SlicesOnChip, AreLeftToTheStagedKernels) {
    const Problem problem =
        as_held(reference::random_problem(
                    {.frame = {64, 64}, .probe = {64, 64}, .num_modes = 1, .num_slices = 2, .num_frames = 1}),
                PatternType::u16);
    OneBatch batch(problem, PatternType::u16);
    batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
    const Unknowns staged = batch.gradient();
    batch.shape.on_chip = true;
    batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
    EXPECT_EQ(relative_error(batch.gradient().object, staged.object), 0);
    EXPECT_LT(relative_error(staged.object, reference::gradient(problem).object), 5e-6);
}

// ---- The accepted step. Trials are a quarter of the centre, the centre and twice that.

TEST(AcceptedSlicedStep, IsTheVertexOfTheParabolaInTheStep) {
    // f = 10 + 3 (s - 0.8)^2 is found exactly from the right side, the left and the middle.
    const auto f = [](double s) { return 10 + 3 * (s - 0.8) * (s - 0.8); };
    for (const double centre : {0.7, 0.8, 1.0, 2.0}) {
        EXPECT_NEAR(accepted_sliced_step(f(0), {f(centre / 4), f(centre), f(2 * centre)}, centre, -2.4, true),
                    0.8, 1e-12)
            << centre;
    }
    EXPECT_EQ(accepted_sliced_step(f(0), {f(0.25), f(1), f(2)}, 1, -2.4, false), 1);
}

TEST(AcceptedSlicedStep, NeverLeavesWhatWasTried) {
    EXPECT_EQ(accepted_sliced_step(20, {19, 15, 12}, 1, -1, true), 2);
    // The best is the first: between step 0 and the second.
    const double step = accepted_sliced_step(20, {19.9, 30, 60}, 1, -1, true);
    EXPECT_GT(step, 0.125 - 1e-12);
    EXPECT_LT(step, 0.25);
    EXPECT_EQ(accepted_sliced_step(20, {19, 19, 19}, 1, -1, true), 0.25 + 0.5 * (0.5625) / (0.75));
}

TEST(AcceptedSlicedStep, NeedsATrialThatDescends) {
    const double nan = std::nan("");
    EXPECT_EQ(accepted_sliced_step(20, {20.1, 25, 30}, 1, -1, true), 0);
    EXPECT_EQ(accepted_sliced_step(20, {20, 20, 20}, 1, -1, true), 0);
    EXPECT_EQ(accepted_sliced_step(nan, {19, 18, 19}, 1, -1, true), 0);
    EXPECT_EQ(accepted_sliced_step(20, {nan, nan, nan}, 1, -1, true), 0);
    // A neighbour without a number: no parabola.
    EXPECT_EQ(accepted_sliced_step(20, {19, 18, nan}, 1, -1, true), 1);
}

TEST(ChooseStepOfSlices, TakesTheGradientsCostForStepZero) {
    BatchSums sums;
    sums.trial_cost[1] = 19.9;
    sums.trial_cost[2] = 10;
    sums.trial_cost[3] = 14;
    IterationState state;
    state.cost = 20;
    state.slope = -1;
    state.ladder_centre = 4;
    const Data sums_data = data_of_one(sums), state_data = data_of_one(state);
    choose_step.submit({2}, {&sums_data, &state_data});
    const auto after = content_of_one<IterationState>(state_data);
    EXPECT_EQ(after.step, accepted_sliced_step(20, {19.9, 10, 14}, 4, -1, true));
    EXPECT_EQ(after.ladder_centre, after.step);
    EXPECT_EQ(after.failures, 0);
}

// ---- Sums and updates go slice by slice

constexpr Shape2 tile = {9, 13};
constexpr std::int32_t slices = 3;
constexpr std::size_t tile_size = slices * 9 * 13;

TEST(AddBatchOfSlices, PutsEveryWindowInItsPlace) {
    constexpr Shape2 window = {4, 6};
    const auto before = random_pixels(tile_size, 1), pixels = random_pixels(slices * 24, 2);
    Data out(out_bytes(window, 5, slices));
    std::copy(pixels.begin(), pixels.end(), window_part(out.before_tasks<std::byte>(), 5));
    const Data field = data_of(before, field_bytes(tile, slices)), sums(sums_bytes(5));
    AddBatchArgs args;
    args.window_y = 3;
    args.window_x = 5;
    args.window = window;
    args.tile = tile;
    args.probe_size = 5;
    args.num_planes = slices;
    add_batch.submit(args, {&out, &field, &sums});
    auto expected = before;
    for (std::size_t i = 0; i < pixels.size(); ++i) {
        cfloat& pixel = expected[(i / 24 * 9 + 3 + i % 24 / 6) * 13 + 5 + i % 6];
        pixel = pixel + pixels[i];
    }
    const auto found = content<cfloat>(field, tile_size);
    for (std::size_t i = 0; i < tile_size; ++i) ASSERT_EQ(found[i].re, expected[i].re) << i;
}

TEST(StripsOfSlices, CutAndLandInEverySlice) {
    const Shape2 other = {7, 8};
    const Strip cut = {5, 9, {4, 3}}, land = {0, 2, {4, 3}};
    const auto from = random_pixels(tile_size, 1), to = random_pixels(slices * other.area(), 2);
    const Data source = data_of(from, field_bytes(tile, slices));
    const Data target = data_of(to, field_bytes(other, slices)), strip(field_bytes(cut.shape, slices));
    cut_strip.submit({tile, cut, slices}, {&source, &strip});
    add_strip.submit({other, land, slices}, {&strip, &target});
    auto expected = to;
    for (std::size_t slice = 0; slice < slices; ++slice) {
        for (std::size_t y = 0; y < 4; ++y) {
            for (std::size_t x = 0; x < 3; ++x) {
                cfloat& pixel = expected[(slice * 7 + y) * 8 + 2 + x];
                pixel = pixel + from[(slice * 9 + 5 + y) * 13 + 9 + x];
            }
        }
    }
    const auto found = content<cfloat>(target, expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_EQ(found[i].im, expected[i].im) << i;
}

std::vector<float> random_weights(std::uint64_t seed) {
    Random random(seed, 1);
    std::vector<float> weights(tile_size);
    for (float& weight : weights) weight = static_cast<float>(random.uniform(0, 40));
    return weights;
}

double inverse_curvature(float weight, double largest) {
    return 1 / (0.9 * static_cast<double>(weight) + 0.1 * largest);
}

TEST(WeighObjectOfSlices, HasOneMaximumForAll) {
    auto field = random_pixels(tile_size, 1);
    field[tile_size - 2].re = 50;
    const Data field_data = data_of(field, field_bytes(tile, slices)), weights(weight_bytes(tile, slices));
    const Data sums = data_of_one(BatchSums{});
    weigh_object.submit({tile, slices}, {&field_data, &weights, &sums});
    const auto found = content<float>(weights, tile_size);
    for (std::size_t i = 0; i < tile_size; ++i) EXPECT_EQ(found[i], field[i].re);
    EXPECT_EQ(content_of_one<BatchSums>(sums).weight_max, 50);
}

TEST(DotsOfSlices, AreTakenOverTheInteriorOfEachWithItsOwnWeight) {
    constexpr Shape2 interior = {5, 7};
    const auto g = random_pixels(tile_size, 1), g0 = random_pixels(tile_size, 2),
               d = random_pixels(tile_size, 3);
    const auto weights = random_weights(4);
    IterationState state;
    state.illumination_max = 45;
    const Data gradient = data_of(g, field_bytes(tile, slices)),
               previous = data_of(g0, field_bytes(tile, slices));
    const Data weight = data_of(weights, weight_bytes(tile, slices)), sums = data_of_one(BatchSums{});
    const Data object = moving_field_of(random_pixels(tile_size, 5), d), state_data = data_of_one(state);
    dots.submit({tile, 2, 4, interior, 0.1, slices},
                {&gradient, &previous, &object, &weight, &state_data, &sums});
    double s1 = 0, s2 = 0, s3 = 0;
    for (std::size_t slice = 0; slice < slices; ++slice) {
        for (std::size_t y = 2; y < 7; ++y) {
            for (std::size_t x = 4; x < 11; ++x) {
                const std::size_t i = (slice * 9 + y) * 13 + x;
                const double m = inverse_curvature(weights[i], 45);
                s1 += m * std::norm(value_of(g[i]));
                s2 += m * std::real(std::conj(value_of(g[i])) * value_of(g0[i]));
                s3 += std::real(std::conj(value_of(d[i])) * value_of(g[i]));
            }
        }
    }
    const auto found = content_of_one<BatchSums>(sums);
    EXPECT_NEAR(found.gradient_norm, s1, 1e-6 * s1);
    EXPECT_NEAR(found.gradient_previous, s2, 1e-6 * s1);
    EXPECT_NEAR(found.gradient_direction, s3, 1e-5 * std::abs(s3) + 1e-5);
}

TEST(DirectionOfSlices, TakesEachSlicesWeight) {
    const auto d = random_pixels(tile_size, 2), g = random_pixels(tile_size, 3);
    const auto weights = random_weights(4);
    IterationState state;
    state.illumination_max = 42;
    state.beta = 0.6;
    const Data object = moving_field_of(d, d), gradient = data_of(g, field_bytes(tile, slices));
    const Data weight = data_of(weights, weight_bytes(tile, slices)), state_data = data_of_one(state);
    direction.submit({MovingPart::object, slices, tile, 0.1}, {&object, &gradient, &weight, &state_data});
    const HostAccess access(object, Access::read);
    const auto found = moving_field(access.as<const std::byte>(), tile_size);
    for (std::size_t i = 0; i < tile_size; ++i) {
        const auto expected = 0.6 * value_of(d[i]) - inverse_curvature(weights[i], 42) * value_of(g[i]);
        EXPECT_LT(std::abs(value_of(found.direction[i]) - expected), 1e-6);
    }
}

}  // namespace
}  // namespace tessera::test
