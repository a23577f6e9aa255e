#pragma once

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

enum class Averaging : std::int32_t { off, on, last };  // last: the value becomes the mean

struct AverageArgs {
    std::size_t size = 0;
    Averaging averaging = Averaging::on;
    BufferBytes buffer_bytes() const { return {moving_field_bytes(size), sizeof(IterationState)}; }
};

// The mean of an object or probe over the last iterations of an engine that needs no direction: its sum takes
// the direction's place, and at the end its mean the value's. How many there are so far is in the state.
// Buffers: object or probe RW, state R.
extern const Codelet<AverageArgs> average;

// On a device: average.cu.
void average_device(const AverageArgs&, const Buffers&, Device&);

}  // namespace tessera
