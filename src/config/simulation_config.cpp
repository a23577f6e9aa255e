#include "config/simulation_config.hpp"

#include <fmt/format.h>

#include "config/schema.hpp"

// The schema of the simulation file: one describe() per struct of simulation_config.hpp, one line per key.
namespace tessera {

namespace {

constexpr int max_side_px = 65536;
constexpr int max_grid = 100000;
constexpr double max_blur_sigma_px = 10;

constexpr Word<ObjectPattern> object_patterns[] = {{"siemens_star", ObjectPattern::siemens_star},
                                                   {"random_features", ObjectPattern::random_features},
                                                   {"textures", ObjectPattern::textures},
                                                   {"flat", ObjectPattern::flat},
                                                   {"lead_titanate", ObjectPattern::lead_titanate}};
constexpr Word<ProbeShape> probe_shapes[] = {{"gaussian", ProbeShape::gaussian},
                                             {"aperture", ProbeShape::aperture},
                                             {"zone_plate", ProbeShape::zone_plate},
                                             {"convergent", ProbeShape::convergent}};
constexpr Word<ScanPattern> scan_patterns[] = {
    {"raster", ScanPattern::raster}, {"spiral", ScanPattern::spiral}, {"jittered", ScanPattern::jittered}};

}  // namespace

static void describe(KeyVisitor& io, SimulatedObjectConfig& c) {
    io.choice("pattern", c.pattern, object_patterns);
    const bool is_crystal = c.pattern == ObjectPattern::lead_titanate;
    constexpr std::string_view other_patterns = "other patterns: a crystal's phases follow from its atoms";
    io.key("amplitude_range", c.amplitude_range, within(0, 1).only_if(!is_crystal, other_patterns));
    io.key("phase_range_rad", c.phase_range_rad, anything().only_if(!is_crystal, other_patterns));
    const bool has_features =
        c.pattern == ObjectPattern::random_features || c.pattern == ObjectPattern::textures;
    io.key("feature_size_px", c.feature_size_px,
           at_least(1).only_if(has_features, "pattern: random_features or textures"));
    io.key("atom_blur_m", c.atom_blur_m, above(0).or_auto().only_if(is_crystal, "pattern: lead_titanate"));
    io.key("num_modes", c.num_modes,
           within(1, max_object_modes).only_if(has_features, "pattern: random_features or textures"));
    describe_slices(io, c);
    check_modes_or_slices(io, c);
    io.check(c.amplitude_range[0] <= c.amplitude_range[1], "amplitude_range", "must be [least, most]");
    io.check(c.phase_range_rad[0] <= c.phase_range_rad[1], "phase_range_rad", "must be [least, most]");
}

static void describe(KeyVisitor& io, SimulatedProbeConfig& c) {
    io.choice("shape", c.shape, probe_shapes);
    const bool is_convergent = c.shape == ProbeShape::convergent;
    constexpr std::string_view convergent = "shape: convergent";
    io.key("diameter_px", c.diameter_px,
           above(0).only_if(!is_convergent, "shape: gaussian, aperture or zone_plate"));
    io.key("defocus_m", c.defocus_m,
           anything().only_if(c.shape != ProbeShape::zone_plate, "shape: aperture, gaussian or convergent"));
    io.key("convergence_angle_mrad", c.convergence_angle_mrad,
           convergence_range_mrad.only_if(is_convergent, convergent));
    io.key("spherical_aberration_m", c.spherical_aberration_m, anything().only_if(is_convergent, convergent));
    io.check(!is_convergent || c.convergence_angle_mrad, "convergence_angle_mrad",
             fmt::format("is required with {}", convergent));
    io.key("num_modes", c.num_modes, within(1, 1000));
    io.key("mode_power", c.mode_power, above_up_to(0, 1));
    io.key("photons_per_frame", c.photons_per_frame, above(0));
    io.key("guess_defocus_error", c.guess_defocus_error, above(-1));
}

static void describe(KeyVisitor& io, PositionErrorConfig& c) {
    io.key("jitter_px", c.jitter_px, within(0, 1000));
    io.key("scale", c.scale, within(-0.5, 0.5));
    io.key("asymmetry", c.asymmetry, within(-0.5, 0.5));
    io.key("rotation_rad", c.rotation_rad, within(-0.5, 0.5));
    io.key("shear_rad", c.shear_rad, within(-0.5, 0.5));
}

static void describe(KeyVisitor& io, FluctuationConfig& c) {
    io.key("intensity", c.intensity, within(0, 0.5));
    io.key("pointing_px", c.pointing_px, within(0, 1000));
    io.key("defocus_m", c.defocus_m, at_least(0));
}

static void describe(KeyVisitor& io, SimulatedScanConfig& c) {
    io.choice("pattern", c.pattern, scan_patterns);
    io.key("grid", c.grid, within(1, max_grid));
    io.key("step_px", c.step_px, above(0));
    io.key("jitter", c.jitter, within(0, 1).only_if(c.pattern == ScanPattern::jittered, "pattern: jittered"));
    io.key("integer_positions", c.integer_positions);
    io.group("position_error", c.position_error);
    io.group("fluctuation", c.fluctuation);
}

static void describe(KeyVisitor& io, SimulatedDetectorConfig& c) {
    io.key("shape", c.shape, within(1, max_side_px).or_one_for_both());
    io.key("probe_shape", c.probe_shape, within(1, max_side_px).or_one_for_both());
    io.key("pixel_size_m", c.pixel_size_m, above(0));
    io.key("distance_m", c.distance_m, above(0));
    io.key("accelerating_voltage_kV", c.accelerating_voltage_kV, voltage_range_kV);
    io.key("energy_eV", c.energy_eV,
           above(0).only_if(!c.accelerating_voltage_kV, "photons: without accelerating_voltage_kV"));
    // A scan file states how it was taken: nothing to find out, so no `auto`.
    io.choice("propagation", c.propagation, propagation_words);
    io.check(c.propagation != Propagation::automatic, "propagation", "must be far_field or near_field");
    io.key("focus_to_sample_m", c.focus_to_sample_m,
           above(0).only_if(c.propagation == Propagation::near_field, "propagation: near_field"));
    io.key("photon_noise", c.photon_noise);
    io.key("integer_counts", c.integer_counts);
    io.key("background_per_pixel", c.background_per_pixel, at_least(0));
    io.key("masked_fraction", c.masked_fraction, from_below(0, 1));
    io.key("blur_sigma_px", c.blur_sigma_px, within(0, max_blur_sigma_px));
    io.key("saturation", c.saturation, above(0));
    io.check(!c.probe_shape || ((*c.probe_shape)[0] <= c.shape[0] && (*c.probe_shape)[1] <= c.shape[1]),
             "probe_shape", fmt::format("must fit the frame, [{}, {}]", c.shape[0], c.shape[1]));
}

void describe(KeyVisitor& io, SimulationConfig& c) {
    io.group("object", c.object);
    io.group("probe", c.probe);
    io.group("scan", c.scan);
    io.group("detector", c.detector);
    io.key("random_seed", c.random_seed);
    io.key("file", c.file);
    io.check(c.object.pattern != ObjectPattern::lead_titanate || c.detector.accelerating_voltage_kV,
             "object.pattern",
             "lead_titanate is a crystal seen by electrons: it needs detector.accelerating_voltage_kV");
    io.check(c.probe.shape != ProbeShape::convergent || c.detector.propagation == Propagation::far_field,
             "probe.shape", "convergent is for the far field");
}

}  // namespace tessera
