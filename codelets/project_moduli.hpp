#pragma once

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

struct ProjectModuliArgs {
    BatchShape shape;
    double power_bound = 0;  // as in fourier_projection.hpp
    BufferBytes buffer_bytes() const;
};

// The stage of a projection at the detector: the far fields of all frames of a batch get the measured moduli,
// all but those whose mean squared error is within the bound, and the propagator's scale, ready to be
// propagated back. The errors are written behind the waves, where a residual has its steps
// (codelets/layout.hpp). BatchSums += bad_frames. Buffers: patterns R, detector R, state R, out RW, waves RW.
// Returns at once when the state says stopped. Cost: about 30 flops a pixel.
extern const Codelet<ProjectModuliArgs> project_moduli;

// On a device: project_moduli.cu.
void project_moduli_device(const ProjectModuliArgs&, const Buffers&, Device&);

}  // namespace tessera
