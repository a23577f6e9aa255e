#pragma once

#include "codelets/accumulate.hpp"
#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

struct CoupleSlicesArgs {
    Shape2 tile;
    Strip interior;
    std::int32_t num_slices = 2;
    float strength = 0;  // R, from 0 to 1
    BufferBytes buffer_bytes() const {
        return {moving_field_bytes(volume(tile, num_slices)), sizeof(IterationState)};
    }
};

// Pulls the slices of an object together where data do not tell them apart: frequencies in the missing wedge,
// coarse in the plane and fine along the beam, lose the share `damping` (codelets/slice_coupling.hpp; the
// weight of PtychoShelves' regularize_layers). Filtered is log O, amplitude and phase alike, by cosines along
// the slices and transforms in the plane; what the slices of a pixel multiply up to stays what it is, and
// with it the answer of a thin object. All of the extended tile takes part, its interior is changed. What
// lies beyond the tile is missing, to which the filter reaches by exp(-0.2 r) at r pixels. Buffers: object
// RW, state R. Nothing happens once the state says stopped. Cost: 2 (L - 1) transforms of the padded tile, 2
// L (L - 1) products a pixel.
extern const Codelet<CoupleSlicesArgs> couple_slices;

// Pixels of the scratch that it takes.
std::size_t couple_slices_scratch(Shape2 tile, std::int32_t num_slices);

// On a device: couple_slices.cu.
void couple_slices_device(const CoupleSlicesArgs&, const Buffers&, Device&);

}  // namespace tessera
