#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "config/run_config.hpp"

// The file that `tessera simulate` reads, as plain structs. A new key is one member here and one line in
// simulation_config.cpp.
namespace tessera {

enum class ObjectPattern { siemens_star, random_features, textures, flat, lead_titanate };
enum class ProbeShape { gaussian, aperture, zone_plate, convergent };
enum class ScanPattern { raster, spiral, jittered };

struct SimulatedObjectConfig {
    ObjectPattern pattern = ObjectPattern::siemens_star;
    std::array<double, 2> amplitude_range = {0.7, 1.0};  // least and largest modulus
    std::array<double, 2> phase_range_rad = {-0.8, 0.0};
    double feature_size_px = 8;         // random features and textures: smallest feature
    std::optional<double> atom_blur_m;  // lead titanate: rms of every atom; null: `auto`, one object pixel
    int num_modes = 1;                  // states that the object is in by turns, each for as long
    int num_slices = 1;                 // ranges are of each slice
    std::vector<double> slice_spacings_m;
    SlicePropagation slice_propagation = SlicePropagation::angular_spectrum;
    bool operator==(const SimulatedObjectConfig&) const = default;
};

struct SimulatedProbeConfig {
    ProbeShape shape = ProbeShape::zone_plate;
    double diameter_px = 40;  // aperture, or FWHM of the gaussian, or the zone plate's beam at the sample
    double defocus_m = 0;     // further propagation (aperture, gaussian and convergent)
    std::optional<double> convergence_angle_mrad;  // convergent: semi-angle of the cone
    double spherical_aberration_m = 0;             // convergent: Cs
    int num_modes = 1;
    double mode_power = 0.2;         // power of each further mode relative to the first
    double photons_per_frame = 1e6;  // in the empty beam; sets the probe's power
    // The guess written into the file for a reconstruction to start from, made of the true probe:
    double guess_defocus_error = 0;  // relative error of the focus-to-sample distance (0.2: 20 %)
    bool operator==(const SimulatedProbeConfig&) const = default;
};

// Where the beam really was, from what the file says: for each axis a random part and one linear in the place
// from the middle of the scan.
struct PositionErrorConfig {
    double jitter_px = 0;  // uniform in [-jitter, jitter]
    double scale = 0;      // 0.01: the real scan is 1 % larger
    double asymmetry = 0;  // of the axes: y larger by half of it, x smaller
    double rotation_rad = 0;
    double shear_rad = 0;
    bool operator==(const PositionErrorConfig&) const = default;
};

// What differs from frame to frame: standard deviations.
struct FluctuationConfig {
    double intensity = 0;    // 0.1: 10 % of the mean
    double pointing_px = 0;  // of the beam's angle, as its pattern moves on the detector along each axis
    double defocus_m = 0;    // of the sample's distance from the focus
    bool operator==(const FluctuationConfig&) const = default;
};

struct SimulatedScanConfig {
    ScanPattern pattern = ScanPattern::jittered;
    std::array<int, 2> grid = {12, 12};  // raster and jittered: (rows, columns); spiral: rows*columns points
    double step_px = 10;
    double jitter = 0.25;            // jittered: as a fraction of the step
    bool integer_positions = false;  // round to whole pixels
    PositionErrorConfig position_error = {};
    FluctuationConfig fluctuation = {};
    bool operator==(const SimulatedScanConfig&) const = default;
};

struct SimulatedDetectorConfig {
    std::array<int, 2> shape = {128, 128};          // (y, x)
    std::optional<std::array<int, 2>> probe_shape;  // smaller than the frame: oversampled; null: same
    double pixel_size_m = 75e-6;
    double distance_m = 2.0;
    std::optional<double> accelerating_voltage_kV;     // the beam is of electrons, in place of:
    double energy_eV = 8000;                           // of photons
    Propagation propagation = Propagation::far_field;  // automatic is not allowed here
    std::optional<double> focus_to_sample_m;           // near field
    bool photon_noise = true;
    bool integer_counts = true;        // false: float32 expected counts (with photon_noise: false)
    double background_per_pixel = 0;   // expected counts, known to the reconstruction through the file
    double masked_fraction = 0;        // random dead pixels, and a cross-shaped gap when > 0
    double blur_sigma_px = 0;          // Gaussian point spread of a pixel, periodic at the frame's borders
    std::optional<double> saturation;  // counts beyond which a pixel counts no more
    bool operator==(const SimulatedDetectorConfig&) const = default;
};

struct SimulationConfig {
    SimulatedObjectConfig object;
    SimulatedProbeConfig probe;
    SimulatedScanConfig scan;
    SimulatedDetectorConfig detector;
    std::uint64_t random_seed = 1;
    std::filesystem::path file = "scan.cxi";  // output, relative to the working directory
    bool operator==(const SimulationConfig&) const = default;
};

}  // namespace tessera
