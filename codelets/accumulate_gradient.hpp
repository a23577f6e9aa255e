#pragma once

#include "codelets/gradient.hpp"

namespace tessera {

struct AccumulateGradientArgs {
    BatchShape shape;
    ProbeMotion probe = ProbeMotion::moving;
    BufferBytes buffer_bytes() const;
};

// The last stage of a gradient: what the back-propagated waves chi of a batch's frames add to it,
//   window += sum_k conj(P_k) chi_k,  probe part_k += conj(O(r)) chi_k
// as in gradient.hpp, for an object of one slice. Buffers: frames R, probe R, object R, state R, waves R
// (frame, wave, y, x), out RW. Returns at once when the state says stopped. Cost: no transform; fourier
// interpolation 1 a wave and frame, with a moving probe 2.
extern const Codelet<AccumulateGradientArgs> accumulate_gradient;

// On a device: accumulate_gradient.cu.
void accumulate_gradient_device(const AccumulateGradientArgs&, const Buffers&, Device&);

}  // namespace tessera
