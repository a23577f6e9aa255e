#pragma once

#include "codelets/average.hpp"
#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

struct BeginProjectionArgs {
    std::int32_t iteration = 0;
    Averaging averaging = Averaging::off;
    BufferBytes buffer_bytes() const { return {sizeof(BatchSums), sizeof(IterationState)}; }
};

// An iteration of an engine that projects waves begins: the votes decide whether it happens at all, before
// anything has changed. Buffers: sums R (total, only votes), state RW.
extern const Codelet<BeginProjectionArgs> begin_projection;

struct NoteCostArgs {
    BufferBytes buffer_bytes() const { return {sizeof(BatchSums), sizeof(IterationState)}; }
};

// Cost and squared error of P O before the iteration into the state; a frame that is not finite stops the
// run. Buffers: sums R (total), state RW.
extern const Codelet<NoteCostArgs> note_cost;

// On a device: projection_record.cu.
void begin_projection_device(const BeginProjectionArgs&, const Buffers&, Device&);
void note_cost_device(const NoteCostArgs&, const Buffers&, Device&);

}  // namespace tessera
