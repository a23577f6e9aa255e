#pragma once

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

}  // namespace tessera
