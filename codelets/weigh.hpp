#pragma once

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

// The preconditioner's weights, from sums made by `illumination`.

struct WeighObjectArgs {
    Shape2 tile;
    std::int32_t num_planes = 1;
    BufferBytes buffer_bytes() const {
        return {field_bytes(tile, num_planes), weight_bytes(tile, num_planes), sizeof(BatchSums)};
    }
};

// illumination = Re(field), and its maximum over all planes into the tile's sums. Buffers: field R,
// illumination W, sums RW.
extern const Codelet<WeighObjectArgs> weigh_object;

struct WeighProbeArgs {
    Shape2 probe;
    std::size_t probe_size = 0;
    BufferBytes buffer_bytes() const {
        return {sums_bytes(probe_size), weight_bytes(probe), sizeof(IterationState)};
    }
};

// coverage = Re(first plane of the probe part), both maxima into the state. Buffers: sums R (total), coverage
// W, state RW.
extern const Codelet<WeighProbeArgs> weigh_probe;

// On a device: weigh.cu.
void weigh_object_device(const WeighObjectArgs&, const Buffers&, Device&);
void weigh_probe_device(const WeighProbeArgs&, const Buffers&, Device&);

}  // namespace tessera
