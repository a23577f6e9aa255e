// Modes of a probe made orthogonal: the same mixed state, and direction and gradient mixed with it.
#include "codelets/orthogonalize.hpp"

#include <gtest/gtest.h>

#include <complex>

#include "support/filled_data.hpp"

namespace tessera::test {
namespace {

using Value = std::complex<double>;

constexpr Shape2 shape = {7, 9};
constexpr std::size_t area = 63;

Value inner(const std::vector<cfloat>& a, std::size_t i, const std::vector<cfloat>& b, std::size_t j) {
    Value sum = 0;
    for (std::size_t r = 0; r < area; ++r)
        sum += std::conj(value_of(a[i * area + r])) * value_of(b[j * area + r]);
    return sum;
}

// sum_k A_k(r) conj(B_k(r')): what does not change when both are mixed by the same unitary matrix.
double difference_of_states(const std::vector<cfloat>& a, const std::vector<cfloat>& b,
                            const std::vector<cfloat>& mixed_a, const std::vector<cfloat>& mixed_b,
                            std::size_t modes) {
    double difference = 0, size = 0;
    for (std::size_t r = 0; r < area; ++r) {
        for (std::size_t q = 0; q < area; ++q) {
            Value before = 0, after = 0;
            for (std::size_t k = 0; k < modes; ++k) {
                before += value_of(a[k * area + r]) * std::conj(value_of(b[k * area + q]));
                after += value_of(mixed_a[k * area + r]) * std::conj(value_of(mixed_b[k * area + q]));
            }
            difference += std::norm(after - before);
            size += std::norm(before);
        }
    }
    return std::sqrt(difference / size);
}

struct Mixed {
    std::vector<cfloat> value, direction, gradient;
};
Mixed orthogonalized(const std::vector<cfloat>& value, const std::vector<cfloat>& direction,
                     const std::vector<cfloat>& gradient, std::int32_t modes, std::int32_t stopped = 0) {
    IterationState state;
    state.stopped = stopped;
    const Data probe = moving_field_of(value, direction), gradients = data_of(gradient),
               states = data_of_one(state);
    orthogonalize.submit({modes, shape}, {&probe, &gradients, &states});
    const HostAccess access(probe, Access::read);
    throw_task_failure();
    const auto field = moving_field(access.as<const std::byte>(), value.size());
    return {{field.value, field.value + value.size()},
            {field.direction, field.direction + value.size()},
            content<cfloat>(gradients, value.size())};
}

TEST(Orthogonalize, KeepsTheStateAndMixesAllAlike) {
    for (const std::int32_t modes : {1, 2, 3, 7}) {
        SCOPED_TRACE(modes);
        const auto n = static_cast<std::size_t>(modes);
        auto value = random_pixels(n * area, 1);
        for (std::size_t i = area; i < value.size(); ++i)
            value[i] = 0.5F * value[i] + value[i % area];  // far from orthogonal
        const auto direction = random_pixels(n * area, 2), gradient = random_pixels(n * area, 3);
        const Mixed mixed = orthogonalized(value, direction, gradient, modes);
        for (std::size_t i = 0; i < n; ++i) {
            const double power = inner(mixed.value, i, mixed.value, i).real();
            for (std::size_t j = 0; j < i; ++j) {
                const double other = inner(mixed.value, j, mixed.value, j).real();
                EXPECT_LT(std::abs(inner(mixed.value, i, mixed.value, j)), 1e-6 * other) << i << " " << j;
                EXPECT_LE(power, other * (1 + 1e-6));
            }
        }
        EXPECT_LT(difference_of_states(value, value, mixed.value, mixed.value, n), 1e-6);
        EXPECT_LT(difference_of_states(value, direction, mixed.value, mixed.direction, n), 1e-6);
        EXPECT_LT(difference_of_states(value, gradient, mixed.value, mixed.gradient, n), 1e-6);
    }
}

TEST(Orthogonalize, SurvivesModesThatAreEqualOrEmpty) {
    auto value = random_pixels(area, 4);
    value.insert(value.end(), value.begin(), value.begin() + area);
    value.resize(3 * area);
    const Mixed mixed = orthogonalized(value, value, value, 3);
    EXPECT_NEAR(inner(mixed.value, 0, mixed.value, 0).real(), 2 * inner(value, 0, value, 0).real(),
                1e-5 * inner(value, 0, value, 0).real());
    EXPECT_LT(std::abs(inner(mixed.value, 1, mixed.value, 1)), 1e-6);
}

TEST(Orthogonalize, DoesNothingOnceStopped) {
    const auto value = random_pixels(2 * area, 5);
    const Mixed mixed = orthogonalized(value, value, value, 2, 1);
    for (std::size_t i = 0; i < value.size(); ++i) EXPECT_EQ(mixed.value[i].re, value[i].re);
}

}  // namespace
}  // namespace tessera::test
