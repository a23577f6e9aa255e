#pragma once

#include <array>

#include "base/array.hpp"
#include "scan/random.hpp"

// Natural-looking pictures (y, x) with values in [0, 1].
namespace tessera {

// Cells of random greys with thin dark walls between them, some with a nucleus (Voronoi, warped).
Array<float, 2> cell_texture(std::array<int, 2> shape, double feature_size_px, Random& random);

// Band-limited 1/f noise, warped by itself, with bright filaments.
Array<float, 2> turbulent_texture(std::array<int, 2> shape, double feature_size_px, Random& random);

}  // namespace tessera
