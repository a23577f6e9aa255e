#pragma once

#include "tasks/problem.hpp"

namespace tessera {

// Deals the frames, once they are placed, to mini-batches, tiles and batches: problem.tiling and halo_px.
// Throws usage Errors.
void set_tiling(Problem& problem);

}  // namespace tessera
