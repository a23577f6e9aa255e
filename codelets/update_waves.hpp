#pragma once

#include "codelets/fourier_projection.hpp"

namespace tessera {

struct UpdateWavesArgs {
    BatchShape shape;
    ProjectionMap map;
    double power_bound = 0;
    ObjectPartial object = ObjectPartial::compute;
    BufferBytes buffer_bytes() const;
};

// The last stage of a projection: the exit waves psi of all frames of a batch one iteration on,
//   psi <- psi_weight psi + overlap P O + fourier w
// with w what came back from project_moduli, and its errors, by which frames within the bound are known (w is
// then what was sent there). Window: numerator and weight of the object of the new waves, when asked for.
// Buffers: frames R, probe R, object R, state R, waves R (as project_moduli leaves them), out RW (layout of
// overlap_out_bytes()), wave RW. Returns at once when the state says stopped. Cost: no transform; fourier
// interpolation 1 a wave and frame.
extern const Codelet<UpdateWavesArgs> update_waves;

// On a device: update_waves.cu.
void update_waves_device(const UpdateWavesArgs&, const Buffers&, Device&);

}  // namespace tessera
