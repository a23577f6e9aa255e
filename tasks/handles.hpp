#pragma once

#include <vector>

#include "codelets/accumulate.hpp"
#include "codelets/layout.hpp"
#include "codelets/refine_positions.hpp"
#include "codelets/runtime/data.hpp"
#include "scan/frame_sums.hpp"
#include "tasks/halo_exchange.hpp"
#include "tasks/pattern_stream.hpp"
#include "tasks/problem.hpp"
#include "tasks/tile_sums.hpp"

namespace tessera {

// All data of a reconstruction in one rank, as tasks see it (contents: codelets/layout.hpp).

struct BatchHandles {
    BatchShape shape;
    bool reaches_neighbour = false, is_own = true;
    int minibatch = 0;
    std::size_t place = 0;                           // among the tile's batches of this mini-batch
    Data patterns;                                   // empty when they are read again in every pass
    const std::ptrdiff_t* frames_in_scan = nullptr;  // shape.num_frames indices, of the problem's tiling
    Data frames;
    Data waves;  // kept far fields, or exit waves; empty when neither is kept
    bool waves_are_written = false;
    Data frame_errors;             // double (frame), written by the final evaluation; only of own frames
    std::int32_t first_place = 0;  // of its frames, among the tile's
};

// The frames of a mini-batch that light some of an extended tile, of whichever tile they are.
struct MinibatchHandles {
    Data frames;  // MinibatchFrame (frame), by ascending index in the scan
    std::int32_t num_frames = 0;
};

struct TileHandles {
    Shape2 shape;  // extended
    Strip interior;
    // Empty where the tile is another rank's; gradient_own also where tiles do not add up theirs.
    Data object, gradient_own, gradient, gradient_previous, illumination;
    std::vector<Data> out;  // a ring: batch b uses slot b mod its size
    std::vector<BatchHandles> batches;
    // Empty unless an engine of the run needs them.
    std::vector<MinibatchHandles> minibatches;
    std::vector<Data> residuals;  // of the mini-batch under way: of each batch, by its place
    Data anchor;                  // the object's value when momentum was used last
    Data places;                  // FramePlace (frame), batch after batch, where positions are refined
    Data lights;                  // of each frame, batch after batch, where the probe varies

    const Data& batch_sum() const { return gradient_own.empty() ? gradient : gradient_own; }
};

// The waves of a batch between the stages of an operation (frame, wave, y, x), and a number for each frame
// behind them, as in a residual.
struct StageWaves {
    Data here, along, along_twice;  // those along the directions are empty unless there are line searches
};

struct Handles {
    Owners owners;
    std::vector<TileHandles> tiles;       // of all ranks
    std::vector<std::size_t> own;         // indices of this rank's
    HaloExchange halos, overlap_halos;    // of a gradient; of an overlap projection's numerator and weight
    HaloExchange couplings;               // of voxels changed by what is around them; none where none are
    TileSums sums, trial_sums;            // with and without a probe part
    std::size_t summed_probe_size = 0;    // of that
    PatternStream stream;                 // of patterns that do not stay
    std::vector<StageWaves> stage_waves;  // a ring for the batches of all tiles; empty: operations are fused
    Data detector;
    Data probe, probe_gradient, probe_gradient_previous, coverage;
    Data probe_anchor;  // empty unless an engine of the run has momentum
    Data light_turn;    // empty unless the probe varies
    Data background;    // float (y, x), as the detector has it; empty unless it is refined
    Data state;
    std::vector<Data> records;   // a ring, one per iteration in flight
    std::size_t probe_size = 0;  // elements: modes x y x x
    Shape2 probe_shape, detector_shape;
    int num_modes = 1;
    int num_planes = 1;  // of the object: modes or slices (codelets/layout.hpp)
    int num_slices = 1, num_object_modes = 1;
    int num_opr_modes = 0;
    std::vector<double> frames_in_minibatch;  // over all tiles of all ranks
    std::ptrdiff_t num_frames = 0;            // of all ranks
    ScanMoments scan_moments;
    double max_shift_px = 0;  // of frames whose positions are refined

    // Where this rank's tiles want frames, null for those that do not stay: to be filled before the first
    // task.
    FrameDestinations frame_memory(const Problem& problem);
};

// Allocates and registers this rank's; fills positions and detector. Needs a running Runtime. `problem`,
// `ranks` and `source` are kept; frames that do not stay come from `source`, which may be null when all do.
Handles make_handles(const Problem& problem, const Ranks& ranks, const FrameSource* source = nullptr);

// Before the first task of a run.
void set_object(Handles& handles, const Problem& problem, const std::filesystem::path& run_folder);
// And the eigen-probes that a variable probe begins with.
void set_probe(Handles& handles, const Problem& problem, const Array<cfloat, 3>& probe);
// Frames to where their places say, and lit as the tile's lights say.
void set_frames(TileHandles& tile);
void set_lights(TileHandles& tile);
// The detector has the noted background.
void set_background(Handles& handles);

}  // namespace tessera
