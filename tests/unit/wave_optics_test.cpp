#include "scan/wave_optics.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numbers>
#include <optional>

#include "scan/random.hpp"

namespace tessera {
namespace {

Wave random_wave(Extents<2> shape, std::uint64_t seed) {
    Random random(seed, 0);
    Wave wave(shape);
    for (auto& value : wave) value = {random.normal(), random.normal()};
    return wave;
}

double distance(const Wave& a, const Wave& b) {
    double sum = 0;
    for (std::ptrdiff_t i = 0; i < a.size(); ++i) sum += norm(a[i] - b[i]);
    return std::sqrt(sum);
}

class WaveOptics : public testing::TestWithParam<Extents<2>> {};

TEST_P(WaveOptics, TransformIsTheUnitarySum) {
    const auto [n_y, n_x] = GetParam();
    const Wave wave = random_wave({n_y, n_x}, 1);
    Wave expected(wave.extents());
    for (std::ptrdiff_t k_y = 0; k_y < n_y; ++k_y)
        for (std::ptrdiff_t k_x = 0; k_x < n_x; ++k_x)
            for (std::ptrdiff_t y = 0; y < n_y; ++y)
                for (std::ptrdiff_t x = 0; x < n_x; ++x) {
                    const double turns = static_cast<double>(k_y * y) / static_cast<double>(n_y) +
                                         static_cast<double>(k_x * x) / static_cast<double>(n_x);
                    const double phase_rad = -2 * std::numbers::pi * turns;
                    const double scale = 1 / std::sqrt(static_cast<double>(n_y * n_x));
                    expected(k_y, k_x) =
                        mul_add(cdouble{scale * std::cos(phase_rad), scale * std::sin(phase_rad)}, wave(y, x),
                                expected(k_y, k_x));
                }
    Wave transformed = wave;
    fft2(transformed);
    EXPECT_LT(distance(transformed, expected), 1e-12);
    EXPECT_NEAR(power(transformed), power(wave), 1e-12 * power(wave));
    ifft2(transformed);
    EXPECT_LT(distance(transformed, wave), 1e-12);
}

TEST_P(WaveOptics, CentreMovesToTheOriginAndBack) {
    const auto [n_y, n_x] = GetParam();
    const Wave wave = random_wave({n_y, n_x}, 2);
    const Wave moved = centre_to_origin(wave);
    EXPECT_EQ(moved(0, 0).re, wave(n_y / 2, n_x / 2).re);
    const Wave back = origin_to_centre(moved);
    EXPECT_EQ(distance(back, wave), 0);
}

TEST_P(WaveOptics, WholeShiftsRoll) {
    const auto [n_y, n_x] = GetParam();
    const Wave wave = random_wave({n_y, n_x}, 3);
    Wave shifted = wave;
    shift_wave(shifted, {2, -1});
    EXPECT_LT(distance(shifted, rolled(wave, 2 % n_y, n_x - 1)), 1e-12);
}

TEST_P(WaveOptics, PropagationIsUnitaryAndAdds) {
    const Wave wave = random_wave(GetParam(), 4);
    const std::array<double, 2> pixel_m = {1e-7, 1.5e-7};
    Wave once = wave, twice = wave;
    propagate(once, pixel_m, 1e-10, 3e-4);
    EXPECT_NEAR(power(once), power(wave), 1e-12 * power(wave));
    propagate(twice, pixel_m, 1e-10, 1e-4);
    propagate(twice, pixel_m, 1e-10, 2e-4);
    EXPECT_LT(distance(once, twice), 1e-12);
    propagate(once, pixel_m, 1e-10, -3e-4);
    EXPECT_LT(distance(once, wave), 1e-12);
}

INSTANTIATE_TEST_SUITE_P(Shapes, WaveOptics,
                         testing::Values(Extents<2>{1, 1}, Extents<2>{1, 6}, Extents<2>{7, 5},
                                         Extents<2>{8, 9}, Extents<2>{12, 10}));

TEST(Frequency, FollowsTheTransform) {
    EXPECT_EQ(frequency(0, 4), 0);
    EXPECT_EQ(frequency(1, 4), 0.25);
    EXPECT_EQ(frequency(2, 4), -0.5);
    EXPECT_EQ(frequency(3, 4), -0.25);
    EXPECT_EQ(frequency(2, 5), 0.4);
    EXPECT_EQ(frequency(3, 5), -0.4);
    EXPECT_EQ(frequency(0, 1), 0);
}

TEST(Propagation, WidensAGaussianBeamAsItShould) {
    const std::ptrdiff_t n = 128;
    const double pixel_m = 1e-7, wavelength_m = 1e-10, waist_m = 8e-7;
    Wave wave({n, n});
    for (std::ptrdiff_t y = 0; y < n; ++y)
        for (std::ptrdiff_t x = 0; x < n; ++x) {
            const double r_m =
                pixel_m * std::hypot(static_cast<double>(y - n / 2), static_cast<double>(x - n / 2));
            wave(y, x) = {std::exp(-r_m * r_m / (waist_m * waist_m)), 0};
        }
    const double rayleigh_m = std::numbers::pi * waist_m * waist_m / wavelength_m;
    propagate(wave, {pixel_m, pixel_m}, wavelength_m, rayleigh_m);
    // One Rayleigh length on: half the axial intensity, waist times sqrt 2, radius of curvature two Rayleigh
    // lengths.
    EXPECT_NEAR(norm(wave(n / 2, n / 2)), 0.5, 1e-6);
    const double r_m = 10 * pixel_m;
    const cdouble off_axis = wave(n / 2, n / 2 + 10), on_axis = wave(n / 2, n / 2);
    EXPECT_NEAR(norm(off_axis) / norm(on_axis), std::exp(-r_m * r_m / (waist_m * waist_m)), 1e-6);
    const cdouble relative = conj_mul(on_axis, off_axis);
    EXPECT_NEAR(std::atan2(relative.im, relative.re),
                std::numbers::pi * r_m * r_m / (wavelength_m * 2 * rayleigh_m), 1e-6)
        << "a diverging wave has a rising phase";
}

class TransferFunction : public testing::TestWithParam<SlicePropagation> {
  protected:
    SlicePropagator propagator(std::optional<double> band_limit = {}) const {
        return {GetParam(), 2e-12, band_limit};
    }
    static constexpr std::array<double, 2> pixel_m = {1e-11, 1.5e-11};
};

TEST_P(TransferFunction, PassesItsBandUnchangedInPowerAndStopsTheRest) {
    for (const Extents<2> shape : {Extents<2>{1, 1}, Extents<2>{5, 8}, Extents<2>{24, 18}}) {
        const Wave transfer = transfer_function(propagator(2.0 / 3), shape, pixel_m, 3e-9);
        EXPECT_EQ(transfer[0].re, 1) << "the constant phase is left out";
        const double band_per_m = 2.0 / 3 * 0.5 / pixel_m[1];
        for (std::ptrdiff_t y = 0; y < shape[0]; ++y)
            for (std::ptrdiff_t x = 0; x < shape[1]; ++x) {
                const double q_per_m =
                    std::hypot(frequency(y, shape[0]) / pixel_m[0], frequency(x, shape[1]) / pixel_m[1]);
                const double expected = q_per_m <= band_per_m ? 1 : 0;
                EXPECT_NEAR(norm(transfer(y, x)), expected, 1e-14) << y << ' ' << x;
            }
    }
}

TEST_P(TransferFunction, BackIsTheConjugateAndTwoHalvesAreOneWhole) {
    const Extents<2> shape = {15, 32};
    const Wave whole = transfer_function(propagator(), shape, pixel_m, 4e-9);
    const Wave half = transfer_function(propagator(), shape, pixel_m, 2e-9);
    const Wave back = transfer_function(propagator(), shape, pixel_m, -4e-9);
    for (std::ptrdiff_t i = 0; i < whole.size(); ++i) {
        EXPECT_LT(norm(half[i] * half[i] - whole[i]), 1e-24);
        EXPECT_EQ(back[i].re, whole[i].re);
        EXPECT_EQ(back[i].im, -whole[i].im);
    }
}

// A Gaussian beam of 30 mrad: exp(-r^2 / w^2) with lambda / (pi w) = 0.03, one Rayleigh length on.
TEST_P(TransferFunction, WidensAGaussianBeamAsItShould) {
    const std::ptrdiff_t n = 128;
    const double pixel = 5e-12, wavelength_m = 2e-12, waist_m = wavelength_m / (std::numbers::pi * 0.03);
    Wave wave({n, n});
    for (std::ptrdiff_t y = 0; y < n; ++y)
        for (std::ptrdiff_t x = 0; x < n; ++x) {
            const double r_m =
                pixel * std::hypot(static_cast<double>(y - n / 2), static_cast<double>(x - n / 2));
            wave(y, x) = {std::exp(-r_m * r_m / (waist_m * waist_m)), 0};
        }
    const double rayleigh_m = std::numbers::pi * waist_m * waist_m / wavelength_m;
    const Wave transfer = transfer_function(propagator(), {n, n}, {pixel, pixel}, rayleigh_m);
    fft2(wave);
    for (std::ptrdiff_t i = 0; i < wave.size(); ++i) wave[i] = transfer[i] * wave[i];
    ifft2(wave);
    // Paraxial: a complex width w sqrt(1 + i). The next order is of the angle squared, 1e-3.
    const double tolerance = GetParam() == SlicePropagation::fresnel ? 1e-6 : 2e-3;
    const cdouble centre = wave(n / 2, n / 2), off_axis = wave(n / 2, n / 2 + 4);
    const double r2 = std::pow(4 * pixel / waist_m, 2);
    EXPECT_NEAR(norm(centre), 0.5, tolerance);
    EXPECT_NEAR(norm(off_axis) / norm(centre), std::exp(-r2), tolerance);
    const cdouble relative = conj_mul(centre, off_axis);
    EXPECT_NEAR(std::atan2(relative.im, relative.re), r2 / 2, tolerance);
}

TEST_P(TransferFunction, ForTheEnginesIsTheSameForEachSpacing) {
    const std::array<double, 2> spacings_m = {1e-9, 2.5e-9};
    const auto transfers = slice_transfer_functions(propagator(0.5), {6, 7}, pixel_m, spacings_m);
    ASSERT_EQ(transfers.extents(), (Extents<3>{2, 6, 7}));
    for (std::ptrdiff_t slice = 0; slice < 2; ++slice) {
        const Wave expected =
            transfer_function(propagator(0.5), {6, 7}, pixel_m, spacings_m[static_cast<std::size_t>(slice)]);
        for (std::ptrdiff_t i = 0; i < expected.size(); ++i) {
            EXPECT_EQ(transfers.slice(slice)[i].re, static_cast<float>(expected[i].re));
            EXPECT_EQ(transfers.slice(slice)[i].im, static_cast<float>(expected[i].im));
        }
    }
    EXPECT_EQ(slice_transfer_functions(propagator(), {6, 7}, pixel_m, {}).extent(0), 0)
        << "one slice, no way";
}

INSTANTIATE_TEST_SUITE_P(Kinds, TransferFunction,
                         testing::Values(SlicePropagation::fresnel, SlicePropagation::angular_spectrum));

TEST(SlicePropagator, FresnelIsThePropagationOfTheRest) {
    const SlicePropagator propagator{SlicePropagation::fresnel, 1e-10, {}};
    Wave wave = random_wave({9, 12}, 5), expected = wave;
    propagate(expected, {1e-8, 2e-8}, 1e-10, 5e-6);
    const Wave transfer = transfer_function(propagator, {9, 12}, {1e-8, 2e-8}, 5e-6);
    fft2(wave);
    for (std::ptrdiff_t i = 0; i < wave.size(); ++i) wave[i] = transfer[i] * wave[i];
    ifft2(wave);
    EXPECT_LT(distance(wave, expected), 1e-12);
}

// Straight from the definition, the constant phase taken off afterwards.
TEST(SlicePropagator, AngularSpectrumIsExact) {
    const double wavelength_m = 2e-10, distance_m = 1.1e-8, pixel_m = 1.5e-10;
    const SlicePropagator propagator{SlicePropagation::angular_spectrum, wavelength_m, {}};
    const std::ptrdiff_t n = 64;
    const Wave transfer = transfer_function(propagator, {1, n}, {pixel_m, pixel_m}, distance_m);
    for (std::ptrdiff_t x = 0; x < n; ++x) {
        const double q_per_m = frequency(x, n) / pixel_m;
        const double k_z_per_m = std::sqrt(1 / (wavelength_m * wavelength_m) - q_per_m * q_per_m);
        const double phase_rad = 2 * std::numbers::pi * distance_m * (k_z_per_m - 1 / wavelength_m);
        EXPECT_NEAR(transfer[x].re, std::cos(phase_rad), 1e-10);
        EXPECT_NEAR(transfer[x].im, std::sin(phase_rad), 1e-10);
    }
    const Wave fine = transfer_function(propagator, {1, n}, {pixel_m, wavelength_m / 4}, distance_m);
    EXPECT_EQ(norm(fine[n / 2]), 0) << "twice 1/lambda: does not travel";
    EXPECT_NEAR(norm(fine[n / 4 - 1]), 1, 1e-14);
}

TEST(SlicePropagator, OnlyElectronsAreBandLimited) {
    Geometry geometry;
    geometry.wavelength_m = 2.508e-12;
    EXPECT_FALSE(slice_propagator(SlicePropagation::fresnel, geometry).band_limit.has_value());
    geometry.radiation = Radiation::electrons;
    const SlicePropagator propagator = slice_propagator(SlicePropagation::fresnel, geometry);
    EXPECT_EQ(propagator.band_limit, 2.0 / 3);
    EXPECT_EQ(propagator.wavelength_m, 2.508e-12);
    EXPECT_EQ(propagator.propagation, SlicePropagation::fresnel);
}

TEST(ShiftWave, MovesASmoothSpotByAFraction) {
    const std::ptrdiff_t n = 32;
    const auto spot = [&](double centre_y, double centre_x) {
        Wave wave({n, n});
        for (std::ptrdiff_t y = 0; y < n; ++y)
            for (std::ptrdiff_t x = 0; x < n; ++x) {
                const double r2 = std::pow(static_cast<double>(y) - centre_y, 2) +
                                  std::pow(static_cast<double>(x) - centre_x, 2);
                wave(y, x) = {std::exp(-r2 / 8), 0};
            }
        return wave;
    };
    Wave shifted = spot(15, 16);
    shift_wave(shifted, {0.3, -0.75});
    EXPECT_LT(distance(shifted, spot(15.3, 15.25)), 1e-6);
}

TEST(Resize, KeepsTheCentre) {
    for (const std::ptrdiff_t from : {1, 4, 5})
        for (const std::ptrdiff_t to : {1, 3, 6, 9}) {
            Wave wave({from, from});
            wave(from / 2, from / 2) = {7, 0};
            const Wave resized = resize_about_centre(wave, {to, to});
            EXPECT_EQ(resized(to / 2, to / 2).re, 7) << from << " to " << to;
            EXPECT_EQ(power(resized), 49);
        }
}

TEST(PadIntoFrame, StartsAtHalfTheDifference) {
    Wave wave({3, 2});
    wave(0, 0) = {1, 0};
    const Wave frame = pad_into_frame(wave, {8, 7});
    EXPECT_EQ(frame(2, 2).re, 1);
    EXPECT_EQ(power(frame), 1);
}

}  // namespace
}  // namespace tessera
