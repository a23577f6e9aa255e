#pragma once

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

// How a batch uses its kept far fields.
enum class KeptWaves : std::int32_t {
    none,      // recompute: nothing is kept
    refresh,   // A is computed and stored
    advance,   // A += s B + s^2 C with the step taken since: no forward transforms
    residual,  // not far fields: what comes back from them, chi, is stored, for least_squares
};

enum class ProbeMotion : std::int32_t { fixed, moving };

struct GradientArgs {
    BatchShape shape;
    KeptWaves waves = KeptWaves::none;
    ProbeMotion probe = ProbeMotion::moving;
    BufferBytes buffer_bytes() const;
};

// The gradient of the cost over the frames of one batch (design of the noise models:
// pixel/noise_model-inl.hpp):
//   psi_k = P_k O(r),  Psi_k = F psi_k,  I = sum_k |Psi_k|^2 + b,  chi_k = F^-1 (df/dPsi*_k)
//   window += sum_k conj(P_k) chi_k,  probe part_k += conj(O(r)) chi_k,  BatchSums: cost, squared_error,
//   bad_frames
// Objects of several slices (codelets/frame_model-inl.hpp has the walk through them): the window is (slice,
// y, x); no division by their number. Kept waves are for one slice. Objects with modes: waves psi_mk = P_k
// O_m, window (mode, y, x) of sum_k, probe parts of sum_m. With `residual` the last buffer gets chi of every
// frame and the step of its far field along chi: 1 for the amplitude model, which chi corrects in full; of
// the poisson model Newton's. Buffers: patterns R, frames R, detector R, probe R, object R, state R, out W
// (overwritten) [, wave RW or residual RW]. Returns at once, with out cleared, when the state says stopped.
// Cost: 2 transforms a wave and frame (near field 4; fourier interpolation 2 more; kept waves 1 less; every
// further slice 4 more), about 60 flops a pixel.
extern const Codelet<GradientArgs> gradient;
extern const Codelet<GradientArgs> gradient_keeping_waves;

// On a device: gradient.cu.
void gradient_device(const GradientArgs&, const Buffers&, Device&);

}  // namespace tessera
