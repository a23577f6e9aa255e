#pragma once

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

struct RecordArgs {
    BufferBytes buffer_bytes() const { return {sizeof(IterationState), sizeof(IterationState)}; }
};

// The iteration's record for the host: the state with the time. Buffers: state R, record W.
extern const Codelet<RecordArgs> record;

// On a device: record.cu.
void record_device(const RecordArgs&, const Buffers&, Device&);

}  // namespace tessera
