// Modes made orthogonal: another description of the same mixed state.
#include "scan/orthogonal_modes.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <vector>

#include "scan/random.hpp"

namespace tessera {
namespace {

using Value = std::complex<double>;
using Modes = Array<cfloat, 3>;

Value value_of(cfloat z) {
    return {static_cast<double>(z.re), static_cast<double>(z.im)};
}

Modes random_modes(std::ptrdiff_t count, std::ptrdiff_t height, std::ptrdiff_t width) {
    Random random(5, static_cast<std::uint64_t>(count));
    Modes modes({count, height, width});
    for (cfloat& pixel : modes) {
        pixel.re = static_cast<float>(random.normal());
        pixel.im = static_cast<float>(random.normal());
    }
    return modes;
}

Value overlap(const Modes& a, std::ptrdiff_t i, const Modes& b, std::ptrdiff_t j) {
    Value sum = 0;
    for (std::ptrdiff_t r = 0; r < a.slice(i).size(); ++r) {
        sum += std::conj(value_of(a.slice(i)[r])) * value_of(b.slice(j)[r]);
    }
    return sum;
}

double power(const Modes& modes, std::ptrdiff_t i) {
    return overlap(modes, i, modes, i).real();
}

void expect_orthogonal_by_falling_power(const Modes& modes) {
    for (std::ptrdiff_t i = 0; i < modes.extent(0); ++i) {
        for (std::ptrdiff_t j = 0; j < i; ++j) {
            EXPECT_LT(std::abs(overlap(modes, i, modes, j)), 1e-6 * power(modes, 0)) << i << " " << j;
        }
        if (i > 0) {
            EXPECT_LE(power(modes, i), power(modes, i - 1) * (1 + 1e-6));
        }
    }
}

// sum_k P_k(r) conj(P_k(r')): all that any intensity can depend on.
void expect_same_state(const Modes& a, const Modes& b) {
    ASSERT_EQ(a.extents(), b.extents());
    const std::ptrdiff_t pixels = a.extent(1) * a.extent(2);
    double difference = 0, size = 0;
    for (std::ptrdiff_t r = 0; r < pixels; ++r) {
        for (std::ptrdiff_t s = 0; s < pixels; ++s) {
            Value in_a = 0, in_b = 0;
            for (std::ptrdiff_t k = 0; k < a.extent(0); ++k) {
                in_a += value_of(a.slice(k)[r]) * std::conj(value_of(a.slice(k)[s]));
                in_b += value_of(b.slice(k)[r]) * std::conj(value_of(b.slice(k)[s]));
            }
            difference += std::norm(in_a - in_b);
            size += std::norm(in_b);
        }
    }
    EXPECT_LT(std::sqrt(difference / size), 1e-6);
}

TEST(OrthogonalModes, AreOrthogonalAndTheSameState) {
    for (const std::ptrdiff_t count : {2, 3, 5, 8}) {
        SCOPED_TRACE(count);
        const Modes mixed = random_modes(count, 7, 6);
        const Modes modes = orthogonal_modes(mixed);
        expect_orthogonal_by_falling_power(modes);
        expect_same_state(modes, mixed);
    }
}

TEST(OrthogonalModes, OfOneModeIsItself) {
    const Modes one = random_modes(1, 5, 4);
    const Modes modes = orthogonal_modes(one);
    for (std::ptrdiff_t i = 0; i < one.size(); ++i) {
        EXPECT_EQ(modes[i].re, one[i].re);
        EXPECT_EQ(modes[i].im, one[i].im);
    }
}

TEST(OrthogonalModes, AreLeftAloneWhenTheyAre) {
    const Modes first = orthogonal_modes(random_modes(4, 6, 6));
    const Modes second = orthogonal_modes(first);
    for (std::ptrdiff_t k = 0; k < 4; ++k) {
        EXPECT_NEAR(std::abs(overlap(first, k, second, k)) / power(first, k), 1, 1e-6) << k;
    }
}

TEST(OrthogonalModes, SortsByPower) {
    Modes modes({3, 1, 3});
    modes(0, 0, 0) = {1, 0};
    modes(1, 0, 1) = {0, 3};
    modes(2, 0, 2) = {-2, 0};
    const Modes sorted = orthogonal_modes(modes);
    EXPECT_NEAR(power(sorted, 0), 9, 1e-6);
    EXPECT_NEAR(power(sorted, 1), 4, 1e-6);
    EXPECT_NEAR(power(sorted, 2), 1, 1e-6);
    EXPECT_NEAR(std::abs(value_of(sorted(0, 0, 1))), 3, 1e-6);
}

// The worst that a guess can bring: equal modes, dark modes, equal powers, powers far apart.
TEST(OrthogonalModes, OfDependentModesLeavesDarkOnes) {
    Modes equal = random_modes(3, 4, 4);
    for (std::ptrdiff_t i = 0; i < equal.slice(0).size(); ++i)
        equal.slice(1)[i] = equal.slice(2)[i] = equal.slice(0)[i];
    const Modes modes = orthogonal_modes(equal);
    EXPECT_NEAR(power(modes, 0) / power(equal, 0), 3, 1e-5);
    EXPECT_LT(power(modes, 1), 1e-9 * power(modes, 0));
    EXPECT_LT(power(modes, 2), 1e-9 * power(modes, 0));
    expect_same_state(modes, equal);

    const Modes dark({2, 3, 3});
    for (const cfloat& pixel : orthogonal_modes(dark)) {
        EXPECT_EQ(pixel.re, 0);
        EXPECT_EQ(pixel.im, 0);
    }
}

TEST(OrthogonalModes, StandPowersFarApart) {
    Modes mixed = random_modes(3, 8, 8);
    for (cfloat& pixel : mixed.slice(1)) pixel = 1e-3f * pixel;
    for (cfloat& pixel : mixed.slice(2)) pixel = 1e3f * pixel;
    const Modes modes = orthogonal_modes(mixed);
    // Single precision: a weak mode is orthogonal to a strong one to within the strong one's rounding.
    for (std::ptrdiff_t i = 1; i < 3; ++i) {
        EXPECT_LT(std::abs(overlap(modes, 0, modes, i)), 1e-6 * std::sqrt(power(modes, 0) * power(modes, i)));
    }
    EXPECT_NEAR((power(modes, 0) + power(modes, 1) + power(modes, 2)) /
                    (power(mixed, 0) + power(mixed, 1) + power(mixed, 2)),
                1, 1e-6);
    EXPECT_GT(power(modes, 1), 0.1 * power(mixed, 0));
}

}  // namespace
}  // namespace tessera
