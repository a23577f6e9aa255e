#pragma once

#include "codelets/gradient.hpp"

namespace tessera {

struct CompareTrialsArgs {
    BatchShape shape;
    KeptWaves waves = KeptWaves::none;  // as in line_search.hpp
    ProbeMotion probe = ProbeMotion::moving;
    BufferBytes buffer_bytes() const;
};

// The last stage of a line search: the far fields A + s B + s^2 C of all frames of a batch against their
// counts at step 0 and at num_trials steps. BatchSums += trial_cost. With a fixed probe C is not looked at.
// Buffers of compare_trials: patterns R, frames R, detector R, state R, out RW, A R, B R, C R, each (frame,
// wave, y, x). Kept waves: A is theirs, and B and C go there. Buffers of compare_trials_keeping: patterns R,
// frames R, detector R, state R, out RW, wave RW, B R, C R. Returns at once when the state says stopped.
// Cost: about 100 flops a pixel.
extern const Codelet<CompareTrialsArgs> compare_trials;
extern const Codelet<CompareTrialsArgs> compare_trials_keeping;

// On a device: compare_trials.cu.
void compare_trials_device(const CompareTrialsArgs&, const Buffers&, Device&);

}  // namespace tessera
