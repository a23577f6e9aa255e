#pragma once

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

struct IlluminationArgs {
    BatchShape shape;
    BufferBytes buffer_bytes() const;
};

// What the preconditioner is made of: window += sum_k |u_k,l|^2 (illumination A_l of the object's slices;
// u_k,l is the probe mode P_k after free space up to slice l, P_k itself in the first and in modes of the
// object), first plane of the probe part += |O_0(r)|^2 (coverage C of the probe, by the first slice, or the
// sum over modes), both as real parts, taken at the whole pixel below each position: the preconditioner only
// has to be close. Buffers: frames R, detector R
// (slice transfers), probe R, object R, state R, out W. Returns with out cleared when stopped. Cost: no
// transform with one slice, 2 a mode (and batch, not frame) for every further slice.
extern const Codelet<IlluminationArgs> illumination;

// On a device: illumination.cu.
void illumination_device(const IlluminationArgs&, const Buffers&, Device&);

}  // namespace tessera
