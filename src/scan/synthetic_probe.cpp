#include "scan/synthetic_probe.hpp"

#include <algorithm>
#include <cmath>

#include "scan/probe_modes.hpp"

namespace tessera {

namespace {

// A usual nanofocusing zone plate: a third of the diameter is stopped, and the cone fills a third of the
// detector, so that the bright doughnut leaves room around it for what the object scatters.
constexpr double stop_fraction = 0.35;
constexpr double cone_fraction = 0.3;
// Near field: only the ratio of the two distances matters, and it is small at every instrument.
constexpr double focal_length_per_focus_distance = 25;

Wave zone_plate_mode(double beam_m, const BeamGrid& grid, const Geometry& geometry, double defocus_factor) {
    ZonePlate zone_plate;
    if (geometry.propagation == Propagation::near_field && geometry.focus_to_sample_m != 0) {
        const double focus_to_sample_m = geometry.focus_to_sample_m;
        zone_plate.focal_length_m = focal_length_per_focus_distance * std::abs(focus_to_sample_m);
        zone_plate.diameter_m = beam_m * focal_length_per_focus_distance;
        zone_plate.central_stop_m = stop_fraction * zone_plate.diameter_m;
        return flattened_zone_plate_beam(grid, zone_plate, defocus_factor * focus_to_sample_m);
    }
    const double cone =
        cone_fraction * grid.wavelength_m / std::max(grid.pixel_size_m[0], grid.pixel_size_m[1]);
    const double focus_to_sample_m = beam_m / cone;
    zone_plate.focal_length_m = focal_length_per_focus_distance * focus_to_sample_m;
    zone_plate.diameter_m = cone * zone_plate.focal_length_m;
    zone_plate.central_stop_m = stop_fraction * zone_plate.diameter_m;
    return zone_plate_beam(grid, zone_plate, defocus_factor * focus_to_sample_m);
}

Wave convergent_mode(const SimulatedProbeConfig& config, const BeamGrid& grid, double defocus_factor) {
    const double angle_mrad = config.convergence_angle_mrad.value_or(0);
    if (!(angle_mrad > 0 && angle_mrad <= 1e3 * largest_semi_angle(grid)))
        throw usage_error(
            "probe.convergence_angle_mrad: {:.4g} (above zero, and so that the cone fits the detector: at "
            "most "
            "wavelength / (2 object pixels), {:.4g} mrad)",
            angle_mrad, 1e3 * largest_semi_angle(grid));
    return convergent_beam(
        grid, {1e-3 * angle_mrad, defocus_factor * config.defocus_m, config.spherical_aberration_m});
}

Wave first_mode(const SimulatedProbeConfig& config, const BeamGrid& grid, const Geometry& geometry,
                double defocus_factor) {
    if (config.shape == ProbeShape::convergent) return convergent_mode(config, grid, defocus_factor);
    const double diameter_m = config.diameter_px * std::min(grid.pixel_size_m[0], grid.pixel_size_m[1]);
    if (config.shape == ProbeShape::zone_plate)
        return zone_plate_mode(diameter_m, grid, geometry, defocus_factor);
    Wave wave = config.shape == ProbeShape::aperture ? aperture_beam(grid, diameter_m)
                                                     : gaussian_beam(grid, diameter_m);
    propagate(wave, grid.pixel_size_m, grid.wavelength_m, defocus_factor * config.defocus_m);
    return wave;
}

}  // namespace

std::vector<Wave> make_simulated_probe(const SimulatedProbeConfig& config, const BeamGrid& grid,
                                       const Geometry& geometry, double defocus_factor) {
    if (!(config.diameter_px > 0))
        throw usage_error("probe.diameter_px: {} (a diameter above zero is needed)", config.diameter_px);
    if (config.num_modes < 1) throw usage_error("probe.num_modes: {} (at least 1)", config.num_modes);
    if (!(config.photons_per_frame > 0))
        throw usage_error("probe.photons_per_frame: {} (a number above zero is needed)",
                          config.photons_per_frame);

    std::vector<Wave> modes = {first_mode(config, grid, geometry, defocus_factor)};
    add_modes(modes, config.num_modes, config.mode_power);
    double total = 0;
    for (const auto& mode : modes) total += power(mode);
    const double factor = std::sqrt(config.photons_per_frame / total);
    for (auto& mode : modes)
        for (auto& value : mode) value = factor * value;
    return modes;
}

}  // namespace tessera
