#pragma once

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

struct EvaluateArgs {
    BatchShape shape;
    BufferBytes buffer_bytes() const;
};

// Cost and squared error of a batch, and of each of its frames, without a gradient: the end of a run.
// Buffers: patterns R, frames R, detector R, probe R, object R, out W (only its BatchSums), frame errors W:
// sum m (sqrt(I) - sqrt(d))^2 of each frame, double (frame). Cost: 1 transform a wave and frame,
// 2 more for every further slice.
extern const Codelet<EvaluateArgs> evaluate;

// On a device: evaluate.cu.
void evaluate_device(const EvaluateArgs&, const Buffers&, Device&);

}  // namespace tessera
