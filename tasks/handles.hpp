#pragma once

#include <vector>

#include "codelets/accumulate.hpp"
#include "codelets/layout.hpp"
#include "codelets/runtime/data.hpp"
#include "tasks/problem.hpp"

namespace tessera {

// All data of a reconstruction in one process, as tasks see it (contents: codelets/layout.hpp).

struct BatchHandles {
    BatchShape shape;
    bool reaches_neighbour = false;
    Data patterns, frames;
    Data waves;         // kept far fields; empty when they are recomputed
    Data frame_errors;  // double (frame), written by the final evaluation
};

struct StripHandles {
    int to_tile = 0;
    Strip cut;   // in this tile
    Strip land;  // in the other
    Data strip;
};

struct TileHandles {
    Shape2 shape;  // extended
    Strip interior;
    Data object, gradient_own, gradient, gradient_previous, illumination, sums;
    std::vector<Data> out;  // a ring: batch b uses slot b mod its size
    std::vector<BatchHandles> batches;
    std::vector<StripHandles> strips;  // towards each neighbour, ascending
};

struct Handles {
    std::vector<TileHandles> tiles;
    Data detector;
    Data probe, probe_gradient, probe_gradient_previous, coverage;
    Data state;
    std::vector<Data> records;   // a ring, one per iteration in flight
    std::size_t probe_size = 0;  // elements: modes x y x x
    Shape2 probe_shape;
    int num_modes = 1;
    int num_slices = 1;

    // The memory of every frame, by its index in the scan: to be filled before the first task.
    std::vector<void*> frame_memory(const Problem& problem);
};

// Allocates and registers; fills positions and detector. Needs a running Runtime.
Handles make_handles(const Problem& problem);

// Before the first task of a run.
void set_object(Handles& handles, const Problem& problem, const Array<cfloat, 3>& object);
void set_probe(Handles& handles, const Array<cfloat, 3>& probe);

}  // namespace tessera
