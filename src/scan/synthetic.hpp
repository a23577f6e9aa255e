#pragma once

#include <vector>

#include "base/array.hpp"
#include "config/simulation_config.hpp"
#include "math/complex.hpp"
#include "scan/geometry.hpp"

namespace tessera {

// How a frame's beam differs from the mean one.
struct BeamOfFrame {
    double intensity = 1;                        // its power, 1 on average
    std::array<double, 2> pointing_px = {0, 0};  // (y, x): how far its pattern moves on the detector
    double defocus_m = 0;
};

// A scan with known truth. Same seed and settings give the same bits on every machine of one instruction set.
struct SyntheticScan {
    Geometry geometry;
    std::array<double, 2> pixel_size_m = {0, 0};
    Array<cfloat, 3> object;               // (slice, y, x) or (mode, y, x), the truth
    int num_object_modes = 1;              // above 1: the planes of the object are its modes
    std::vector<double> slice_spacings_m;  // num_slices - 1
    Array<cfloat, 3> probe;                // (mode, y, x), the truth, in sqrt(counts)
    Array<cfloat, 3> probe_guess;          // (mode, y, x), what a reconstruction starts from
    Array<double, 2> positions_px;         // (frame, 2): (y, x) of the window's top-left corner in `object`
    Array<double, 2> told_positions_px;    // what the file says; empty: the same
    std::vector<BeamOfFrame> beams;        // of each frame; empty: all alike
    Array<float, 3> patterns;    // (frame, y, x) counts, centre at floor(M/2) (as a detector records them)
    Array<float, 2> mask;        // (y, x): 1 good; same order as patterns
    Array<float, 2> background;  // (y, x) expected counts
    bool integer_counts = true;
};

// I = G sum_k |F psi_k|^2 + background in double precision, G the detector's point spread, sub-pixel
// positions by the Fourier shift of the probe on its own window, from the nearest pixel; psi_k = P_k O(r),
// through several slices u_1 = P_k, u_{l+1} = F^-1 H F (u_l O_l(r)), psi_k = u_L O_L(r) on the probe's
// window. In the near field the exit wave is shifted back: the beam stands still on the detector. Beams that
// differ are, before all that, propagated by their defocus, tilted by their pointing and scaled. Of an object
// with modes, each as large as the share of time that it has, the intensities add up. The guess
// has as many modes and photons as the probe; without a defocus error it is the probe. Throws usage errors.
// Cost: 3 transforms per frame and mode, 2 more for every further slice; frames are shared among all cores.
SyntheticScan simulate(const SimulationConfig& config);

}  // namespace tessera
