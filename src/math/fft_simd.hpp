#pragma once

#include <array>
#include <memory>
#include <string>

#include "math/complex.hpp"

namespace tessera {

// Our own two-dimensional transform, compiled for AVX2 and AVX-512; scaling as stated in math/fft.hpp.
// Nothing in it is chosen by timing: results repeat bitwise on one instruction set, wherever the wave lies in
// memory.
class SimdFft {
  public:
    virtual ~SimdFft() = default;
    // `wave`: (y, x), in place. Thread-safe. What is in between is kept in memory of the calling thread, of
    // the size of 16 columns.
    virtual void forward(cfloat* wave) const = 0;
    virtual void backward(cfloat* wave) const = 0;
};

// For the best instruction set of this machine at the time of the call. None on other instruction sets, when
// a side is not a product of 2, 3 and 5, or when x is not a multiple of 4.
std::unique_ptr<SimdFft> make_simd_fft(std::array<int, 2> shape);

// Highway's name of the instruction set that make_simd_fft() looks for.
std::string simd_fft_target();

}  // namespace tessera
