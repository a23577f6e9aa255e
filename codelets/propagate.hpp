#pragma once

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

enum class Direction : std::int32_t { forward, back };

struct PropagateArgs {
    BatchShape shape;
    Direction direction = Direction::forward;
    BufferBytes buffer_bytes() const;
};

// The waves of all frames of a batch from behind the object to the detector, or back, in place, unscaled:
// |wave|^2 times the propagator's scale is the intensity. Far field: one transform a wave; near field: two
// with the transfer function between. A stage of gradient, line_search and fourier_projection. Buffers:
// frames R, detector R, state R, waves RW (frame, wave, y, x). Once the state says stopped CPUs return at
// once, and what devices still make nobody uses.
extern const Codelet<PropagateArgs> propagate;

// On a device: propagate.cu.
void propagate_device(const PropagateArgs&, const Buffers&, Device&);

}  // namespace tessera
