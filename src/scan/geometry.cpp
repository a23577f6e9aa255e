#include "scan/geometry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "scan/wave_optics.hpp"

namespace tessera {

namespace {
constexpr double planck_times_light_eV_m = 1.23984198e-6;
constexpr double electron_rest_energy_eV = 510998.95;

struct LengthUnit {
    const char* name;
    double metres;
};

// The largest unit of which there is one at least.
LengthUnit unit_for(double length_m) {
    constexpr LengthUnit units[] = {{"m", 1}, {"mm", 1e-3}, {"um", 1e-6}, {"nm", 1e-9}, {"pm", 1e-12}};
    constexpr double rounding = 1 - 1e-9;  // 1e-9 m is 1 nm
    for (const LengthUnit& unit : units)
        if (std::abs(length_m) >= rounding * unit.metres) return unit;
    return length_m == 0 ? units[0] : units[4];
}
}  // namespace

double wavelength_of_energy(double energy_eV) {
    return planck_times_light_eV_m / energy_eV;
}

double energy_of_wavelength(double wavelength_m) {
    return planck_times_light_eV_m / wavelength_m;
}

double electron_wavelength_of_energy(double energy_eV) {
    return planck_times_light_eV_m / std::sqrt(energy_eV * (energy_eV + 2 * electron_rest_energy_eV));
}

double electron_energy_of_wavelength(double wavelength_m) {
    const double momentum_eV = planck_times_light_eV_m / wavelength_m;  // times c
    // sqrt(p^2 + m^2) - m without the loss of digits of slow electrons
    return momentum_eV * momentum_eV /
           (std::hypot(momentum_eV, electron_rest_energy_eV) + electron_rest_energy_eV);
}

double wavelength_of_energy(Radiation radiation, double energy_eV) {
    return radiation == Radiation::electrons ? electron_wavelength_of_energy(energy_eV)
                                             : wavelength_of_energy(energy_eV);
}

double energy_of_wavelength(Radiation radiation, double wavelength_m) {
    return radiation == Radiation::electrons ? electron_energy_of_wavelength(wavelength_m)
                                             : energy_of_wavelength(wavelength_m);
}

std::string length_text(double length_m) {
    const LengthUnit unit = unit_for(length_m);
    return fmt::format("{:.4g} {}", length_m / unit.metres, unit.name);
}

std::string length_text(std::array<double, 2> lengths_m) {
    const LengthUnit unit = unit_for(std::max(std::abs(lengths_m[0]), std::abs(lengths_m[1])));
    return fmt::format("{:.4g} x {:.4g} {}", lengths_m[0] / unit.metres, lengths_m[1] / unit.metres,
                       unit.name);
}

double Geometry::energy_eV() const {
    return energy_of_wavelength(radiation, wavelength_m);
}

double Geometry::magnification() const {
    if (propagation != Propagation::near_field || focus_to_sample_m == 0) return 1;
    return (focus_to_sample_m + distance_m) / focus_to_sample_m;
}

double Geometry::effective_distance_m() const {
    return distance_m / magnification();
}

std::array<double, 2> Geometry::object_pixel_size_m(std::array<int, 2> frame_shape) const {
    std::array<double, 2> size_m{};
    for (std::size_t axis = 0; axis < 2; ++axis) {
        const double pixel_m = detector_pixel_size_m[axis];
        size_m[axis] = propagation == Propagation::near_field
                           ? pixel_m / magnification()
                           : wavelength_m * distance_m / (frame_shape[axis] * pixel_m);
    }
    return size_m;
}

Array<cfloat, 2> fresnel_transfer_function(std::array<int, 2> shape, std::array<double, 2> pixel_size_m,
                                           double wavelength_m, double distance_m) {
    Array<cfloat, 2> transfer({shape[0], shape[1]});
    for (int y = 0; y < shape[0]; ++y) {
        const double q_y = frequency(y, shape[0]) / pixel_size_m[0];
        for (int x = 0; x < shape[1]; ++x) {
            const double q_x = frequency(x, shape[1]) / pixel_size_m[1];
            const double phase_rad = -std::numbers::pi * wavelength_m * distance_m * (q_y * q_y + q_x * q_x);
            transfer(y, x) = {static_cast<float>(std::cos(phase_rad)),
                              static_cast<float>(std::sin(phase_rad))};
        }
    }
    return transfer;
}

}  // namespace tessera
