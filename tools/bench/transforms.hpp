#pragma once

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera::bench {

struct TransformsArgs {
    BatchShape shape;
    std::int32_t times = 1;
    BufferBytes buffer_bytes() const { return {sizeof(float)}; }
};

// The floor: `times` transforms, forward and back in turn, of every mode of every frame, and nothing else. On
// a CPU by FFTW with a frame's data in cache, on a GPU by cuFFT with as many frames at a time as the codelets
// take. Buffers: one number W.
extern const Codelet<TransformsArgs> transforms;
void transforms_device(const TransformsArgs& args, const Buffers& buffers, Device& device);

}  // namespace tessera::bench
