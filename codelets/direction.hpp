#pragma once

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

enum class MovingPart : std::int32_t { object, probe };

struct DirectionArgs {
    MovingPart part = MovingPart::object;  // whose weight_max the state is asked for
    std::int32_t num_planes = 1;           // slices, each with a weight; modes, which share one
    Shape2 plane;
    double alpha = 0.1;
    BufferBytes buffer_bytes() const;
};

// direction <- beta direction - M gradient, for all slices of an extended tile of the object or all modes of
// the probe. Buffers: object or probe RW, gradient R, weight R, state R. Nothing happens once the state says
// stopped.
extern const Codelet<DirectionArgs> direction;

struct StepArgs {
    std::size_t size = 0;
    MovingPart part = MovingPart::object;  // whose step of the state
    BufferBytes buffer_bytes() const { return {moving_field_bytes(size), sizeof(IterationState)}; }
};

// value += step direction, with the step of the state or its probe_step. Buffers: object or probe RW, state
// R.
extern const Codelet<StepArgs> step;

// On a device: direction.cu.
void direction_device(const DirectionArgs&, const Buffers&, Device&);
void step_device(const StepArgs&, const Buffers&, Device&);

}  // namespace tessera
