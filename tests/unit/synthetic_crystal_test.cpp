#include "scan/synthetic_crystal.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <vector>

#include "base/error.hpp"

// The crystal against its atoms added up one by one, and against known numbers of electron microscopy.
namespace tessera {
namespace {

constexpr double a_m = 3.905e-10, c_m = 4.156e-10;

Geometry electrons(double energy_eV) {
    Geometry geometry;
    geometry.radiation = Radiation::electrons;
    geometry.wavelength_m = electron_wavelength_of_energy(energy_eV);
    return geometry;
}

SimulatedObjectConfig film(std::vector<double> spacings_m, double blur_m) {
    SimulatedObjectConfig config;
    config.pattern = ObjectPattern::lead_titanate;
    config.num_slices = static_cast<int>(spacings_m.size()) + 1;
    config.slice_spacings_m = std::move(spacings_m);
    config.atom_blur_m = blur_m;
    return config;
}

double phase_of(cfloat value) {
    return std::atan2(static_cast<double>(value.im), static_cast<double>(value.re));
}

TEST(InteractionParameter, HasItsKnownValues) {  // Kirkland: 0.7288 and 0.6526 rad / (kV A)
    EXPECT_NEAR(interaction_parameter(electrons(200e3)), 0.7288e7, 0.0002e7);
    EXPECT_NEAR(interaction_parameter(electrons(300e3)), 0.6526e7, 0.0002e7);
}

// The mean of the phase is sigma times the mean inner potential: the sum of f(0) over the cell.
TEST(LeadTitanate, HasTheMeanInnerPotentialOfItsAtoms) {
    // 20 x 20 cells of 8 x 8 pixels, one layer thick.
    const Geometry geometry = electrons(200e3);
    const auto object = make_lead_titanate(film({}, 60e-12), {160, 160}, {c_m / 8, a_m / 8}, geometry);
    const double f0_A = (0.3540 + 1.5453 + 3.5975 + 4.3152 + 2.7743) +
                        (0.2123 + 0.8960 + 2.1765 + 3.0436 + 2.4439) +
                        3 * (0.0365 + 0.1729 + 0.5805 + 0.8814 + 0.3121);
    const double expected_rad =
        interaction_parameter(geometry) * 47.878 * f0_A * 1e-10 / (a_m * 1e10 * c_m * 1e10);
    double mean_rad = 0;
    for (int y = 40; y < 120; ++y)
        for (int x = 16; x < 64; ++x) mean_rad += phase_of(object(0, y, x)) / (80 * 48);
    EXPECT_NEAR(mean_rad, expected_rad, 1e-3 * expected_rad);
}

TEST(LeadTitanate, SlicesShareTheAtomsAmongThem) {
    const std::array<double, 2> pixel_m = {25e-12, 30e-12};
    const Geometry geometry = electrons(300e3);
    const double thickness_m = 4 * 2e-10;
    const auto thin = make_lead_titanate(film({2e-10, 2e-10, 2e-10}, 40e-12), {40, 48}, pixel_m, geometry);
    ASSERT_EQ(thin.extents(), (Extents<3>{4, 40, 48}));
    const auto thick = make_lead_titanate(film({thickness_m / 2}, 40e-12), {40, 48}, pixel_m, geometry);
    double largest = 0;
    for (int y = 0; y < 40; ++y)
        for (int x = 0; x < 48; ++x) {
            double of_thin = 0;
            for (int slice = 0; slice < 4; ++slice) of_thin += phase_of(thin(slice, y, x));
            const double of_thick = phase_of(thick(0, y, x)) + phase_of(thick(1, y, x));
            EXPECT_NEAR(of_thin, of_thick, 1e-6);
            largest = std::max(largest, of_thin);
            EXPECT_NEAR(norm(thin(1, y, x)), 1, 1e-6) << "a phase object";
        }
    EXPECT_GT(largest, 0.3);  // two lead atoms one behind the other
    EXPECT_LT(largest, 2.0);
}

// Titanium lies 0.04 c beyond the middle of the cell on the left of the wall and short of it on the right.
TEST(LeadTitanate, ThePolarisationTurnsOverAtTheWall) {
    const double pixel_m = 10e-12;
    const auto object =
        make_lead_titanate(film({}, 30e-12), {200, 400}, {pixel_m, pixel_m}, electrons(200e3));
    const auto titanium_y = [&](double cell) {  // vertex of the parabola at the brightest pixel of the column
        const auto x = static_cast<int>(200 + std::lround((cell + 0.5) * a_m / pixel_m));
        const auto phase_at = [&](int y) { return phase_of(object(0, 100 + y, x)); };
        int peak = 12;
        for (int y = 12; y <= 29; ++y)
            if (phase_at(y) > phase_at(peak)) peak = y;
        const double below = phase_at(peak - 1), here = phase_at(peak), above = phase_at(peak + 1);
        return (peak + 0.5 * (below - above) / (below - 2 * here + above)) * pixel_m;
    };
    const double left_m = titanium_y(-3), right_m = titanium_y(3);
    EXPECT_GT(left_m, 0.54 * c_m) << "the oxygen at 0.62 c, 33 pm away, is not told apart";
    EXPECT_LT(left_m, 0.58 * c_m);
    EXPECT_NEAR(left_m + right_m, c_m, 1e-3 * c_m);
    EXPECT_GT(phase_of(object(0, 100, 200)), phase_of(object(0, 100, 210))) << "lead is at the centre pixel";
}

TEST(LeadTitanate, TheWallLeans) {
    const auto object =
        make_lead_titanate(film({a_m, a_m, a_m}, 40e-12), {32, 96}, {20e-12, 20e-12}, electrons(200e3));
    double between = 0;
    for (std::ptrdiff_t i = 0; i < 32 * 96; ++i) between += norm(object.slice(0)[i] - object.slice(3)[i]);
    EXPECT_GT(between, 1) << "no two slices are alike";
}

TEST(LeadTitanate, IsForElectrons) {
    Geometry photons;
    photons.wavelength_m = 1e-10;
    EXPECT_THROW(make_lead_titanate(film({}, 1e-11), {8, 8}, {1e-11, 1e-11}, photons), Error);
    EXPECT_THROW(make_lead_titanate(film({}, -1), {8, 8}, {1e-11, 1e-11}, electrons(2e5)), Error);
}

}  // namespace
}  // namespace tessera
