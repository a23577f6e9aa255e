#pragma once

#include <cstdint>

#include "math/complex.hpp"

namespace tessera {

// exp(i pi x). On a GPU without the reduction of large arguments, which is in double precision.
TESSERA_HD cfloat unit_phase(float x) {
#if defined(__CUDA_ARCH__)
    return {::cospif(x), ::sinpif(x)};
#else
    constexpr float pi = 3.14159265358979323846f;
    return {::cosf(pi * x), ::sinf(pi * x)};
#endif
}

// A ramp exp(-2 pi i q f / n), q in the transform's order, has the derivative by f of i times this, times
// itself.
TESSERA_HD float slope_of_ramp(std::int32_t index, std::int32_t count) {
    constexpr float pi = 3.14159265358979323846f;
    const std::int32_t q = index < (count + 1) / 2 ? index : index - count;
    return -2 * pi * static_cast<float>(q) / static_cast<float>(count);
}

}  // namespace tessera
