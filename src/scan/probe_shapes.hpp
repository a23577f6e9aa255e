#pragma once

#include <array>

#include "scan/wave_optics.hpp"

// Beams from first principles, in the sample plane, centred at floor(n/2), of arbitrary power.
namespace tessera {

struct BeamGrid {
    Extents<2> shape = {0, 0};                    // (y, x)
    std::array<double, 2> pixel_size_m = {0, 0};  // (y, x)
    double wavelength_m = 0;
};

// A uniform disc with edges a pixel wide.
Wave aperture_beam(const BeamGrid& grid, double diameter_m);

// Flat phase; the intensity falls to half at `fwhm_m` / 2.
Wave gaussian_beam(const BeamGrid& grid, double fwhm_m);

struct ZonePlate {
    double diameter_m = 0;
    double focal_length_m = 0;
    double central_stop_m = 0;  // diameter; 0: none
};

// The beam of a zone plate (or any thin lens with a central stop) `defocus_m` behind its focus:
// F^-1 [ pupil(lambda f q) exp(-i pi lambda z |q|^2) ].
Wave zone_plate_beam(const BeamGrid& grid, const ZonePlate& zone_plate, double defocus_m);

// A round aperture, evenly lit, focused to a cone of this semi-angle: the probe of a scanning electron
// microscope.
struct ConvergentBeam {
    double semi_angle_rad = 0;
    double defocus_m = 0;               // above 0: the sample lies behind the focus (over-focus)
    double spherical_aberration_m = 0;  // Cs
};

// F^-1 [ (|q| <= alpha / lambda) exp(-i (pi lambda z |q|^2 + pi/2 Cs lambda^3 |q|^4)) ]; the semi-angle must
// be below largest_semi_angle().
Wave convergent_beam(const BeamGrid& grid, const ConvergentBeam& beam);
double largest_semi_angle(
    const BeamGrid& grid);  // of a cone that fits the detector: lambda / (2 object pixels)

// The zone plate's beam far behind the focus without its spherical phase exp(i pi r^2 / (lambda z)), as the
// effective parallel geometry of a near-field scan has it (Fresnel scaling theorem): the pupil's shadow of
// diameter D z / f, propagated over -z (1 + z / f).
Wave flattened_zone_plate_beam(const BeamGrid& grid, const ZonePlate& zone_plate, double focus_to_sample_m);

}  // namespace tessera
