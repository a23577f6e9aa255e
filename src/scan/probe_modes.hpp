#pragma once

#include <cstdint>
#include <vector>

#include "scan/wave_optics.hpp"

namespace tessera {

// Adds modes until there are `num_modes`: the first times y^a x^b about its centre of mass, in its own
// widths, by rising a + b (Hermite-like), made orthogonal to every mode before, each with `mode_power` times
// the first one's power. Pre: at least one mode, the first of them with power. Throws where the shape has too
// few pixels for so many modes.
void add_modes(std::vector<Wave>& modes, int num_modes, double mode_power);

// `count` orthonormal modes, orthogonal to `mode` as well, each a random mix of those that add_modes() makes:
// what a beam that wanders begins to be looked for with. The same for the same seed.
Array<cfloat, 3> random_opr_modes(View<const cfloat, 2> mode, int count, std::uint64_t seed);

// In falling power; modes of equal power keep their order.
void sort_by_power(std::vector<Wave>& modes);

// (mode, y, x)
Array<cfloat, 3> stacked(const std::vector<Wave>& modes);
std::vector<Wave> unstacked(View<const cfloat, 3> modes);

}  // namespace tessera
