#pragma once

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

struct MomentumArgs {
    std::size_t size = 0;
    double from_velocity = 0, from_update = 0;  // of the value
    double kept = 0, added = 0;                 // of the velocity
    std::int32_t halved_when_cost_rises = 0;    // 1: and then the value stays
    BufferBytes buffer_bytes() const;
};

// With u = value - anchor, what has been added since the last time:
//   value += from_velocity v + from_update u,  v = kept v + added u,  anchor = value.
// Buffers: object or probe RW, anchor RW, velocity v RW, state R. Nothing happens once the state says
// stopped.
extern const Codelet<MomentumArgs> apply_momentum;

// On a device: momentum.cu.
void apply_momentum_device(const MomentumArgs&, const Buffers&, Device&);

}  // namespace tessera
