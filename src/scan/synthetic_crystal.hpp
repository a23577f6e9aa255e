#pragma once

#include <array>

#include "base/array.hpp"
#include "config/simulation_config.hpp"
#include "math/complex.hpp"
#include "scan/geometry.hpp"

namespace tessera {

// A film of tetragonal lead titanate (PbTiO3, a = 3.905 A, c = 4.156 A) as electrons see it, cut into slices:
// (slice, y, x), exp(i sigma V) with V the potential projected over the slice. The beam runs along [100], c
// along y; two domains of opposite polarisation along y meet at a wall that leans by 45 degrees, so that no
// two slices are alike. A slice reaches half-way to its neighbours, the outermost as far on their other side;
// a single slice is one cell thick.
//
// Approximated: neutral free atoms (no bonding, no ions), an isotropic blur in place of thermal motion, no
// absorption, no strain at the wall, no surface relaxation; atoms belong to the film whole.
// Throws usage errors, also for photons.
Array<cfloat, 3> make_lead_titanate(const SimulatedObjectConfig& config, std::array<int, 2> shape,
                                    std::array<double, 2> pixel_size_m, const Geometry& geometry);

// Phase that electrons gain per projected potential, rad/(V m): 2 pi / (lambda U) (m c^2 + e U) / (2 m c^2 +
// e U).
double interaction_parameter(const Geometry& geometry);

}  // namespace tessera
