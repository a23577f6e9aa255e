#include "scan/geometry.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "scan/scan.hpp"

namespace tessera {
namespace {

// A divergent beam measured at PETRA III P25: 3.65 mm behind the focus, 55 um pixels.
Geometry p25() {
    Geometry geometry;
    geometry.propagation = Propagation::near_field;
    geometry.wavelength_m = wavelength_of_energy(11000);
    geometry.distance_m = 1.12;
    geometry.detector_pixel_size_m = {55e-6, 55e-6};
    geometry.focus_to_sample_m = 3.65e-3;
    return geometry;
}

TEST(Geometry, WavelengthAndEnergyAreInverse) {
    EXPECT_NEAR(wavelength_of_energy(8000), 1.549802e-10, 1e-16);
    EXPECT_DOUBLE_EQ(energy_of_wavelength(wavelength_of_energy(8765)), 8765);
    EXPECT_NEAR(p25().energy_eV(), 11000, 1e-9);
}

TEST(Geometry, ElectronsAreRelativistic) {
    EXPECT_NEAR(electron_wavelength_of_energy(200e3), 2.508e-12, 0.0005e-12);
    EXPECT_NEAR(electron_wavelength_of_energy(300e3), 1.969e-12, 0.0005e-12);
    EXPECT_NEAR(electron_wavelength_of_energy(100), 122.6e-12, 0.05e-12) << "slow: h / sqrt(2 m E)";
    for (const double energy_eV : {50.0, 80e3, 200e3, 1e6})
        EXPECT_NEAR(electron_energy_of_wavelength(electron_wavelength_of_energy(energy_eV)), energy_eV,
                    1e-12 * energy_eV);
    Geometry geometry;
    geometry.wavelength_m = wavelength_of_energy(Radiation::electrons, 200e3);
    geometry.radiation = Radiation::electrons;
    EXPECT_NEAR(geometry.energy_eV(), 200e3, 1e-6);
    geometry.radiation = Radiation::photons;
    EXPECT_NEAR(geometry.energy_eV(), 494e3, 1e3);
}

TEST(LengthText, ChoosesItsUnit) {
    EXPECT_EQ(length_text(1e-11), "10 pm");
    EXPECT_EQ(length_text(1e-9), "1 nm");
    EXPECT_EQ(length_text(9.99e-10), "999 pm");
    EXPECT_EQ(length_text(0.3), "300 mm");
    EXPECT_EQ(length_text(2.0), "2 m");
    EXPECT_EQ(length_text(3e-14), "0.03 pm");
    EXPECT_EQ(length_text(0.0), "0 m");
    EXPECT_EQ(length_text(-2e-8), "-20 nm") << "a defocus";
    EXPECT_EQ(length_text(std::array<double, 2>{9.9e-10, 1.01e-9}), "0.99 x 1.01 nm");
    EXPECT_EQ(length_text(std::array<double, 2>{1.25e-11, 1.25e-11}), "12.5 x 12.5 pm");
}

TEST(Geometry, DivergentNearFieldMagnifies) {
    const Geometry geometry = p25();
    EXPECT_NEAR(geometry.magnification(), 307.85, 0.005);
    EXPECT_NEAR(geometry.effective_distance_m(), 3.638e-3, 0.5e-6);
    const auto pixel_m = geometry.object_pixel_size_m({100, 100});
    EXPECT_NEAR(pixel_m[0], 178.66e-9, 0.005e-9);
    EXPECT_EQ(pixel_m[0], pixel_m[1]);
    EXPECT_EQ(geometry.object_pixel_size_m({57, 300}), pixel_m) << "does not depend on the frame";
}

TEST(Geometry, ParallelNearFieldDoesNotMagnify) {
    Geometry geometry = p25();
    geometry.focus_to_sample_m = 0;
    EXPECT_EQ(geometry.magnification(), 1);
    EXPECT_EQ(geometry.effective_distance_m(), geometry.distance_m);
    EXPECT_EQ(geometry.object_pixel_size_m({64, 64})[0], 55e-6);
}

TEST(Geometry, FarFieldPixelIsWavelengthDistanceOverDetectorWidth) {
    Geometry geometry;
    geometry.propagation = Propagation::far_field;
    geometry.wavelength_m = 1.5e-10;
    geometry.distance_m = 2;
    geometry.detector_pixel_size_m = {75e-6, 50e-6};
    const auto pixel_m = geometry.object_pixel_size_m({128, 100});
    EXPECT_DOUBLE_EQ(pixel_m[0], 3e-10 / (128 * 75e-6));
    EXPECT_DOUBLE_EQ(pixel_m[1], 3e-10 / (100 * 50e-6));
    EXPECT_EQ(geometry.magnification(), 1);
}

TEST(FresnelTransferFunction, HasTheParaxialPhase) {
    const double wavelength_m = 1e-10, distance_m = 2e-3;
    const std::array<double, 2> pixel_m = {1e-7, 2e-7};
    const auto transfer = fresnel_transfer_function({5, 8}, pixel_m, wavelength_m, distance_m);
    ASSERT_EQ(transfer.extents(), (Extents<2>{5, 8}));
    EXPECT_EQ(transfer(0, 0).re, 1);
    EXPECT_EQ(transfer(0, 0).im, 0);
    for (const auto& value : transfer) EXPECT_NEAR(norm(value), 1, 1e-6);
    // Index 4 of 5 is frequency -1 and index 3 of 8 is +3.
    const double q_y = -1 / (5 * pixel_m[0]), q_x = 3 / (8 * pixel_m[1]);
    const double phase_rad = -std::numbers::pi * wavelength_m * distance_m * (q_y * q_y + q_x * q_x);
    EXPECT_NEAR(transfer(4, 3).re, std::cos(phase_rad), 1e-6);
    EXPECT_NEAR(transfer(4, 3).im, std::sin(phase_rad), 1e-6);
    const auto back = fresnel_transfer_function({5, 8}, pixel_m, wavelength_m, -distance_m);
    for (std::ptrdiff_t i = 0; i < transfer.size(); ++i) {
        const cfloat round_trip = transfer[i] * back[i];
        EXPECT_NEAR(round_trip.re, 1, 1e-6);
        EXPECT_NEAR(round_trip.im, 0, 1e-6);
    }
}

TEST(FresnelTransferFunction, OfOnePixelIsOne) {
    const auto transfer = fresnel_transfer_function({1, 1}, {1e-7, 1e-7}, 1e-10, 1);
    ASSERT_EQ(transfer.size(), 1);
    EXPECT_EQ(transfer[0].re, 1);
}

TEST(PatternTypes, HaveTheirSizesAndNames) {
    EXPECT_EQ(bytes_per_count(PatternType::u8), 1U);
    EXPECT_EQ(bytes_per_count(PatternType::u16), 2U);
    EXPECT_EQ(bytes_per_count(PatternType::i32), 4U);
    EXPECT_EQ(bytes_per_count(PatternType::f32), 4U);
    EXPECT_STREQ(name(PatternType::u16), "uint16");
    EXPECT_STREQ(name(PatternType::f32), "float32");
}

}  // namespace
}  // namespace tessera
