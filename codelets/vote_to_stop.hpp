#pragma once

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

struct VoteToStopArgs {
    BufferBytes buffer_bytes() const { return {sizeof(BatchSums)}; }
};

// One vote more in a tile's sums: a rank that has to stop (a signal, its time limit) tells all others, who
// learn it from the same record. Buffers: sums RW.
extern const Codelet<VoteToStopArgs> vote_to_stop;

// On a device: vote_to_stop.cu.
void vote_to_stop_device(const VoteToStopArgs&, const Buffers&, Device&);

}  // namespace tessera
