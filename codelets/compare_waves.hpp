#pragma once

#include "codelets/gradient.hpp"

namespace tessera {

// What becomes of the far fields: df/dPsi* of a gradient, or nothing, when only the cost of an overlap
// projection is asked for.
enum class Comparison : std::int32_t { derivative, overlap_cost };

struct CompareWavesArgs {
    BatchShape shape;
    Comparison comparison = Comparison::derivative;
    KeptWaves waves = KeptWaves::none;
    BufferBytes buffer_bytes() const;
};

// The stage of a gradient (or of a projection's cost) at the detector: the far fields of all frames of a
// batch against their counts. BatchSums += cost, squared_error and, with `derivative`, bad_frames; waves
// times the derivative's factor and the propagator's scale, ready to be propagated back. Kept waves as in
// gradient.hpp: with refresh, A is stored before; with advance, the waves are made here from A, B and C,
// whatever was there; with residual, the step of each far field is written behind the waves (residual in
// codelets/layout.hpp). The cost of an overlap projection is that of the amplitude model. Buffers: patterns
// R, frames R, detector R, state R, waves RW (frame, wave, y, x), out RW [, wave RW]. Returns at once when
// the state says stopped. Cost: about 25 flops a pixel.
extern const Codelet<CompareWavesArgs> compare_waves;
extern const Codelet<CompareWavesArgs> compare_waves_keeping;

// On a device: compare_waves.cu.
void compare_waves_device(const CompareWavesArgs&, const Buffers&, Device&);

}  // namespace tessera
