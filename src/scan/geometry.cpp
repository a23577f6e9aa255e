#include "scan/geometry.hpp"

#include <cmath>
#include <numbers>

#include "scan/wave_optics.hpp"

namespace tessera {

namespace {
constexpr double planck_times_light_eV_m = 1.23984198e-6;
}

double wavelength_of_energy(double energy_eV) {
    return planck_times_light_eV_m / energy_eV;
}

double energy_of_wavelength(double wavelength_m) {
    return planck_times_light_eV_m / wavelength_m;
}

double Geometry::energy_eV() const {
    return energy_of_wavelength(wavelength_m);
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
