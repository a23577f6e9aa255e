#include "quality/frc.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "scan/random.hpp"
#include "scan/wave_optics.hpp"

namespace tessera {
namespace {

Array<float, 2> whole(Extents<2> shape) {
    return Array<float, 2>(shape, 1.0F);
}

Wave noise(Extents<2> shape, std::uint64_t seed) {
    Random random(seed, 0);
    Wave wave(shape);
    for (auto& value : wave) value = {random.normal(), random.normal()};
    return wave;
}

Wave without_high_frequencies(Wave wave, double largest) {
    const auto [n_y, n_x] = wave.extents();
    fft2(wave);
    for (std::ptrdiff_t y = 0; y < n_y; ++y)
        for (std::ptrdiff_t x = 0; x < n_x; ++x)
            if (std::hypot(frequency(y, n_y), frequency(x, n_x)) > largest) wave(y, x) = {0, 0};
    ifft2(wave);
    return wave;
}

Array<cfloat, 2> sum(const Wave& a, double factor, const Wave& b) {
    Array<cfloat, 2> result(a.extents());
    for (std::ptrdiff_t i = 0; i < a.size(); ++i) {
        const cdouble value = a[i] + factor * b[i];
        result[i] = {static_cast<float>(value.re), static_cast<float>(value.im)};
    }
    return result;
}

TEST(RingCorrelation, OfAnImageWithItselfIsOne) {
    for (const Extents<2> shape : {Extents<2>{64, 64}, Extents<2>{63, 80}}) {
        const Wave image = noise(shape, 1);
        const auto a = sum(image, 0, image);
        const auto rings = ring_correlation(a, a, whole(shape));
        ASSERT_EQ(rings.frequency.size(), static_cast<std::size_t>(shape[0] / 2 + 1));
        ASSERT_EQ(rings.half_bit.size(), rings.frequency.size());
        for (const double value : rings.correlation) EXPECT_NEAR(value, 1, 1e-9);
        EXPECT_EQ(rings.crossing_half_bit, 0.5);
        EXPECT_EQ(rings.crossing_one_seventh, 0.5);
        EXPECT_EQ(rings.frequency.front(), 0);
        EXPECT_NEAR(rings.frequency.back(), 0.5, 0.01);
    }
}

TEST(RingCorrelation, DoesNotSeeAScaleButSeesAPhase) {
    const Wave image = noise({64, 64}, 1);
    const auto a = sum(image, 0, image);
    auto b = a;
    for (auto& value : b) value = cfloat{0, 3} * value;
    const auto turned = ring_correlation(a, b, whole({64, 64}));
    for (const double value : turned.correlation)
        EXPECT_NEAR(value, 0, 1e-6) << "registered images are in phase";
    for (auto& value : b) value = cfloat{0, -1} * value;
    for (const double value : ring_correlation(a, b, whole({64, 64})).correlation)
        EXPECT_NEAR(value, 1, 1e-6);
}

TEST(RingCorrelation, OfIndependentNoiseIsNearZero) {
    const Extents<2> shape{128, 128};
    const Wave first = noise(shape, 1), second = noise(shape, 2);
    const auto rings = ring_correlation(sum(first, 0, first), sum(second, 0, second), whole(shape));
    double mean = 0;
    for (std::size_t i = 8; i < rings.correlation.size(); ++i) {
        EXPECT_LT(std::abs(rings.correlation[i]), rings.half_bit[i]) << "ring " << i;
        mean += rings.correlation[i];
    }
    EXPECT_NEAR(mean / 57, 0, 0.02);
    EXPECT_LT(rings.crossing_half_bit, 0.08);
    EXPECT_LT(rings.crossing_one_seventh, 0.12);
}

TEST(RingCorrelation, OfSignalAndNoiseIsTheirRatio) {
    const Extents<2> shape{192, 192};
    const Wave signal = noise(shape, 1);
    // Both have the signal at power 1 and noise of their own at power 1/4: correlation 1 / (1 + 1/4).
    const auto rings =
        ring_correlation(sum(signal, 0.5, noise(shape, 2)), sum(signal, 0.5, noise(shape, 3)), whole(shape));
    double mean = 0;
    for (std::size_t i = 10; i < rings.correlation.size(); ++i) mean += rings.correlation[i];
    EXPECT_NEAR(mean / static_cast<double>(rings.correlation.size() - 10), 0.8, 0.02);
    EXPECT_EQ(rings.crossing_half_bit, 0.5);
}

TEST(RingCorrelation, CrossesWhereTheCommonSignalEnds) {
    const Extents<2> shape{160, 144};
    const Wave signal = without_high_frequencies(noise(shape, 1), 0.22);
    const auto rings =
        ring_correlation(sum(signal, 0.5, noise(shape, 2)), sum(signal, 0.5, noise(shape, 3)), whole(shape));
    EXPECT_NEAR(rings.crossing_half_bit, 0.22, 0.02);
    EXPECT_NEAR(rings.crossing_one_seventh, 0.22, 0.02);
    EXPECT_LT(rings.crossing_half_bit, rings.crossing_one_seventh + 0.01);
}

TEST(RingCorrelation, RegionHidesTheRestOfThePicture) {
    const Extents<2> shape{128, 128};
    const Wave signal = noise(shape, 1), first = noise(shape, 2), second = noise(shape, 3);
    Array<cfloat, 2> a = sum(first, 0, first), b = sum(second, 0, second);  // equal inside a disc alone
    Array<float, 2> region(shape);
    for (int y = 0; y < 128; ++y)
        for (int x = 0; x < 128; ++x)
            if (std::hypot(y - 60, x - 66) < 40) {
                region(y, x) = 1;
                a(y, x) =
                    b(y, x) = {static_cast<float>(signal(y, x).re), static_cast<float>(signal(y, x).im)};
            }
    for (const double value : ring_correlation(a, b, region).correlation) EXPECT_NEAR(value, 1, 1e-9);
    const auto rings = ring_correlation(a, b, whole(shape));
    EXPECT_LT(rings.correlation[40], 0.8);
}

// A hard-edged mask alone would make any two images agree at all frequencies.
TEST(RingCorrelation, MaskEdgesDoNotCorrelate) {
    const Extents<2> shape{128, 128};
    Wave first = noise(shape, 1), second = noise(shape, 2);
    for (std::ptrdiff_t i = 0; i < first.size(); ++i) {  // two transmissions near one
        first[i] = cdouble{1, 0} + 0.02 * first[i];
        second[i] = cdouble{1, 0} + 0.02 * second[i];
    }
    Array<float, 2> region(shape);
    for (int y = 20; y < 100; ++y)
        for (int x = 16; x < 110; ++x) region(y, x) = 1;
    const auto rings = ring_correlation(sum(first, 0, first), sum(second, 0, second), region);
    for (std::size_t i = 10; i < rings.correlation.size(); ++i)
        EXPECT_LT(std::abs(rings.correlation[i]), 0.35) << i;
}

TEST(RingCorrelation, HalfBitCurveFallsFromOneTowardsItsLimit) {
    const Extents<2> shape{256, 256};
    const auto a = Array<cfloat, 2>(shape, cfloat{1, 0});
    const auto rings = ring_correlation(a, a, whole(shape));
    EXPECT_NEAR(rings.half_bit[0], 1, 1e-3);  // (0.2071 + 1.9102) / (1.2071 + 0.9102)
    for (std::size_t i = 1; i < rings.half_bit.size(); ++i)
        EXPECT_LE(rings.half_bit[i], rings.half_bit[i - 1] + 0.02);
    EXPECT_GT(rings.half_bit.back(), 0.2071 / 1.2071);
    EXPECT_LT(rings.half_bit.back(), 0.3);
}

TEST(RingCorrelation, SmallAndEmpty) {
    const Array<cfloat, 2> one({1, 1}, cfloat{1, 0});
    EXPECT_EQ(ring_correlation(one, one, whole({1, 1})).correlation.size(), 1U);
    EXPECT_THROW(ring_correlation(one, one, Array<float, 2>({1, 1})), Error);
}

}  // namespace
}  // namespace tessera
