#pragma once

#include <atomic>

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"
#include "scan/frame_source.hpp"

namespace tessera {

struct LoadFramesArgs {
    BatchShape shape;
    const FrameSource* source = nullptr;
    const std::ptrdiff_t* frames = nullptr;  // shape.num_frames indices into the scan, in the batch's order
    const std::atomic<bool>* is_abandoned = nullptr;
    BufferBytes buffer_bytes() const;
};

// The patterns of a batch, read from the scan once more. Buffer: patterns W. On the CPU, also where GPUs
// compute. Returns at once, with whatever the buffer held, when nobody wants the frames any more.
extern const Codelet<LoadFramesArgs> load_frames;

}  // namespace tessera
