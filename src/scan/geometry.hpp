#pragma once

#include <array>
#include <string>

#include "base/array.hpp"
#include "config/run_config.hpp"
#include "math/complex.hpp"

namespace tessera {

enum class Radiation { photons, electrons };

// How the wave travels from the sample to the detector, resolved: nothing is optional any more.
struct Geometry {
    Propagation propagation = Propagation::far_field;  // never `automatic`
    Radiation radiation = Radiation::photons;
    double wavelength_m = 0;
    double distance_m = 0;                                 // sample to detector
    std::array<double, 2> detector_pixel_size_m = {0, 0};  // (y, x)
    double focus_to_sample_m = 0;                          // near field; 0: parallel beam

    double energy_eV() const;  // of a photon; of electrons: kinetic, the accelerating voltage in volts
    // Near field: (z12 + z) / z12, 1 for a parallel beam. Far field: 1.
    double magnification() const;
    // Near field: z / m.
    double effective_distance_m() const;
    // Object pixel (y, x). Far field: lambda z / (M p) for frames of `frame_shape` (M_y, M_x).
    // Near field: p / m.
    std::array<double, 2> object_pixel_size_m(std::array<int, 2> frame_shape) const;
};

double wavelength_of_energy(double energy_eV);  // lambda[m] = 1.23984198e-6 / E[eV]
double energy_of_wavelength(double wavelength_m);
// Electrons of kinetic energy E, relativistic: lambda = h c / sqrt(E (E + 2 m c^2)); 2.508 pm at 200 keV.
double electron_wavelength_of_energy(double energy_eV);
double electron_energy_of_wavelength(double wavelength_m);
double wavelength_of_energy(Radiation radiation, double energy_eV);
double energy_of_wavelength(Radiation radiation, double wavelength_m);

// For people, in the unit that suits: "10 pm", "4.2 nm"; of (y, x): "4.2 x 4.3 nm".
std::string length_text(double length_m);
std::string length_text(std::array<double, 2> lengths_m);

// H(q) = exp(-i pi lambda z |q|^2) on the transform's own frequency order (zero frequency at index 0), for
// pixels (y, x) of `pixel_size_m`. Shape (y, x); dimensionless.
Array<cfloat, 2> fresnel_transfer_function(std::array<int, 2> shape, std::array<double, 2> pixel_size_m,
                                           double wavelength_m, double distance_m);

}  // namespace tessera
