#pragma once

#include <vector>

#include "scan/wave_optics.hpp"

namespace tessera {

// Adds modes until there are `num_modes`: the first times y^a x^b about its centre of mass, in its own
// widths, by rising a + b (Hermite-like), made orthogonal to every mode before, each with `mode_power` times
// the first one's power. Pre: at least one mode, the first of them with power. Throws where the shape has too
// few pixels for so many modes.
void add_modes(std::vector<Wave>& modes, int num_modes, double mode_power);

// In falling power; modes of equal power keep their order.
void sort_by_power(std::vector<Wave>& modes);

// (mode, y, x)
Array<cfloat, 3> stacked(const std::vector<Wave>& modes);
std::vector<Wave> unstacked(View<const cfloat, 3> modes);

}  // namespace tessera
