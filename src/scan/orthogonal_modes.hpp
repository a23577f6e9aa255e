#pragma once

#include <vector>

#include "base/array.hpp"
#include "math/complex.hpp"

namespace tessera {

// The modes of a mixed state are defined only up to a unitary mixing, which leaves every intensity as it is.
// Returns the mixing whose modes are orthogonal, by falling power: P_i = sum_j V_ji P_j with V the
// eigenvectors of the Gram matrix <P_i, P_j> (Thibault & Menzel 2013). (mode, y, x) in and out; cost
// O(modes^2 pixels + modes^3).
Array<cfloat, 3> orthogonal_modes(const Array<cfloat, 3>& probe);

// sum |P_k|^2 of each mode, in counts.
std::vector<double> mode_powers(const Array<cfloat, 3>& probe);

}  // namespace tessera
