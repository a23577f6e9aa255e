#pragma once

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

struct IlluminationArgs {
    BatchShape shape;
    BufferBytes buffer_bytes() const;
};

// What the preconditioner is made of: window += sum_k |P_k|^2 (illumination A of the object), first plane of
// the probe part += |O(r)|^2 (coverage C of the probe), both as real parts, taken at the whole pixel below
// each position: the preconditioner only has to be close. Buffers: frames R, probe R, object R, state R, out
// W. Returns with out cleared when stopped. Cost: no transform.
extern const Codelet<IlluminationArgs> illumination;

// On a device: illumination.cu.
void illumination_device(const IlluminationArgs&, const Buffers&, Device&);

}  // namespace tessera
