// What happens to object and probe between two passes over the frames: weights, dot products, directions,
// steps.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "codelets/direction.hpp"
#include "codelets/dots.hpp"
#include "codelets/record.hpp"
#include "codelets/weigh.hpp"
#include "support/filled_data.hpp"

namespace tessera::test {
namespace {

constexpr double alpha = 0.1;

std::vector<float> random_weights(std::size_t count, std::uint64_t seed) {
    Random random(seed, 1);
    std::vector<float> weights(count);
    for (float& weight : weights) weight = static_cast<float>(random.uniform(0, 40));
    return weights;
}

double inverse_curvature(float weight, double largest) {
    return 1 / ((1 - alpha) * static_cast<double>(weight) + alpha * largest);
}

TEST(WeighObject, TakesTheRealPartAndItsMaximum) {
    constexpr Shape2 tile = {5, 11};
    const auto field = random_pixels(tile.area(), 1);
    const Data field_data = data_of(field), weights(weight_bytes(tile));
    BatchSums before;
    before.weight_max = 0.5;
    before.cost = 3;
    const Data sums = data_of_one(before);
    weigh_object.submit({tile}, {&field_data, &weights, &sums});
    const auto found = content<float>(weights, tile.area());
    float largest = 0;
    for (std::size_t i = 0; i < field.size(); ++i) {
        EXPECT_EQ(found[i], field[i].re);
        largest = std::max(largest, field[i].re);
    }
    EXPECT_EQ(content_of_one<BatchSums>(sums).weight_max, static_cast<double>(largest));
    EXPECT_EQ(content_of_one<BatchSums>(sums).cost, 3);
    // A maximum that another tile has found stays.
    before.weight_max = 100;
    const Data sums_with_more = data_of_one(before);
    weigh_object.submit({tile}, {&field_data, &weights, &sums_with_more});
    EXPECT_EQ(content_of_one<BatchSums>(sums_with_more).weight_max, 100);
}

TEST(WeighProbe, TakesTheFirstPlaneAndBothMaxima) {
    constexpr Shape2 probe = {3, 5};
    constexpr std::size_t probe_size = 2 * 15;
    Data sums(sums_bytes(probe_size));
    auto* base = sums.before_tasks<std::byte>();
    batch_sums(base)->weight_max = 77;
    for (std::size_t i = 0; i < probe_size; ++i) probe_part(base)[i] = {static_cast<float>(i), -5};
    const Data coverage(weight_bytes(probe)), state = data_of_one(IterationState{});
    weigh_probe.submit({probe, probe_size}, {&sums, &coverage, &state});
    const auto found = content<float>(coverage, probe.area());
    for (std::size_t i = 0; i < probe.area(); ++i) EXPECT_EQ(found[i], static_cast<float>(i));
    EXPECT_EQ(content_of_one<IterationState>(state).coverage_max, 14);
    EXPECT_EQ(content_of_one<IterationState>(state).illumination_max, 77);
}

// Nothing illuminated, an object of zero: a preconditioner divides by the maximum all the same.
TEST(WeighProbe, KeepsTheMaximaPositive) {
    constexpr Shape2 probe = {2, 2};
    const Data sums(sums_bytes(4)), coverage(weight_bytes(probe)), state = data_of_one(IterationState{});
    weigh_probe.submit({probe, 4}, {&sums, &coverage, &state});
    EXPECT_GT(content_of_one<IterationState>(state).coverage_max, 0);
    EXPECT_GT(content_of_one<IterationState>(state).illumination_max, 0);
    EXPECT_TRUE(std::isfinite(1 / (static_cast<float>(alpha) *
                                   static_cast<float>(content_of_one<IterationState>(state).coverage_max))));
}

TEST(Dots, AreTakenOverTheInterior) {
    constexpr Shape2 tile = {12, 37}, interior = {7, 21};
    constexpr int y0 = 2, x0 = 9;
    const auto g = random_pixels(tile.area(), 1), g0 = random_pixels(tile.area(), 2),
               d = random_pixels(tile.area(), 3);
    const auto weights = random_weights(tile.area(), 4);
    IterationState state;
    state.illumination_max = 45;
    BatchSums before;
    before.gradient_norm = 1;
    before.gradient_previous = 2;
    before.gradient_direction = 3;
    before.cost = 4;
    const Data gradient = data_of(g), previous = data_of(g0), weight = data_of(weights),
               sums = data_of_one(before);
    const Data object = moving_field_of(random_pixels(tile.area(), 5), d), state_data = data_of_one(state);
    dots.submit({tile, y0, x0, interior, alpha},
                {&gradient, &previous, &object, &weight, &state_data, &sums});
    double s1 = 1, s2 = 2, s3 = 3, size = 0;
    for (std::size_t y = y0; y < y0 + 7; ++y) {
        for (std::size_t x = x0; x < x0 + 21; ++x) {
            const std::size_t i = y * 37 + x;
            const double m = inverse_curvature(weights[i], 45);
            s1 += m * std::norm(value_of(g[i]));
            s2 += m * std::real(std::conj(value_of(g[i])) * value_of(g0[i]));
            s3 += std::real(std::conj(value_of(d[i])) * value_of(g[i]));
            size += std::abs(value_of(d[i])) * std::abs(value_of(g[i]));
        }
    }
    const BatchSums found = content_of_one<BatchSums>(sums);
    EXPECT_NEAR(found.gradient_norm, s1, 1e-6 * s1);
    EXPECT_NEAR(found.gradient_previous, s2, 1e-6 * s1);
    EXPECT_NEAR(found.gradient_direction, s3, 1e-6 * size);
    EXPECT_EQ(found.cost, 4);
}

TEST(Direction, OfTheProbeHasOneWeightForAllModes) {
    constexpr Shape2 plane = {7, 5};
    constexpr std::size_t modes = 3, size = modes * 35;
    const auto value = random_pixels(size, 1), d = random_pixels(size, 2), g = random_pixels(size, 3);
    const auto weights = random_weights(plane.area(), 4);
    IterationState state;
    state.beta = 0.6;
    state.coverage_max = 50;
    state.illumination_max = 1e-3;  // the object's, not to be taken
    const Data probe = moving_field_of(value, d), gradient = data_of(g), weight = data_of(weights);
    const Data state_data = data_of_one(state);
    direction.submit({MovingPart::probe, modes, plane, alpha}, {&probe, &gradient, &weight, &state_data});
    const HostAccess access(probe, Access::read);
    const auto found = moving_field(access.as<const std::byte>(), size);
    for (std::size_t i = 0; i < size; ++i) {
        const auto expected =
            0.6 * value_of(d[i]) - inverse_curvature(weights[i % plane.area()], 50) * value_of(g[i]);
        EXPECT_LT(std::abs(value_of(found.direction[i]) - expected), 1e-6) << i;
        EXPECT_EQ(found.value[i].re, value[i].re);
    }
}

TEST(Direction, OfTheObjectTakesTheIlluminationsMaximum) {
    constexpr Shape2 plane = {4, 9};
    const auto d = random_pixels(plane.area(), 2), g = random_pixels(plane.area(), 3);
    const auto weights = random_weights(plane.area(), 4);
    IterationState state;
    state.illumination_max = 42;
    state.coverage_max = 1e-3;
    const Data object = moving_field_of(d, d), gradient = data_of(g), weight = data_of(weights);
    const Data state_data = data_of_one(state);
    direction.submit({MovingPart::object, 1, plane, alpha}, {&object, &gradient, &weight, &state_data});
    const HostAccess access(object, Access::read);
    const auto found = moving_field(access.as<const std::byte>(), plane.area());
    for (std::size_t i = 0; i < plane.area(); ++i) {
        EXPECT_LT(std::abs(value_of(found.direction[i]) + inverse_curvature(weights[i], 42) * value_of(g[i])),
                  1e-6);
    }
}

TEST(Step, MovesTheValueAlongTheDirection) {
    const std::size_t size = 77;
    const auto value = random_pixels(size, 1), d = random_pixels(size, 2);
    const Data field = moving_field_of(value, d);
    IterationState state;
    state.step = 0.3;
    const Data state_data = data_of_one(state);
    step.submit({size}, {&field, &state_data});
    const HostAccess access(field, Access::read);
    const auto found = moving_field(access.as<const std::byte>(), size);
    for (std::size_t i = 0; i < size; ++i) {
        EXPECT_LT(std::abs(value_of(found.value[i]) - (value_of(value[i]) + 0.3 * value_of(d[i]))), 1e-6);
        EXPECT_EQ(found.direction[i].re, d[i].re);
    }
}

// A direction that is not finite does no harm when no step is taken.
TEST(Step, OfZeroTouchesNothing) {
    const auto value = random_pixels(9, 1);
    const Data field = moving_field_of(value, std::vector<cfloat>(9, {INFINITY, NAN}));
    const Data state = data_of_one(IterationState{});
    step.submit({9}, {&field, &state});
    const auto found = content<cfloat>(field, 9);
    for (std::size_t i = 0; i < 9; ++i) EXPECT_EQ(found[i].re, value[i].re);
}

TEST(Record, IsTheStateWithTheTime) {
    IterationState state;
    state.iteration = 4;
    state.cost = 12.5;
    state.slope = -3;
    state.step = 0.25;
    state.stopped = static_cast<std::int32_t>(StopReason::no_descent);
    const Data state_data = data_of_one(state), first(sizeof(IterationState)), second(sizeof(IterationState));
    record.submit({}, {&state_data, &first});
    record.submit({}, {&state_data, &second});
    const auto made = content_of_one<IterationState>(first), later = content_of_one<IterationState>(second);
    EXPECT_EQ(made.iteration, 4);
    EXPECT_EQ(made.cost, 12.5);
    EXPECT_EQ(made.slope, -3);
    EXPECT_EQ(made.step, 0.25);
    EXPECT_EQ(made.stopped, state.stopped);
    EXPECT_GT(made.time_s, 0);
    EXPECT_GE(later.time_s, made.time_s);
}

}  // namespace
}  // namespace tessera::test
