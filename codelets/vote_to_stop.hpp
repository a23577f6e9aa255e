#pragma once

#include <atomic>
#include <limits>

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

struct VoteToStopArgs {
    const std::atomic<bool>* requested = nullptr;                 // by a signal; null: never
    double deadline_s = std::numeric_limits<double>::infinity();  // of the steady clock
    const std::atomic<bool>* ready_to_checkpoint =
        nullptr;  // for the next phase of a checkpoint; null: never
    bool must_stop() const;
    bool is_ready() const { return ready_to_checkpoint != nullptr && ready_to_checkpoint->load(); }
    BufferBytes buffer_bytes() const { return {sizeof(BatchSums)}; }
};

// One vote more in a tile's sums where this rank has to stop (a signal, its time limit), and one where it is
// ready for the next phase of a checkpoint (tasks/checkpoints.hpp), decided when the task runs: all ranks
// learn it from the same record and act in the same iteration. Buffers: sums RW.
extern const Codelet<VoteToStopArgs> vote_to_stop;

// On a device: vote_to_stop.cu.
void vote_to_stop_device(const VoteToStopArgs&, const Buffers&, Device&);

}  // namespace tessera
