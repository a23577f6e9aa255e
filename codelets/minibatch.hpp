#pragma once

#include "codelets/gradient.hpp"
#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

// What engines need that update object and probe after each mini-batch of frames (tiling/minibatches.hpp).

// Whose light and object the update's weights are: the mini-batch's, by minibatch_weights, or all frames', by
// `illumination` and weigh.hpp.
enum class Weights : std::int32_t { of_minibatch, of_all };

// What the largest |O|^2 is taken over, for the probe's weight.
enum class ObjectNorm : std::int32_t { of_minibatch, of_object };

struct MinibatchWeightsArgs {
    std::int32_t num_frames = 0;  // whose windows reach into the extended tile
    std::int32_t num_modes = 1;
    Shape2 probe, tile;
    std::int32_t interior_y = 0, interior_x = 0;  // the interior in the extended tile
    Shape2 interior;
    ObjectNorm norm = ObjectNorm::of_minibatch;
    std::size_t probe_size() const { return static_cast<std::size_t>(num_modes) * probe.area(); }
    BufferBytes buffer_bytes() const;
};

// Light and object in a mini-batch: illumination = sum_jk |P_k|^2 over all frames whose windows reach into
// the extended tile, of whichever tile they are, so that nothing has to be exchanged; its largest value in
// the interior into the tile's sums. Coverage, behind the sums' probe part, += sum_j |O(r_j)|^2 over the
// tile's own frames; with ObjectNorm::of_object also the largest |O|^2 of the interior into the sums. Both at
// the whole pixel below each position. Frames add in their order, the same in every tile: where tiles overlap
// they get the same bits. Buffers: frames R (MinibatchFrame), probe R, object R, state R, illumination W,
// sums RW.
extern const Codelet<MinibatchWeightsArgs> minibatch_weights;

struct BeginMinibatchArgs {
    std::int32_t iteration = 0;
    std::int32_t is_first = 0;  // of the iteration
    ProbeMotion probe = ProbeMotion::moving;
    std::int32_t num_modes = 1;
    Shape2 probe_shape;
    Weights weights = Weights::of_minibatch;
    ObjectNorm norm = ObjectNorm::of_minibatch;
    double num_frames = 0;  // in the mini-batch, over all tiles
    double object_step = 1, probe_step = 1;
    double tolerance = 0;
    std::size_t probe_size() const { return static_cast<std::size_t>(num_modes) * probe_shape.area(); }
    BufferBytes buffer_bytes() const;
};

// From what has been summed over the tiles to what the update needs: the probe's gradient and the steps, and
// of the mini-batch's own weights the coverage and the largest ones. The cost of the iteration is the sum
// over its mini-batches, each before its update. What ends a run is noticed in the first of an iteration,
// before it changes anything: votes, and whether the last iteration's cost fell enough; numbers that are not
// finite in each. Buffers: sums R (total), probe gradient W, coverage RW, state RW.
extern const Codelet<BeginMinibatchArgs> begin_minibatch;

// On a device: minibatch.cu.
void minibatch_weights_device(const MinibatchWeightsArgs&, const Buffers&, Device&);
void begin_minibatch_device(const BeginMinibatchArgs&, const Buffers&, Device&);

}  // namespace tessera
