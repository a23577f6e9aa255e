#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.hpp"
#include "scan/probe_modes.hpp"
#include "scan/synthetic.hpp"
#include "unit/synthetic_sums.hpp"

// Scans of objects of several slices, and with the probe of an electron microscope.
namespace tessera {
namespace {

// Free space as the sum over plane waves; those above the band are stopped.
Wave behind_by_sums(const Wave& wave, std::array<double, 2> pixel_m, double wavelength_m, double distance_m,
                    double band_per_m) {
    const auto [n_y, n_x] = wave.extents();
    Wave behind(wave.extents());
    for (std::ptrdiff_t k_y = 0; k_y < n_y; ++k_y)
        for (std::ptrdiff_t k_x = 0; k_x < n_x; ++k_x) {
            const double q_y = frequency(k_y, n_y), q_x = frequency(k_x, n_x);
            const double q_per_m = std::hypot(q_y / pixel_m[0], q_x / pixel_m[1]);
            if (q_per_m > band_per_m) continue;
            cdouble amplitude{0, 0};
            for (std::ptrdiff_t y = 0; y < n_y; ++y)
                for (std::ptrdiff_t x = 0; x < n_x; ++x)
                    amplitude = mul_add(turned(-q_y * static_cast<double>(y) - q_x * static_cast<double>(x)),
                                        wave(y, x), amplitude);
            amplitude = turned(-0.5 * wavelength_m * distance_m * q_per_m * q_per_m) * amplitude;
            for (std::ptrdiff_t y = 0; y < n_y; ++y)
                for (std::ptrdiff_t x = 0; x < n_x; ++x)
                    behind(y, x) =
                        mul_add(turned(q_y * static_cast<double>(y) + q_x * static_cast<double>(x)),
                                (1 / static_cast<double>(n_y * n_x)) * amplitude, behind(y, x));
        }
    return behind;
}

// Three slices; `wavelength_m` only to choose distances at which the wave changes.
SimulationConfig three_slices(double wavelength_m) {
    SimulationConfig config = without_noise(small_scan());
    config.object.pattern = ObjectPattern::random_features;
    config.object.num_slices = 3;
    config.object.slice_propagation = SlicePropagation::fresnel;
    config.detector.shape = {10, 11};
    config.detector.probe_shape = {{8, 9}};
    config.probe.shape = ProbeShape::gaussian;
    config.probe.diameter_px = 4;
    config.scan.grid = {1, 2};
    const double pixel_m = wavelength_m * config.detector.distance_m / (10 * config.detector.pixel_size_m);
    const double reach_m = pixel_m * pixel_m / wavelength_m;
    config.object.slice_spacings_m = {2 * reach_m, 5 * reach_m};
    return config;
}

TEST(SimulateSlices, PatternsAreTheFormulaSummedByHand) {
    for (const bool are_electrons : {false, true}) {
        const double wavelength_m =
            are_electrons ? electron_wavelength_of_energy(2e5) : wavelength_of_energy(8000);
        SimulationConfig config = three_slices(wavelength_m);
        if (are_electrons) config.detector.accelerating_voltage_kV = 200;
        const auto scan = simulate(config);
        ASSERT_EQ(scan.object.extent(0), 3);
        const std::ptrdiff_t frame = 1;
        const double base_y = std::floor(scan.positions_px(frame, 0) + 0.5);
        const double base_x = std::floor(scan.positions_px(frame, 1) + 0.5);
        const double nyquist_per_m = 0.5 / std::max(scan.pixel_size_m[0], scan.pixel_size_m[1]);
        const double band_per_m = are_electrons ? 2.0 / 3 * nyquist_per_m : 10 * nyquist_per_m;
        Wave wave = moved_by_sums(unstacked(scan.probe).front(), scan.positions_px(frame, 0) - base_y,
                                  scan.positions_px(frame, 1) - base_x);
        for (std::ptrdiff_t slice = 0; slice < 3; ++slice) {
            if (slice > 0)
                wave = behind_by_sums(wave, scan.pixel_size_m, wavelength_m,
                                      scan.slice_spacings_m[static_cast<std::size_t>(slice - 1)], band_per_m);
            for (std::ptrdiff_t y = 0; y < 8; ++y)
                for (std::ptrdiff_t x = 0; x < 9; ++x) {
                    const cfloat o = scan.object(slice, static_cast<std::ptrdiff_t>(base_y) + y,
                                                 static_cast<std::ptrdiff_t>(base_x) + x);
                    wave(y, x) = wave(y, x) * cdouble{static_cast<double>(o.re), static_cast<double>(o.im)};
                }
        }
        for (std::ptrdiff_t k_y = 0; k_y < 10; ++k_y)
            for (std::ptrdiff_t k_x = 0; k_x < 11; ++k_x) {
                const double expected = intensity_by_sums(wave, k_y, k_x, config.detector.shape);
                EXPECT_NEAR(scan.patterns(frame, k_y, k_x), expected, 1e-6 * expected + 1e-3)
                    << k_y << ", " << k_x << (are_electrons ? " electrons" : " photons");
            }
    }
}

// Free space behind a uniform slice does nothing to the intensity of the far field.
TEST(SimulateSlices, OfNothingChangeNothing) {
    SimulationConfig config = without_noise(small_scan());
    config.object.pattern = ObjectPattern::flat;
    const auto thin = simulate(config);
    config.object.num_slices = 4;
    config.object.slice_spacings_m = {1e-5, 1e-4, 1e-6};
    config.object.amplitude_range = {0.5, 1};
    config.object.phase_range_rad = {-0.8, 0};
    const auto thick = simulate(config);
    for (std::ptrdiff_t i = 0; i < thin.patterns.size(); ++i)
        ASSERT_NEAR(thick.patterns[i], thin.patterns[i], 1e-5 * thin.patterns[i] + 1e-3);
}

// Two states by turns: the mean of what each alone would make, the first of them as without modes.
TEST(SimulateModes, AddTheirIntensities) {
    SimulationConfig config = without_noise(small_scan());
    config.object.pattern = ObjectPattern::textures;
    const auto one = simulate(config);
    config.object.num_modes = 2;
    const auto two = simulate(config);
    ASSERT_EQ(two.num_object_modes, 2);
    ASSERT_EQ(two.object.extent(0), 2);
    double between = 0, difference = 0, size = 0;
    for (std::ptrdiff_t i = 0; i < one.object.size(); ++i) {
        ASSERT_NEAR(two.object[i].re, std::sqrt(0.5) * static_cast<double>(one.object[i].re), 1e-6);
        between += static_cast<double>(norm(two.object.slice(1)[i] - two.object[i]));
    }
    EXPECT_GT(between / static_cast<double>(one.object.size()), 1e-3);
    // What the second state adds is at least nothing.
    for (std::ptrdiff_t i = 0; i < one.patterns.size(); ++i) {
        const double rest = static_cast<double>(two.patterns[i]) - 0.5 * static_cast<double>(one.patterns[i]);
        ASSERT_GE(rest, -1e-4 * static_cast<double>(one.patterns[i]) - 1e-3);
        difference += std::abs(rest - 0.5 * static_cast<double>(one.patterns[i]));
        size += rest;
    }
    EXPECT_GT(difference, 0.05 * size);
}

TEST(SimulateSlices, RandomOnesDifferAndTheFirstIsThatOfOneSlice) {
    SimulationConfig config = small_scan();
    config.object.pattern = ObjectPattern::textures;
    const auto one = simulate(config);
    config.object.num_slices = 2;
    config.object.slice_spacings_m = {1e-5};
    const auto two = simulate(config);
    double between = 0;
    for (std::ptrdiff_t i = 0; i < one.object.size(); ++i) {
        ASSERT_EQ(two.object[i].re, one.object[i].re);
        between += static_cast<double>(norm(two.object.slice(1)[i] - one.object[i]));
    }
    EXPECT_GT(between / static_cast<double>(one.object.size()), 1e-3);
    config.object.slice_spacings_m = {};
    EXPECT_THROW(simulate(config), Error);
}

TEST(Simulate, AConvergentProbeIsADiscOnTheDetector) {
    SimulationConfig config = without_noise(small_scan());
    config.object.pattern = ObjectPattern::flat;
    config.object.phase_range_rad = {0, 0};
    config.detector.shape = {64, 64};
    config.detector.accelerating_voltage_kV = 200;
    config.detector.pixel_size_m = 55e-6;
    config.detector.distance_m = 0.0702;
    config.probe.shape = ProbeShape::convergent;
    config.probe.convergence_angle_mrad = 15;
    config.probe.defocus_m = 5e-9;
    const auto scan = simulate(config);
    EXPECT_EQ(scan.geometry.radiation, Radiation::electrons);
    const double radius_px = 15e-3 * 0.0702 / 55e-6;  // the disc on the detector
    const View<const float, 2> pattern = scan.patterns.view().slice(7);
    double inside = 0, all = 0;
    for (std::ptrdiff_t y = 0; y < 64; ++y)
        for (std::ptrdiff_t x = 0; x < 64; ++x) {
            const double r_px = std::hypot(static_cast<double>(y - 32), static_cast<double>(x - 32));
            all += static_cast<double>(pattern(y, x));
            if (r_px < radius_px + 1.5) inside += static_cast<double>(pattern(y, x));
        }
    EXPECT_NEAR(all, 1e5, 1);
    EXPECT_GT(inside, 0.985 * all);
    config.probe.convergence_angle_mrad = 26;  // more than the detector sees
    EXPECT_THROW(simulate(config), Error);
}

}  // namespace
}  // namespace tessera
