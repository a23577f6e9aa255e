#include "scan/probe_guess.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "base/error.hpp"
#include "scan/probe_modes.hpp"
#include "scan/probe_shapes.hpp"
#include "scan/random.hpp"
#include "scan/wave_optics.hpp"

namespace tessera {
namespace {

ScanInfo far_field_scan(std::array<int, 2> shape) {
    ScanInfo info;
    info.file = "scan.cxi";
    info.frame_shape = shape;
    info.geometry.propagation = Propagation::far_field;
    info.geometry.wavelength_m = wavelength_of_energy(8000);
    info.geometry.distance_m = 2;
    info.geometry.detector_pixel_size_m = {75e-6, 75e-6};
    info.pixel_size_m = info.geometry.object_pixel_size_m(shape);
    info.mask = Array<float, 2>({shape[0], shape[1]}, 1.0F);
    return info;
}

ScanInfo near_field_scan(std::array<int, 2> shape) {
    ScanInfo info = far_field_scan(shape);
    info.geometry.propagation = Propagation::near_field;
    info.geometry.distance_m = 1.12;
    info.geometry.focus_to_sample_m = 3.65e-3;
    info.geometry.detector_pixel_size_m = {55e-6, 55e-6};
    info.pixel_size_m = info.geometry.object_pixel_size_m(shape);
    return info;
}

Array<float, 2> random_pattern(std::array<int, 2> shape) {
    Random random(3, 0);
    Array<float, 2> pattern({shape[0], shape[1]});
    for (auto& value : pattern) value = static_cast<float>(random.uniform(1, 100));
    return pattern;
}

Array<cfloat, 3> random_modes(Extents<3> shape) {
    Random random(4, 0);
    Array<cfloat, 3> modes(shape);
    for (auto& value : modes)
        value = {static_cast<float>(random.normal()), static_cast<float>(random.normal())};
    return modes;
}

double mode_power(const Array<cfloat, 3>& modes, std::ptrdiff_t mode) {
    return power(convert<double, float>(modes.slice(mode)));
}

ProbeConfig config_of(InitialProbe initial) {
    ProbeConfig config;
    config.initial = initial;
    return config;
}

TEST(MakeProbe, FromFarFieldDataHasTheMeanPatternAsItsIntensity) {
    const ScanInfo info = far_field_scan({15, 12});
    const auto pattern = random_pattern({15, 12});
    const auto probe = make_probe(config_of(InitialProbe::automatic), info, pattern, nullptr);
    ASSERT_EQ(probe.extents(), (Extents<3>{1, 15, 12}));
    Wave wave = convert<double, float>(probe.slice(0));
    fft2(wave);
    for (std::ptrdiff_t i = 0; i < wave.size(); ++i) EXPECT_NEAR(norm(wave[i]), pattern[i], 1e-3);
    // The amplitudes are in phase at the centre.
    double largest = 0;
    for (const auto& value : probe) largest = std::max(largest, static_cast<double>(norm(value)));
    EXPECT_EQ(largest, static_cast<double>(norm(probe(0, 7, 6))));
}

TEST(MakeProbe, FromNearFieldDataPropagatesToTheMeanPattern) {
    ScanInfo info = near_field_scan({20, 16});
    auto pattern = random_pattern({20, 16});
    info.mask(3, 4) = 0;
    pattern(3, 4) = 0;
    const auto probe = make_probe(config_of(InitialProbe::from_data), info, pattern, nullptr);
    Wave wave = convert<double, float>(probe.slice(0));
    propagate(wave, info.pixel_size_m, info.geometry.wavelength_m, info.geometry.effective_distance_m());
    double around = -pattern(3, 4);
    for (int y = 2; y <= 4; ++y)
        for (int x = 3; x <= 5; ++x) around += static_cast<double>(pattern(y, x));
    for (std::ptrdiff_t y = 0; y < 20; ++y)
        for (std::ptrdiff_t x = 0; x < 16; ++x) {
            const double expected = y == 3 && x == 4 ? around / 8 : static_cast<double>(pattern(y, x));
            EXPECT_NEAR(norm(wave(y, x)), expected, 1e-3) << y << ", " << x;
        }
}

TEST(MakeProbe, PowerIsTheMeanCountsOnTheUsedPixelsAboveTheBackground) {
    for (const bool near : {false, true}) {
        ScanInfo info = near ? near_field_scan({32, 32}) : far_field_scan({32, 32});
        const auto pattern = random_pattern({32, 32});
        for (std::ptrdiff_t i = 0; i < info.mask.size(); i += 3) info.mask[i] = 0;
        info.background = Array<float, 2>({32, 32}, 0.5F);
        double counts = 0;
        for (std::ptrdiff_t i = 0; i < pattern.size(); ++i)
            if (info.mask[i] != 0) counts += static_cast<double>(pattern[i]) - 0.5;

        ProbeConfig config = config_of(InitialProbe::gaussian);
        config.diameter_m = 9 * info.pixel_size_m[0];
        config.num_modes = 3;
        const auto probe = make_probe(config, info, pattern, nullptr);
        double detected = 0;
        for (std::ptrdiff_t mode = 0; mode < 3; ++mode) {
            Wave wave = convert<double, float>(probe.slice(mode));
            if (near)
                propagate(wave, info.pixel_size_m, info.geometry.wavelength_m,
                          info.geometry.effective_distance_m());
            else
                fft2(wave);
            for (std::ptrdiff_t i = 0; i < wave.size(); ++i) detected += info.mask[i] * norm(wave[i]);
        }
        EXPECT_NEAR(detected, counts, 1e-5 * counts);
        EXPECT_NEAR(mode_power(probe, 1), config.mode_power * mode_power(probe, 0),
                    1e-5 * mode_power(probe, 0));
    }
}

TEST(MakeProbe, FileProbeIsCroppedAboutTheCentreAndKeptWithoutRescaling) {
    ScanInfo info = far_field_scan({16, 16});
    info.probe = random_modes({1, 16, 15});
    ProbeConfig config = config_of(InitialProbe::automatic);
    config.rescale = false;
    const auto whole = make_probe(config, info, random_pattern({16, 16}), nullptr);
    ASSERT_EQ(whole.extents(), (Extents<3>{1, 16, 15})) << "the given shape wins";
    for (std::ptrdiff_t i = 0; i < whole.size(); ++i) EXPECT_EQ(whole[i].re, (*info.probe)[i].re);

    config.size = {{9, 8}};
    const auto cropped = make_probe(config, info, random_pattern({16, 16}), nullptr);
    ASSERT_EQ(cropped.extents(), (Extents<3>{1, 9, 8}));
    for (int y = 0; y < 9; ++y)
        for (int x = 0; x < 8; ++x) EXPECT_EQ(cropped(0, y, x).im, (*info.probe)(0, y + 4, x + 3).im);
}

TEST(MakeProbe, AProbeReadElsewhereWinsAndIsCutToTheFrame) {
    ScanInfo info = far_field_scan({16, 16});
    info.probe = random_modes({1, 16, 16});
    Array<cfloat, 3> other({1, 20, 8});
    other(0, 10, 4) = {2, 0};
    ProbeConfig config = config_of(InitialProbe::file);
    config.rescale = false;
    const auto probe = make_probe(config, info, random_pattern({16, 16}), &other);
    ASSERT_EQ(probe.extents(), (Extents<3>{1, 16, 8}));
    EXPECT_EQ(probe(0, 8, 4).re, 2);
}

TEST(MakeProbe, KeepsTheStrongestModes) {
    ScanInfo info = far_field_scan({8, 8});
    info.probe = random_modes({3, 8, 8});
    for (auto& value : info.probe->slice(1)) value = 5.0F * value;
    for (auto& value : info.probe->slice(2)) value = 3.0F * value;
    ProbeConfig config = config_of(InitialProbe::file);
    config.rescale = false;
    config.num_modes = 2;
    const auto probe = make_probe(config, info, random_pattern({8, 8}), nullptr);
    ASSERT_EQ(probe.extent(0), 2);
    EXPECT_EQ(probe(0, 2, 3).re, (*info.probe)(1, 2, 3).re);
    EXPECT_EQ(probe(1, 2, 3).re, (*info.probe)(2, 2, 3).re);
}

TEST(MakeProbe, MissingModesAreOrthogonalToAllOthers) {
    ScanInfo info = far_field_scan({24, 20});
    info.probe = random_modes({2, 24, 20});  // not orthogonal to each other
    for (auto& value : info.probe->slice(0)) value = 3.0F * value;
    ProbeConfig config = config_of(InitialProbe::file);
    config.num_modes = 7;
    config.mode_power = 0.1;
    const auto probe = make_probe(config, info, random_pattern({24, 20}), nullptr);
    ASSERT_EQ(probe.extent(0), 7);
    const auto modes = unstacked(probe);
    for (std::size_t a = 2; a < 7; ++a) {
        EXPECT_NEAR(power(modes[a]), 0.1 * power(modes[0]), 1e-5 * power(modes[0]));
        for (std::size_t b = 0; b < a; ++b)
            EXPECT_LT(std::sqrt(norm(inner_product(modes[a], modes[b]))), 1e-5 * power(modes[0]))
                << a << ", " << b;
    }
}

TEST(MakeProbe, FirstAddedModesAreOddAlongOneAxis) {
    const ScanInfo info = far_field_scan({33, 33});
    ProbeConfig config = config_of(InitialProbe::gaussian);
    config.diameter_m = 8 * info.pixel_size_m[0];
    config.num_modes = 3;
    const auto probe = make_probe(config, info, random_pattern({33, 33}), nullptr);
    for (int i = 1; i < 10; ++i) {
        EXPECT_NEAR(probe(1, 16 + i, 16).re, -probe(1, 16 - i, 16).re, 1e-3);
        EXPECT_NEAR(probe(1, 16, 16 + i).re, 0, 1e-3);
        EXPECT_NEAR(probe(2, 16, 16 + i).re, -probe(2, 16, 16 - i).re, 1e-3);
    }
    EXPECT_GT(std::abs(probe(1, 20, 16).re), 0.1);
}

TEST(MakeProbe, ASinglePixelHasOneMode) {
    ScanInfo info = far_field_scan({1, 1});
    ProbeConfig config = config_of(InitialProbe::from_data);
    const Array<float, 2> pattern({1, 1}, 4.0F);
    const auto probe = make_probe(config, info, pattern, nullptr);
    EXPECT_NEAR(probe[0].re, 2, 1e-6);
    config.num_modes = 2;
    EXPECT_THROW(make_probe(config, info, pattern, nullptr), Error);
}

TEST(MakeProbe, ApertureIsADiscOfTheGivenDiameter) {
    const ScanInfo info = far_field_scan({64, 64});
    ProbeConfig config = config_of(InitialProbe::aperture);
    config.diameter_m = 30 * info.pixel_size_m[0];
    config.rescale = false;
    const auto probe = make_probe(config, info, random_pattern({64, 64}), nullptr);
    double area = 0;
    for (const auto& value : probe) area += static_cast<double>(value.re);
    EXPECT_NEAR(area, std::numbers::pi * 15 * 15, 4);
    EXPECT_EQ(probe(0, 32, 32).re, 1);
    EXPECT_EQ(probe(0, 32, 32 + 17).re, 0);
    EXPECT_NEAR(probe(0, 32 + 15, 32).re, 0.5, 1e-6);
}

TEST(MakeProbe, GaussianFallsToHalfTheIntensityAtHalfItsWidth) {
    const ScanInfo info = far_field_scan({32, 32});
    ProbeConfig config = config_of(InitialProbe::gaussian);
    config.diameter_m = 10 * info.pixel_size_m[0];
    config.rescale = false;
    const auto probe = make_probe(config, info, random_pattern({32, 32}), nullptr);
    EXPECT_NEAR(norm(probe(0, 16, 16 + 5)), 0.5, 1e-5);
    EXPECT_NEAR(norm(probe(0, 16 - 5, 16)), 0.5, 1e-5);
}

TEST(MakeProbe, ZonePlateFillsARingOnTheDetector) {
    const ScanInfo info = far_field_scan({128, 128});
    ProbeConfig config = config_of(InitialProbe::zone_plate);
    config.diameter_m = 200e-6;
    // The cone is 40 detector pixels wide, the stop half of it.
    config.focal_length_m = *config.diameter_m * info.geometry.distance_m / (40 * 75e-6);
    config.central_stop_m = 100e-6;
    config.defocus_m = 3e-4;
    const auto probe = make_probe(config, info, random_pattern({128, 128}), nullptr);
    Wave wave = centre_to_origin(convert<double, float>(probe.slice(0)));
    fft2(wave);
    wave = origin_to_centre(wave);
    const double ring = norm(wave(64, 64 + 15));
    double inside = 0;
    for (int y = 0; y < 128; ++y)
        for (int x = 0; x < 128; ++x) {
            const double r = std::hypot(y - 64, x - 64);
            if (r > 9 && r < 21) inside += norm(wave(y, x));
        }
    EXPECT_GT(inside, 0.98 * power(wave));
    EXPECT_LT(norm(wave(64, 64)), 0.02 * ring);
    EXPECT_LT(norm(wave(64, 64 + 30)), 0.02 * ring);

    ProbeConfig same = config;  // the outer zone's width says the focal length
    same.focal_length_m.reset();
    same.outer_zone_width_m = *config.focal_length_m * info.geometry.wavelength_m / *config.diameter_m;
    const auto probe_of_width = make_probe(same, info, random_pattern({128, 128}), nullptr);
    for (std::ptrdiff_t i = 0; i < probe.size(); i += 97)
        EXPECT_NEAR(probe_of_width[i].re, probe[i].re, 1e-3);
}

// The near-field beam is the far-field one without its spherical phase, where both can be sampled.
TEST(ZonePlateBeam, FlattenedBeamTimesTheSphericalPhaseIsTheBeam) {
    const BeamGrid grid{{192, 192}, {50e-9, 50e-9}, 1e-10};
    const double cone_rad = 0.3 * grid.wavelength_m / grid.pixel_size_m[0];
    const double focus_to_sample_m = 60 * grid.pixel_size_m[0] / cone_rad;
    ZonePlate zone_plate;
    zone_plate.focal_length_m = 1e6 * focus_to_sample_m;  // where the focal plane itself is flat
    zone_plate.diameter_m = cone_rad * zone_plate.focal_length_m;
    zone_plate.central_stop_m = 0.35 * zone_plate.diameter_m;
    const Wave beam = zone_plate_beam(grid, zone_plate, focus_to_sample_m);
    Wave flattened = flattened_zone_plate_beam(grid, zone_plate, focus_to_sample_m);
    for (std::ptrdiff_t y = 0; y < 192; ++y)
        for (std::ptrdiff_t x = 0; x < 192; ++x) {
            const double r_m = std::hypot(static_cast<double>(y - 96), static_cast<double>(x - 96)) * 50e-9;
            const double phase_rad = std::numbers::pi * r_m * r_m / (grid.wavelength_m * focus_to_sample_m);
            flattened(y, x) = cdouble{std::cos(phase_rad), std::sin(phase_rad)} * flattened(y, x);
        }
    const double overlap = std::sqrt(norm(inner_product(beam, flattened)) / (power(beam) * power(flattened)));
    EXPECT_GT(overlap, 0.995);
}

void expect_refused(const ProbeConfig& config, const ScanInfo& info, const char* key) {
    try {
        make_probe(config, info, random_pattern(info.frame_shape), nullptr);
        ADD_FAILURE() << key << " was not refused";
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find(key), std::string::npos) << error.what();
    }
}

TEST(MakeProbe, SaysWhatIsMissing) {
    const ScanInfo info = far_field_scan({16, 16});
    expect_refused(config_of(InitialProbe::file), info, "scan.cxi");
    expect_refused(config_of(InitialProbe::aperture), info, "probe.diameter_m");
    expect_refused(config_of(InitialProbe::gaussian), info, "probe.diameter_m");
    ProbeConfig config = config_of(InitialProbe::zone_plate);
    config.diameter_m = 1e-4;
    expect_refused(config, info, "probe.focal_length_m");
    config.focal_length_m = 1e-3;  // a cone far wider than the detector
    expect_refused(config, info, "cone");
    config.focal_length_m = 1;
    config.central_stop_m = 2e-4;
    expect_refused(config, info, "probe.central_stop_m");
    ProbeConfig large = config_of(InitialProbe::from_data);
    large.size = {{17, 16}};
    expect_refused(large, info, "probe.size");

    ScanInfo dark = info;
    dark.mask = Array<float, 2>({16, 16});
    expect_refused(config_of(InitialProbe::from_data), dark, "power");
    ScanInfo broken = info;
    broken.probe = Array<cfloat, 3>({1, 16, 16}, cfloat{NAN, 0});
    expect_refused(config_of(InitialProbe::automatic), broken, "power");
}

// A cone without aberration is a zone plate's without a stop, whatever its focal length.
TEST(ConvergentBeam, IsAZonePlateWithoutAStop) {
    const BeamGrid grid{{48, 40}, {2e-11, 2.4e-11}, 2.508e-12};
    for (const double defocus_m : {0.0, 6e-9, -3e-9}) {
        const Wave convergent = convergent_beam(grid, {0.02, defocus_m, 0});
        const Wave zone_plate = zone_plate_beam(grid, {0.04 * 1e-3, 1e-3, 0}, defocus_m);
        double overlap = std::sqrt(norm(inner_product(convergent, zone_plate)));
        overlap /= std::sqrt(power(convergent) * power(zone_plate));
        EXPECT_GT(overlap, 0.9999) << defocus_m;
    }
    EXPECT_NEAR(largest_semi_angle(grid), 2.508e-12 / 4.8e-11, 1e-12);
}

// Geometry: at defocus z the beam is a disc of radius alpha z.
TEST(ConvergentBeam, DefocusSpreadsIt) {
    const std::ptrdiff_t n = 128;
    const BeamGrid grid{{n, n}, {2e-11, 2e-11}, 2.508e-12};
    const double radius_px = 0.03 * 20e-9 / 2e-11;  // 30 mrad, 20 nm: 600 pm
    const double fringe_px = std::sqrt(grid.wavelength_m * 20e-9) / 2e-11;
    const Wave wave = convergent_beam(grid, {0.03, 20e-9, 0});
    double inside = 0;
    for (std::ptrdiff_t y = 0; y < n; ++y)
        for (std::ptrdiff_t x = 0; x < n; ++x)
            if (std::hypot(static_cast<double>(y - n / 2), static_cast<double>(x - n / 2)) <
                radius_px + fringe_px)
                inside += norm(wave(y, x));
    EXPECT_GT(inside, 0.97 * power(wave));
    EXPECT_LT(norm(wave(n / 2, n / 2)), 20 * power(wave) / (std::numbers::pi * radius_px * radius_px));
}

TEST(ConvergentBeam, SphericalAberrationTurnsTheFourthPowerOfTheAngle) {
    const std::ptrdiff_t n = 256;
    const BeamGrid grid{{n, n}, {2e-11, 2e-11}, 2.508e-12};
    const double aberration_m = 1e-5;
    Wave ideal = centre_to_origin(convergent_beam(grid, {0.03, 0, 0}));
    Wave real = centre_to_origin(convergent_beam(grid, {0.03, 0, aberration_m}));
    fft2(ideal);
    fft2(real);
    for (const std::ptrdiff_t k : {10, 30, 50}) {
        const double angle_rad =
            grid.wavelength_m * static_cast<double>(k) / (static_cast<double>(n) * 2e-11);
        const double expected_rad =
            -0.5 * std::numbers::pi / grid.wavelength_m * aberration_m * std::pow(angle_rad, 4);
        const cdouble relative = conj_mul(ideal(0, k), real(0, k));
        EXPECT_NEAR(std::atan2(relative.im, relative.re), expected_rad, 0.03) << k;
    }
}

TEST(MakeProbe, ConvergentNeedsAnAngleThatFitsAndTheFarField) {
    ProbeConfig config = config_of(InitialProbe::convergent);
    const ScanInfo info = far_field_scan({16, 16});  // lambda / (2 pixels): 0.3 mrad
    EXPECT_THROW(make_probe(config, info, random_pattern({16, 16}), nullptr), Error);
    config.convergence_angle_mrad = 0.2;
    EXPECT_EQ(make_probe(config, info, random_pattern({16, 16}), nullptr).extents(), (Extents<3>{1, 16, 16}));
    config.convergence_angle_mrad = 0.4;
    EXPECT_THROW(make_probe(config, info, random_pattern({16, 16}), nullptr), Error);
    config.convergence_angle_mrad = 0.2;
    EXPECT_THROW(make_probe(config, near_field_scan({16, 16}), random_pattern({16, 16}), nullptr), Error);
}

}  // namespace
}  // namespace tessera
