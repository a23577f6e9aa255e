#include "quality/alignment.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include <cmath>

#include "base/error.hpp"
#include "scan/random.hpp"
#include "scan/synthetic_object.hpp"
#include "scan/wave_optics.hpp"

namespace tessera {
namespace {

Array<cfloat, 2> object_of_one_slice(const SimulatedObjectConfig& config, std::array<int, 2> shape,
                                     std::uint64_t seed) {
    const Array<cfloat, 3> slices = make_object(config, shape, {0, 0}, seed);
    Array<cfloat, 2> object({slices.extent(1), slices.extent(2)});
    std::copy_n(slices.data(), object.size(), object.data());
    return object;
}

Array<cfloat, 2> textured(std::array<int, 2> shape, double largest_phase_rad = 1.5) {
    SimulatedObjectConfig config;
    config.pattern = ObjectPattern::textures;
    config.feature_size_px = 5;
    config.phase_range_rad = {0, largest_phase_rad};
    return object_of_one_slice(config, shape, 5);
}

Array<float, 2> inner_region(Extents<2> shape, std::ptrdiff_t border) {
    Array<float, 2> region(shape);
    for (std::ptrdiff_t y = border; y < shape[0] - border; ++y)
        for (std::ptrdiff_t x = border; x < shape[1] - border; ++x) region(y, x) = 1;
    return region;
}

cdouble phasor(double phase_rad) {
    return {std::cos(phase_rad), std::sin(phase_rad)};
}

// factor exp(i ramp (r - c)) truth(r - shift)
Array<cfloat, 2> misaligned(const Array<cfloat, 2>& truth, const Alignment& alignment) {
    Wave wave = convert<double, float>(truth.view());
    shift_wave(wave, alignment.shift_px);
    const auto [n_y, n_x] = wave.extents();
    for (std::ptrdiff_t y = 0; y < n_y; ++y)
        for (std::ptrdiff_t x = 0; x < n_x; ++x)
            wave(y, x) =
                alignment.factor * (phasor(alignment.ramp_rad_px[0] * static_cast<double>(y - n_y / 2) +
                                           alignment.ramp_rad_px[1] * static_cast<double>(x - n_x / 2)) *
                                    wave(y, x));
    return convert<float, double>(wave.view());
}

void expect_recovered(const ObjectComparison& found, const Alignment& given, double tolerance_px) {
    for (std::size_t axis = 0; axis < 2; ++axis) {
        EXPECT_NEAR(found.alignment.shift_px[axis], given.shift_px[axis], tolerance_px);
        EXPECT_NEAR(found.alignment.ramp_rad_px[axis], given.ramp_rad_px[axis], 0.02 * tolerance_px);
    }
    EXPECT_NEAR(found.alignment.factor.re, given.factor.re, 0.1 * tolerance_px + 1e-5);
    EXPECT_NEAR(found.alignment.factor.im, given.factor.im, 0.1 * tolerance_px + 1e-5);
}

TEST(CompareObjects, AnObjectIsEqualToItself) {
    const auto truth = textured({61, 48});
    const auto found = compare_objects(truth, truth, inner_region(truth.extents(), 5), false);
    EXPECT_LT(found.error, 1e-12);
    expect_recovered(found, {}, 1e-9);
    for (std::ptrdiff_t i = 0; i < truth.size(); ++i) EXPECT_NEAR(found.aligned[i].re, truth[i].re, 1e-6);
}

class Misalignments : public testing::TestWithParam<Alignment> {};

TEST_P(Misalignments, AreFoundAndUndone) {
    const Alignment given = GetParam();
    const auto truth = textured({120, 101});
    const auto region = inner_region(truth.extents(), 16);
    const auto found = compare_objects(misaligned(truth, given), truth, region, true);
    expect_recovered(found, given, 1e-3);
    EXPECT_LT(found.error, 1e-4);
    for (std::ptrdiff_t i = 0; i < truth.size(); ++i)
        if (region[i] != 0) {
            EXPECT_NEAR(found.aligned[i].im, truth[i].im, 1e-3);
        }
}

INSTANTIATE_TEST_SUITE_P(Cases, Misalignments,
                         testing::Values(Alignment{{0.37, -0.81}, {0, 0}, {1, 0}},
                                         Alignment{{0, 0}, {0.06, -0.11}, {1, 0}},
                                         Alignment{{0, 0}, {0, 0}, {-0.3, 0.8}},
                                         Alignment{{1.25, 0.5}, {0.3, 0.2}, {0, 2}},
                                         Alignment{{7.6, -11.3}, {-0.04, 0.09}, {0.6, -0.9}},
                                         Alignment{{-9, 5}, {-0.5, 0.7}, {1.5, 0}}));

TEST(CompareObjects, NoiseLeavesItsOwnErrorAndAHundredthOfAPixel) {
    const auto truth = textured({128, 128});
    const auto region = inner_region(truth.extents(), 12);
    const Alignment given{{2.43, -1.18}, {0.02, 0.05}, {0.8, 0.6}};
    auto object = misaligned(truth, given);
    const double sigma = 0.05;
    Random random(9, 0);
    for (auto& value : object)
        value = value + cfloat{static_cast<float>(sigma * random.normal()),
                               static_cast<float>(sigma * random.normal())};
    const auto found = compare_objects(object, truth, region, false);
    expect_recovered(found, given, 0.01);
    double power = 0, count = 0;
    for (std::ptrdiff_t i = 0; i < truth.size(); ++i)
        if (region[i] != 0) {
            power += static_cast<double>(norm(truth[i]));
            count += 1;
        }
    const double expected = std::sqrt(2 * sigma * sigma * count / power);
    EXPECT_NEAR(found.error, expected, 0.03 * expected);
}

TEST(CompareObjects, WhatIsOutsideTheRegionDoesNotCount) {
    const auto truth = textured({96, 96});
    const auto region = inner_region(truth.extents(), 20);
    const Alignment given{{3, -2}, {0.1, -0.07}, {0, 1}};
    auto object = misaligned(truth, given);
    for (std::ptrdiff_t y = 0; y < 96; ++y)  // a reconstruction knows nothing there
        for (std::ptrdiff_t x = 0; x < 96; ++x)
            if (y < 14 || y >= 82 || x < 14 || x >= 82) object(y, x) = {1, 0};
    const auto found = compare_objects(object, truth, region, false);
    expect_recovered(found, given, 0.01);
    EXPECT_LT(found.error, 2e-3);
}

TEST(CompareObjects, ScaleIsFreeOnlyWhenAsked) {
    const auto truth = textured({64, 64});
    const auto region = inner_region(truth.extents(), 4);
    const auto object = misaligned(truth, {{0, 0}, {0, 0}, {0, 1.25}});
    const auto fixed = compare_objects(object, truth, region, false);
    EXPECT_NEAR(fixed.error, 0.25, 1e-5);
    EXPECT_NEAR(fixed.alignment.factor.im, 1, 1e-6);
    const auto free = compare_objects(object, truth, region, true);
    EXPECT_LT(free.error, 1e-6);
    EXPECT_NEAR(free.alignment.factor.im, 1.25, 1e-6);
}

TEST(CompareObjects, AFlatObjectHasARampAndAFactorButNoShift) {
    const Array<cfloat, 2> truth({40, 50}, cfloat{0.9F, 0});
    const auto region = inner_region(truth.extents(), 6);
    const Alignment given{{0, 0}, {0.15, -0.02}, {0.6, 0.8}};
    const auto found = compare_objects(misaligned(truth, given), truth, region, false);
    EXPECT_LT(found.error, 1e-5);
    EXPECT_NEAR(found.alignment.ramp_rad_px[0], 0.15, 1e-5);
    const auto same = compare_objects(truth, truth, region, false);
    EXPECT_EQ(same.alignment.shift_px, (std::array<double, 2>{0, 0}));
    EXPECT_LT(same.error, 1e-12);
}

TEST(CompareObjects, AnOtherObjectStaysAnother) {
    const auto truth = textured({80, 80});
    SimulatedObjectConfig config;
    config.pattern = ObjectPattern::siemens_star;
    const auto other = object_of_one_slice(config, {80, 80}, 1);
    EXPECT_GT(compare_objects(other, truth, inner_region(truth.extents(), 8), true).error, 0.2);
}

TEST(CompareObjects, OnePixelAndNothing) {
    const Array<cfloat, 2> one({1, 1}, cfloat{2, 0});
    const Array<float, 2> region({1, 1}, 1.0F);
    EXPECT_LT(compare_objects(one, one, region, false).error, 1e-12);
    EXPECT_THROW(compare_objects(one, one, Array<float, 2>({1, 1}), false), Error);
    const Array<cfloat, 2> zero({1, 1});
    EXPECT_NEAR(compare_objects(zero, one, region, true).error, 1, 1e-12);
}

}  // namespace
}  // namespace tessera
