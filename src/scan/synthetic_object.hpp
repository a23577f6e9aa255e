#pragma once

#include <array>
#include <cstdint>

#include "base/array.hpp"
#include "config/simulation_config.hpp"
#include "math/complex.hpp"

namespace tessera {

// Transmission functions (slice, y, x) whose modulus and phase stay within the given ranges; edges are about
// a pixel wide. Of several modes (mode, y, x), each times the root of the share of time that it has.
// `unlit_px` (y, x): how far the array reaches beyond what the beam sees, on every side; the star keeps out
// of it.
// - siemens_star: one material, spokes cut by rings, marks in the corners; repeated along the longer axis;
// - random_features: one material, overlapping discs, rods and polygons of many sizes and thicknesses;
// - textures: modulus cells with walls, phase turbulent 1/f noise: two unrelated pictures, so that what leaks
// from one
//   into the other is seen;
// In further slices and modes the random patterns are others; the star is the same in all slices.
// - flat: the largest modulus and the largest phase everywhere.
Array<cfloat, 3> make_object(const SimulatedObjectConfig& config, std::array<int, 2> shape,
                             std::array<double, 2> unlit_px, std::uint64_t seed);

}  // namespace tessera
