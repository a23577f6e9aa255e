#pragma once

#include "codelets/gradient.hpp"

namespace tessera {

// The gradient by on-chip kernels where the batch asks for them, fits and keeps no waves, and the device has
// the memory: true, and all is done. Otherwise nothing is.
bool gradient_on_chip(const GradientArgs& args, const Buffers& buffers, Device& device);

}  // namespace tessera
