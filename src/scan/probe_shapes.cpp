#include "scan/probe_shapes.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tessera {

namespace {

// Share of a pixel inside a circle of `radius`, for a pixel `distance` from its centre (any unit): a linear
// edge.
double coverage(double distance, double radius, double pixel) {
    return std::clamp((radius - distance) / pixel + 0.5, 0.0, 1.0);
}

// Between two circles about the centre; inner radius 0: the whole disc.
double annulus_coverage(double distance, double outer, double inner, double pixel) {
    const double stop = inner > 0 ? coverage(distance, inner, pixel) : 0;
    return coverage(distance, outer, pixel) - stop;
}

// fill(r_y, r_x): the value at (r_y, r_x) metres from the centre floor(n/2).
template <class Fill>
Wave filled(const BeamGrid& grid, Fill&& fill) {
    Wave wave(grid.shape);
    for (std::ptrdiff_t y = 0; y < grid.shape[0]; ++y)
        for (std::ptrdiff_t x = 0; x < grid.shape[1]; ++x) {
            const double r_y = static_cast<double>(y - grid.shape[0] / 2) * grid.pixel_size_m[0];
            const double r_x = static_cast<double>(x - grid.shape[1] / 2) * grid.pixel_size_m[1];
            wave(y, x) = {fill(r_y, r_x), 0};
        }
    return wave;
}

double edge_width(const BeamGrid& grid) {
    return std::max(grid.pixel_size_m[0], grid.pixel_size_m[1]);
}

// Twice the window, so that what leaves it is cut off rather than coming in on the other side.
BeamGrid doubled(const BeamGrid& grid) {
    BeamGrid larger = grid;
    larger.shape = {2 * grid.shape[0], 2 * grid.shape[1]};
    return larger;
}

}  // namespace

Wave aperture_beam(const BeamGrid& grid, double diameter_m) {
    return filled(grid, [&](double r_y, double r_x) {
        return coverage(std::hypot(r_y, r_x), diameter_m / 2, edge_width(grid));
    });
}

Wave gaussian_beam(const BeamGrid& grid, double fwhm_m) {
    const double falloff = 2 * std::numbers::ln2 / (fwhm_m * fwhm_m);  // of the amplitude
    return filled(grid, [&](double r_y, double r_x) { return std::exp(-falloff * (r_y * r_y + r_x * r_x)); });
}

Wave zone_plate_beam(const BeamGrid& grid, const ZonePlate& zone_plate, double defocus_m) {
    const BeamGrid large = doubled(grid);
    const double lambda_f = grid.wavelength_m * zone_plate.focal_length_m;
    std::array<double, 2> pupil_pixel_m{};
    for (std::size_t axis = 0; axis < 2; ++axis)
        pupil_pixel_m[axis] = lambda_f / (static_cast<double>(large.shape[axis]) * large.pixel_size_m[axis]);
    const BeamGrid pupil_plane{large.shape, pupil_pixel_m, grid.wavelength_m};
    const double edge_m = edge_width(pupil_plane);

    Wave wave = filled(pupil_plane, [&](double y_m, double x_m) {
        return annulus_coverage(std::hypot(y_m, x_m), zone_plate.diameter_m / 2,
                                zone_plate.central_stop_m / 2, edge_m);
    });
    wave = centre_to_origin(wave);
    ifft2(wave);
    wave = origin_to_centre(wave);
    propagate(wave, large.pixel_size_m, large.wavelength_m, defocus_m);
    return resize_about_centre(wave, grid.shape);
}

Wave convergent_beam(const BeamGrid& grid, const ConvergentBeam& beam) {
    const BeamGrid large = doubled(grid);
    const double lambda_m = grid.wavelength_m, lambda2 = lambda_m * lambda_m;
    std::array<double, 2> step_per_m{};
    for (std::size_t axis = 0; axis < 2; ++axis)
        step_per_m[axis] = 1 / (static_cast<double>(large.shape[axis]) * large.pixel_size_m[axis]);
    const double edge_per_m = std::max(step_per_m[0], step_per_m[1]);
    Wave wave(large.shape);
    for (std::ptrdiff_t y = 0; y < large.shape[0]; ++y)
        for (std::ptrdiff_t x = 0; x < large.shape[1]; ++x) {
            const double q_per_m = std::hypot(frequency(y, large.shape[0]) / large.pixel_size_m[0],
                                              frequency(x, large.shape[1]) / large.pixel_size_m[1]);
            const double lit = coverage(q_per_m, beam.semi_angle_rad / lambda_m, edge_per_m);
            const double q2 = q_per_m * q_per_m;
            const double phase_rad = -std::numbers::pi * lambda_m * q2 *
                                     (beam.defocus_m + 0.5 * beam.spherical_aberration_m * lambda2 * q2);
            wave(y, x) = {lit * std::cos(phase_rad), lit * std::sin(phase_rad)};
        }
    ifft2(wave);
    return resize_about_centre(origin_to_centre(wave), grid.shape);
}

double largest_semi_angle(const BeamGrid& grid) {
    return grid.wavelength_m / (2 * std::max(grid.pixel_size_m[0], grid.pixel_size_m[1]));
}

Wave flattened_zone_plate_beam(const BeamGrid& grid, const ZonePlate& zone_plate, double focus_to_sample_m) {
    const BeamGrid large = doubled(grid);
    const double demagnification = std::abs(focus_to_sample_m) / zone_plate.focal_length_m;
    const double edge_m = edge_width(large);
    Wave wave = filled(large, [&](double r_y, double r_x) {
        return annulus_coverage(std::hypot(r_y, r_x), zone_plate.diameter_m * demagnification / 2,
                                zone_plate.central_stop_m * demagnification / 2, edge_m);
    });
    const double distance_m = -focus_to_sample_m * (1 + focus_to_sample_m / zone_plate.focal_length_m);
    propagate(wave, large.pixel_size_m, large.wavelength_m, distance_m);
    return resize_about_centre(wave, grid.shape);
}

}  // namespace tessera
