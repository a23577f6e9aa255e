#pragma once

#include <vector>

#include "tasks/engines.hpp"
#include "tasks/problem.hpp"

namespace tessera {

// What one rank sends to others; what it receives is another rank's. Known before a run, and what
// Ranks::bytes_sent() counts in it.
struct Traffic {
    std::size_t halo_bytes = 0;      // one sum of a field where tiles overlap
    std::size_t voxel_bytes = 0;     // one step with Exchange::voxels
    std::size_t coupling_bytes = 0;  // one coupling of slices, or smoothing of the object
    std::size_t sums_bytes = 0;      // one sum over all tiles with a probe part, and telling it
    std::size_t scalars_bytes = 0;   // the same without
    std::size_t overlap_bytes = 0;   // as halo_bytes, of numerator and weight

    std::size_t of(const Exchanges& made) const {
        return made.halos * halo_bytes + made.steps * voxel_bytes + made.couplings * coupling_bytes +
               made.sums * sums_bytes + made.scalars * scalars_bytes + made.overlaps * overlap_bytes;
    }
};
std::vector<Traffic> traffic_of_ranks(const Problem& problem);

// In a whole run: every iteration of every engine, and the evaluation at the end of each.
std::size_t bytes_sent_in_run(const Problem& problem, int rank);

}  // namespace tessera
