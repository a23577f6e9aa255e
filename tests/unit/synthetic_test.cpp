#include "scan/synthetic.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "base/error.hpp"
#include "scan/positions.hpp"
#include "scan/probe_modes.hpp"
#include "scan/wave_optics.hpp"
#include "unit/synthetic_sums.hpp"

namespace tessera {
namespace {

template <class T, std::size_t N>
bool same_bits(const Array<T, N>& a, const Array<T, N>& b) {
    return a.extents() == b.extents() && std::memcmp(a.data(), b.data(), a.bytes()) == 0;
}

double total(View<const float, 2> pattern) {
    double sum = 0;
    for (const float value : pattern) sum += static_cast<double>(value);
    return sum;
}

TEST(Simulate, FarFieldPatternsAreTheFormulaSummedByHand) {
    SimulationConfig config = without_noise(small_scan());
    config.detector.shape = {12, 15};
    config.detector.probe_shape = {{9, 10}};
    config.detector.background_per_pixel = 0.25;
    config.probe.shape = ProbeShape::gaussian;
    config.probe.diameter_px = 4;
    config.probe.num_modes = 2;
    config.scan.grid = {1, 2};
    const auto scan = simulate(config);
    const std::ptrdiff_t frame = 1;
    const double r_y = scan.positions_px(frame, 0), r_x = scan.positions_px(frame, 1);
    const double base_y = std::floor(r_y + 0.5), base_x = std::floor(r_x + 0.5);
    ASSERT_GT(std::abs(r_x - base_x), 0.01);

    std::vector<Wave> exit_waves;
    for (const auto& mode : unstacked(scan.probe)) {
        Wave psi = moved_by_sums(mode, r_y - base_y, r_x - base_x);
        for (std::ptrdiff_t y = 0; y < 9; ++y)
            for (std::ptrdiff_t x = 0; x < 10; ++x) {
                const cfloat o = scan.object(0, static_cast<std::ptrdiff_t>(base_y) + y,
                                             static_cast<std::ptrdiff_t>(base_x) + x);
                psi(y, x) = psi(y, x) * cdouble{static_cast<double>(o.re), static_cast<double>(o.im)};
            }
        exit_waves.push_back(std::move(psi));
    }
    for (std::ptrdiff_t k_y = 0; k_y < 12; ++k_y)
        for (std::ptrdiff_t k_x = 0; k_x < 15; ++k_x) {
            double expected = 0.25;
            for (const auto& psi : exit_waves)
                expected += intensity_by_sums(psi, k_y, k_x, config.detector.shape);
            EXPECT_NEAR(scan.patterns(frame, k_y, k_x), expected, 1e-6 * expected + 1e-4)
                << k_y << ", " << k_x;
        }
}

TEST(Simulate, EmptyBeamHasThePhotonsOfTheConfiguration) {
    for (const auto propagation : {Propagation::far_field, Propagation::near_field})
        for (const auto shape : {ProbeShape::gaussian, ProbeShape::aperture, ProbeShape::zone_plate}) {
            SimulationConfig config = without_noise(small_scan());
            config.object.pattern = ObjectPattern::flat;
            config.probe.shape = shape;
            config.probe.num_modes = 3;
            config.detector.propagation = propagation;
            config.detector.focus_to_sample_m = 0.005;
            const auto scan = simulate(config);
            for (std::ptrdiff_t frame = 0; frame < 20; frame += 7)  // Parseval, at every sub-pixel shift
                EXPECT_NEAR(total(scan.patterns.slice(frame)), 1e5, 1);
            const auto modes = unstacked(scan.probe);
            EXPECT_NEAR(power(modes[1]), 0.2 * power(modes[0]), 1e-5 * power(modes[0]));
            for (int a = 0; a < 3; ++a)
                for (int b = 0; b < a; ++b)
                    EXPECT_LT(std::sqrt(norm(inner_product(modes[a], modes[b]))), 1e-5 * power(modes[0]));
        }
}

TEST(Simulate, PatternsHaveThePowerOfTheirExitWaves) {
    SimulationConfig config = without_noise(small_scan());
    config.scan.integer_positions = true;
    config.object.pattern = ObjectPattern::random_features;
    const auto scan = simulate(config);
    for (std::ptrdiff_t frame = 0; frame < scan.positions_px.extent(0); ++frame) {
        const auto y0 = static_cast<std::ptrdiff_t>(scan.positions_px(frame, 0));
        const auto x0 = static_cast<std::ptrdiff_t>(scan.positions_px(frame, 1));
        double expected = 0;
        for (int y = 0; y < 32; ++y)
            for (int x = 0; x < 32; ++x)
                expected += norm(scan.probe(0, y, x)) * norm(scan.object(0, y0 + y, x0 + x));
        EXPECT_NEAR(total(scan.patterns.slice(frame)), expected, 1e-5 * expected);
    }
}

TEST(Simulate, NearFieldPatternsArePropagatedExitWaves) {
    SimulationConfig config = without_noise(small_scan());
    config.detector.shape = {40, 36};
    config.detector.propagation = Propagation::near_field;
    config.detector.pixel_size_m = 55e-6;
    config.detector.distance_m = 1.12;
    config.detector.focus_to_sample_m = 3.65e-3;
    config.scan.integer_positions = true;
    config.probe.diameter_px = 24;
    const auto scan = simulate(config);
    EXPECT_NEAR(scan.pixel_size_m[0], 178.66e-9, 0.005e-9);
    Wave wave = convert<double, float>(scan.probe.slice(0));
    const auto y0 = static_cast<std::ptrdiff_t>(scan.positions_px(3, 0));
    const auto x0 = static_cast<std::ptrdiff_t>(scan.positions_px(3, 1));
    const auto transfer = fresnel_transfer_function({40, 36}, scan.pixel_size_m, scan.geometry.wavelength_m,
                                                    scan.geometry.effective_distance_m());
    for (int y = 0; y < 40; ++y)
        for (int x = 0; x < 36; ++x) {
            const cfloat o = scan.object(0, y0 + y, x0 + x);
            wave(y, x) = wave(y, x) * cdouble{static_cast<double>(o.re), static_cast<double>(o.im)};
        }
    fft2(wave);
    for (std::ptrdiff_t i = 0; i < wave.size(); ++i)
        wave[i] = wave[i] * cdouble{static_cast<double>(transfer[i].re), static_cast<double>(transfer[i].im)};
    ifft2(wave);
    for (int y = 0; y < 40; ++y)
        for (int x = 0; x < 36; ++x)
            EXPECT_NEAR(scan.patterns(3, y, x), norm(wave(y, x)), 0.01) << y << ", " << x;
}

// The beam stands still on the detector: without an object every frame is the propagated probe itself.
TEST(Simulate, NearFieldOfAUniformObjectDoesNotDependOnTheSubPixelPosition) {
    SimulationConfig config = without_noise(small_scan());
    config.detector.shape = {32, 30};
    config.detector.propagation = Propagation::near_field;
    config.detector.focus_to_sample_m = 3.65e-3;
    config.object.pattern = ObjectPattern::flat;
    config.object.amplitude_range = {1, 1};
    config.probe.shape = ProbeShape::aperture;
    config.probe.num_modes = 2;
    const auto scan = simulate(config);
    Array<double, 2> expected({32, 30});
    for (Wave& mode : unstacked(scan.probe)) {
        propagate(mode, scan.pixel_size_m, scan.geometry.wavelength_m, scan.geometry.effective_distance_m());
        for (std::ptrdiff_t i = 0; i < mode.size(); ++i) expected[i] = norm_add(mode[i], expected[i]);
    }
    double largest = 0, farthest = 0;
    for (const double value : expected) largest = std::max(largest, value);
    for (std::ptrdiff_t frame = 0; frame < scan.positions_px.extent(0); ++frame) {
        const double r = scan.positions_px(frame, 1);
        farthest = std::max(farthest, std::abs(r - std::floor(r + 0.5)));
        for (std::ptrdiff_t i = 0; i < expected.size(); ++i)
            ASSERT_NEAR(scan.patterns.slice(frame)[i], expected[i], 1e-6 * largest) << frame << ", " << i;
    }
    EXPECT_GT(farthest, 0.3);
}

// The point spread only spreads: the light of a frame stays, and a frame is the sharp one folded with G.
TEST(Simulate, ThePointSpreadFoldsTheFrame) {
    SimulationConfig config = without_noise(small_scan());
    const auto sharp = simulate(config);
    config.detector.blur_sigma_px = 0.6;
    const auto scan = simulate(config);
    const auto [height, width] = scan.mask.extents();
    constexpr std::ptrdiff_t radius = 3;
    double all = 0, differs = 0;
    for (std::ptrdiff_t dy = -radius; dy <= radius; ++dy)
        for (std::ptrdiff_t dx = -radius; dx <= radius; ++dx)
            all += std::exp(-static_cast<double>(dy * dy + dx * dx) / (2 * 0.36));
    const float largest = *std::ranges::max_element(sharp.patterns);
    for (std::ptrdiff_t y = 0; y < height; ++y)
        for (std::ptrdiff_t x = 0; x < width; ++x) {
            double expected = 0;
            for (std::ptrdiff_t dy = -radius; dy <= radius; ++dy)
                for (std::ptrdiff_t dx = -radius; dx <= radius; ++dx)
                    expected += std::exp(-static_cast<double>(dy * dy + dx * dx) / (2 * 0.36)) / all *
                                static_cast<double>(
                                    sharp.patterns(1, (y + dy + height) % height, (x + dx + width) % width));
            EXPECT_NEAR(scan.patterns(1, y, x), expected, 1e-6 * static_cast<double>(largest));
            differs = std::max(differs, std::abs(expected - static_cast<double>(sharp.patterns(1, y, x))));
        }
    EXPECT_GT(differs, 0.01 * static_cast<double>(largest));
}

TEST(Simulate, SaturatedPixelsCountNoMore) {
    SimulationConfig config = small_scan();
    const auto all = simulate(config);
    const float largest = *std::ranges::max_element(all.patterns);
    config.detector.saturation = std::floor(0.25 * static_cast<double>(largest));
    const auto clipped = simulate(config);
    const auto most = static_cast<float>(*config.detector.saturation);
    for (std::ptrdiff_t i = 0; i < all.patterns.size(); ++i)
        EXPECT_EQ(clipped.patterns[i], std::min(all.patterns[i], most));
    EXPECT_LT(most, largest);
}

TEST(Simulate, RasterPositionsAreExact) {
    SimulationConfig config = small_scan();
    config.scan.pattern = ScanPattern::raster;
    config.scan.step_px = 2.5;
    const auto scan = simulate(config);
    ASSERT_EQ(scan.positions_px.extents(), (Extents<2>{20, 2}));
    for (int row = 0; row < 4; ++row)
        for (int column = 0; column < 5; ++column) {
            EXPECT_EQ(scan.positions_px(row * 5 + column, 0), 8 + 2.5 * row);
            EXPECT_EQ(scan.positions_px(row * 5 + column, 1), 8 + 2.5 * column);
        }
}

TEST(Simulate, JitterStaysWithinItsShareOfTheStep) {
    SimulationConfig config = small_scan();
    config.scan.step_px = 10;
    config.scan.jitter = 0.25;
    const auto scan = simulate(config);
    double least = 1e9, largest = -1e9;
    for (std::ptrdiff_t frame = 0; frame < 20; ++frame) {
        const double offset = scan.positions_px(frame, 1) - 10.0 * static_cast<double>(frame % 5);
        least = std::min(least, offset);
        largest = std::max(largest, offset);
    }
    EXPECT_LE(largest - least, 5);
    EXPECT_GT(largest - least, 2);
}

TEST(Simulate, SpiralHasOnePointPerSquareOfTheStep) {
    SimulationConfig config = without_noise(small_scan());
    config.detector.shape = {4, 4};
    config.probe.diameter_px = 2;
    config.object.pattern = ObjectPattern::flat;
    config.scan.pattern = ScanPattern::spiral;
    config.scan.grid = {20, 20};
    config.scan.step_px = 3;
    const auto scan = simulate(config);
    double nearest = 1e9, farthest = 0;
    for (int a = 0; a < 400; ++a)
        for (int b = 0; b < a; ++b) {
            const double apart = std::hypot(scan.positions_px(a, 0) - scan.positions_px(b, 0),
                                            scan.positions_px(a, 1) - scan.positions_px(b, 1));
            nearest = std::min(nearest, apart);
            farthest = std::max(farthest, apart);
        }
    EXPECT_NEAR(std::numbers::pi * farthest * farthest / 4, 400 * 9, 100);
    EXPECT_GT(nearest, 0.8 * 3);
}

TEST(Simulate, TruthLiesWhereAReconstructionPutsItsObject) {
    for (const bool integer : {false, true}) {
        SimulationConfig config = small_scan();
        config.scan.integer_positions = integer;
        const auto scan = simulate(config);
        const auto placement = place_windows(scan.positions_px, {32, 32}, 8, Interpolation::fourier);
        EXPECT_EQ(placement.shift_px, (std::array<double, 2>{0, 0}));
        EXPECT_EQ(placement.object_shape[0], scan.object.extent(1));
        EXPECT_EQ(placement.object_shape[1], scan.object.extent(2));
        bool fractions = false;
        for (const auto& window : placement.windows) fractions = fractions || window.frac_y != 0;
        EXPECT_EQ(fractions, !integer);
    }
}

TEST(Simulate, ObjectsStayInTheirRangesAndUseThem) {
    for (const auto pattern : {ObjectPattern::siemens_star, ObjectPattern::random_features,
                               ObjectPattern::textures, ObjectPattern::flat}) {
        SimulationConfig config = without_noise(small_scan());
        config.object.pattern = pattern;
        config.object.feature_size_px = 4;
        config.object.amplitude_range = {0.6, 0.9};
        config.object.phase_range_rad = {-1.2, 0.3};
        config.scan.step_px = 12;
        const auto scan = simulate(config);
        double least = 1e9, largest = 0, least_phase = 1e9, largest_phase = -1e9;
        for (const auto& value : scan.object) {
            const double modulus = std::hypot(value.re, value.im), phase = std::atan2(value.im, value.re);
            least = std::min(least, modulus);
            largest = std::max(largest, modulus);
            least_phase = std::min(least_phase, phase);
            largest_phase = std::max(largest_phase, phase);
        }
        EXPECT_GE(least, 0.6 - 1e-6);
        EXPECT_LE(largest, 0.9 + 1e-6);
        EXPECT_GE(least_phase, -1.2 - 1e-6);
        EXPECT_LE(largest_phase, 0.3 + 1e-6);
        EXPECT_GT(largest, 0.87);
        if (pattern == ObjectPattern::flat) {
            EXPECT_EQ(least, largest);
        } else {
            EXPECT_LT(least, 0.63);
            EXPECT_GT(largest_phase - least_phase, 1.3);
        }
    }
}

// Correlation of modulus and phase over the object.
double correlation(const Array<cfloat, 3>& object) {
    double m = 0, p = 0, mm = 0, pp = 0, mp = 0;
    for (const auto& value : object) {
        const double modulus = std::hypot(value.re, value.im), phase = std::atan2(value.im, value.re);
        m += modulus;
        p += phase;
        mm += modulus * modulus;
        pp += phase * phase;
        mp += modulus * phase;
    }
    const auto n = static_cast<double>(object.size());
    return (mp / n - m * p / n / n) / std::sqrt((mm / n - m * m / n / n) * (pp / n - p * p / n / n));
}

TEST(Simulate, TexturesAreDifferentPicturesAndMaterialsAreNot) {
    SimulationConfig config = without_noise(small_scan());
    config.scan.step_px = 30;
    config.object.pattern = ObjectPattern::textures;
    EXPECT_LT(std::abs(correlation(simulate(config).object)), 0.2);
    config.object.pattern = ObjectPattern::random_features;
    EXPECT_GT(correlation(simulate(config).object), 0.999);
}

TEST(Simulate, SameSeedSameBitsOtherSeedOtherScan) {
    SimulationConfig config = small_scan();
    config.object.pattern = ObjectPattern::textures;
    config.detector.masked_fraction = 0.02;
    const auto a = simulate(config), b = simulate(config);
    EXPECT_TRUE(same_bits(a.patterns, b.patterns));
    EXPECT_TRUE(same_bits(a.object, b.object));
    EXPECT_TRUE(same_bits(a.probe, b.probe));
    EXPECT_TRUE(same_bits(a.positions_px, b.positions_px));
    EXPECT_TRUE(same_bits(a.mask, b.mask));
    config.random_seed = 2;
    const auto c = simulate(config);
    EXPECT_FALSE(same_bits(a.positions_px, c.positions_px));
    EXPECT_FALSE(same_bits(a.mask, c.mask));
}

TEST(Simulate, CountsScatterAsPhotonsDo) {
    SimulationConfig config = small_scan();
    config.detector.background_per_pixel = 2;
    const auto noisy = simulate(config), exact = simulate(without_noise(config));
    double chi_squared = 0, sum = 0, n = 0;
    for (std::ptrdiff_t i = 0; i < noisy.patterns.size(); ++i) {
        const auto expected = static_cast<double>(exact.patterns[i]);
        const double deviation = static_cast<double>(noisy.patterns[i]) - expected;
        EXPECT_GE(expected, 2);
        EXPECT_EQ(noisy.patterns[i], std::floor(noisy.patterns[i]));
        chi_squared += deviation * deviation / expected;
        sum += deviation / std::sqrt(expected);
        n += 1;
    }
    EXPECT_NEAR(chi_squared / n, 1, 5 * std::sqrt(2.5 / n));
    EXPECT_NEAR(sum / n, 0, 5 / std::sqrt(n));
}

TEST(Simulate, IntegerCountsWithoutNoiseAreRounded) {
    SimulationConfig config = small_scan();
    config.detector.photon_noise = false;
    const auto rounded = simulate(config), exact = simulate(without_noise(config));
    EXPECT_TRUE(rounded.integer_counts);
    EXPECT_FALSE(exact.integer_counts);
    for (std::ptrdiff_t i = 0; i < exact.patterns.size(); ++i) {
        EXPECT_EQ(rounded.patterns[i], std::floor(rounded.patterns[i]));
        EXPECT_LE(std::abs(rounded.patterns[i] - exact.patterns[i]), 0.5001F);
    }
}

TEST(Simulate, MaskedPixelsAreDeadInEveryFrame) {
    SimulationConfig config = small_scan();
    config.detector.shape = {128, 96};
    config.detector.background_per_pixel = 50;
    config.detector.masked_fraction = 0.05;
    config.scan.grid = {1, 2};
    const auto scan = simulate(config);
    double masked = 0;
    for (int y = 0; y < 128; ++y)
        for (int x = 0; x < 96; ++x) {
            masked += scan.mask(y, x) == 0;
            for (int frame = 0; frame < 2; ++frame)
                EXPECT_EQ(scan.patterns(frame, y, x) == 0, scan.mask(y, x) == 0) << y << ", " << x;
        }
    // Random ones, and a row and a column of gap.
    EXPECT_NEAR(masked / (128 * 96), 0.05 + 1.0 / 128 + 1.0 / 96, 0.015);
    for (int x = 0; x < 96; ++x) EXPECT_EQ(scan.mask(85, x), 0);
    for (int y = 0; y < 128; ++y) EXPECT_EQ(scan.mask(y, 64), 0);
    config.detector.masked_fraction = 0;
    for (const float value : simulate(config).mask) EXPECT_EQ(value, 1);
}

TEST(Simulate, GuessIsTheProbeAtAnotherDistanceFromFocus) {
    SimulationConfig config = without_noise(small_scan());
    config.detector.shape = {128, 128};
    config.probe.diameter_px = 30;
    config.scan.grid = {1, 1};
    EXPECT_TRUE(same_bits(simulate(config).probe, simulate(config).probe_guess)) << "no error, no difference";
    config.probe.guess_defocus_error = 0.2;
    const auto scan = simulate(config);
    EXPECT_FALSE(same_bits(scan.probe, scan.probe_guess));
    EXPECT_NEAR(power(convert<double, float>(scan.probe_guess.slice(0))), 1e5, 1);
    // Where the beam diverges from its focus, its mean radius grows with the distance.
    const auto radius = [](View<const cfloat, 2> beam) {
        double sum = 0, weight = 0;
        for (int y = 0; y < 128; ++y)
            for (int x = 0; x < 128; ++x) {
                const double intensity = norm(beam(y, x));
                sum += intensity * std::hypot(y - 64, x - 64);
                weight += intensity;
            }
        return sum / weight;
    };
    EXPECT_NEAR(radius(scan.probe_guess.slice(0)) / radius(scan.probe.slice(0)), 1.2, 0.05);
}

TEST(Simulate, RefusesWhatCannotBeSimulated) {
    const auto refused = [](auto change) {
        SimulationConfig config = small_scan();
        change(config);
        EXPECT_THROW(simulate(config), Error);
    };
    refused([](auto& c) { c.detector.propagation = Propagation::automatic; });
    refused([](auto& c) { c.detector.probe_shape = {{33, 32}}; });
    refused([](auto& c) { c.detector.distance_m = 0; });
    refused([](auto& c) { c.detector.masked_fraction = 1; });
    refused([](auto& c) { c.detector.background_per_pixel = -1; });
    refused([](auto& c) { c.probe.diameter_px = 0; });
    refused([](auto& c) { c.probe.photons_per_frame = 0; });
    refused([](auto& c) { c.probe.num_modes = 0; });
    refused([](auto& c) { c.scan.grid = {0, 3}; });
    refused([](auto& c) { c.scan.step_px = 0; });
    refused([](auto& c) { c.object.amplitude_range = {1, 0.5}; });
    refused([](auto& c) { c.object.feature_size_px = 0; });
}

// Of an empty object, whose patterns are those of the beam alone.
SimulationConfig fluctuating_scan() {
    SimulationConfig config = without_noise(small_scan());
    config.object.pattern = ObjectPattern::flat;
    config.object.amplitude_range = {1, 1};
    config.object.phase_range_rad = {0, 0};
    config.probe.shape = ProbeShape::gaussian;
    config.probe.diameter_px = 8;
    config.scan.grid = {5, 6};
    config.scan.integer_positions = true;
    return config;
}

TEST(Simulate, BeamsFluctuateAsTheTruthSays) {
    SimulationConfig config = fluctuating_scan();
    config.scan.fluctuation = {0.1, 0.75, 0};
    const auto scan = simulate(config);
    ASSERT_EQ(scan.beams.size(), 30U);
    double mean = 0, squares = 0, moved = 0;
    for (std::size_t j = 0; j < scan.beams.size(); ++j) {
        const View<const float, 2> pattern = scan.patterns.slice(static_cast<std::ptrdiff_t>(j));
        const double counts = total(pattern), q = scan.beams[j].intensity;
        EXPECT_NEAR(counts / (q * config.probe.photons_per_frame), 1, 2e-3) << j;
        std::array<double, 2> centre = {0, 0};
        for (std::ptrdiff_t y = 0; y < pattern.extent(0); ++y) {
            for (std::ptrdiff_t x = 0; x < pattern.extent(1); ++x) {
                const double share = static_cast<double>(pattern(y, x)) / counts;
                centre[0] += share * static_cast<double>(y - pattern.extent(0) / 2);
                centre[1] += share * static_cast<double>(x - pattern.extent(1) / 2);
            }
        }
        for (std::size_t axis = 0; axis < 2; ++axis)
            EXPECT_NEAR(centre[axis], scan.beams[j].pointing_px[axis], 0.02) << j;
        mean += q / 30;
        squares += q * q / 30;
        moved += std::abs(scan.beams[j].pointing_px[0]) / 30;
    }
    EXPECT_NEAR(mean, 1, 1e-12);
    EXPECT_NEAR(std::sqrt(squares - 1), 0.1, 0.04);
    EXPECT_NEAR(moved, 0.75 * std::sqrt(2 / std::numbers::pi), 0.25);
}

TEST(Simulate, DefocusChangesPatternsBehindAnObjectAlone) {
    SimulationConfig config = fluctuating_scan();
    const auto steady = simulate(config);
    EXPECT_TRUE(steady.beams.empty());
    config.scan.fluctuation.defocus_m = 1e-4;
    const auto empty = simulate(config);
    for (std::ptrdiff_t i = 0; i < steady.patterns.size(); ++i)
        EXPECT_NEAR(empty.patterns[i], steady.patterns[i],
                    1e-4 * std::sqrt(static_cast<double>(steady.patterns[i])) + 1e-3);
    config.object.pattern = ObjectPattern::random_features;
    config.object.phase_range_rad = {-1, 0};
    const auto defocused = simulate(config);
    config.scan.fluctuation = {};
    const auto focused = simulate(config);
    EXPECT_FALSE(same_bits(defocused.patterns, focused.patterns));
    EXPECT_TRUE(same_bits(defocused.object, focused.object));
}

}  // namespace
}  // namespace tessera
