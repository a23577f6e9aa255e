#pragma once

#include <array>

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

struct SaveArgs {
    std::array<std::size_t, 3> bytes = {0, 0, 0};  // of the three sources; multiples of 64
    std::size_t total() const { return bytes[0] + bytes[1] + bytes[2]; }
    BufferBytes buffer_bytes() const {
        return {bytes[0], bytes[1], bytes[2], sizeof(IterationState), total()};
    }
};

// saved = three sources, one after the other, unless the state says stopped: what was saved last is then from
// the last iteration that began. Buffers: sources R, R, R, state R, saved RW.
extern const Codelet<SaveArgs> save;

// On a device: save.cu.
void save_device(const SaveArgs&, const Buffers&, Device&);

}  // namespace tessera
