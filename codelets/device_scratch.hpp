#pragma once

#include <cstddef>

#include "codelets/layout.hpp"

namespace tessera {

// What a run does besides gradients and steps.
struct DeviceScratchUses {
    bool refines_positions = false;
    bool orthogonalizes = false;
    bool supports_spectrum = false;  // of the probe
    bool fits_lights = false;
};

// Scratch memory that device bodies need for batches of up to this shape, on a GPU with a nominal cache (its
// size decides how many frames are worked on at a time).
std::size_t nominal_device_scratch_bytes(const BatchShape& shape, const DeviceScratchUses& uses);

// Has every GPU worker take that memory now, before data fills the device. Nothing without GPUs.
void reserve_device_scratch(const BatchShape& shape, const DeviceScratchUses& uses);

}  // namespace tessera
