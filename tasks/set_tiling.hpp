#pragma once

#include "tasks/problem.hpp"

namespace tessera {

// Deals the frames, once they are placed, to mini-batches, tiles and batches: halo_px, and `tiling`, which is
// the problem's. Throws usage Errors.
void set_tiling(Problem& problem, Tiling& tiling);

}  // namespace tessera
