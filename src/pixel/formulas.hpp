#pragma once

#include "math/complex.hpp"
#include "math/host_device.hpp"

// Every per-pixel formula for scalars: float in GPU kernels, double in strict tests. The SIMD form of the
// same text is pixel/simd_formulas-inl.hpp. A new formula file is listed in both.
namespace tessera::pixel {

#include "pixel/field_update-inl.hpp"
#include "pixel/line_polynomial-inl.hpp"
#include "pixel/noise_model-inl.hpp"
#include "pixel/object_constraints-inl.hpp"
#include "pixel/projection-inl.hpp"

}  // namespace tessera::pixel
