#pragma once

#include <array>
#include <filesystem>
#include <string>

#include "math/complex.hpp"

namespace tessera {

// The two-dimensional transform of frames, single precision, in place, by FFTW.
//
// Scaling is stated here and nowhere else: forward and backward are both *unscaled* sums,
//   forward:  X[q] = sum_r x[r] exp(-2 pi i q.r/M)      backward: with exp(+2 pi i q.r/M),
// so backward(forward(x)) = size() * x, and the unitary transform of the physics is forward / sqrt(size()).
// Callers fold the factor into a neighbouring multiplication. Zero frequency at index 0.
//
// Executing is thread-safe. Plans are shared: fft_plan() makes one per shape and process. Memory: none of its
// own.
class FftPlan {
  public:
    explicit FftPlan(std::array<int, 2> shape);  // (y, x)
    ~FftPlan();
    FftPlan(const FftPlan&) = delete;
    FftPlan& operator=(const FftPlan&) = delete;

    // `wave`: (y, x), 64-byte aligned, or at a whole number of waves behind such an address.
    void forward(cfloat* wave) const;
    void backward(cfloat* wave) const;

    std::array<int, 2> shape() const { return shape_; }
    std::ptrdiff_t size() const { return static_cast<std::ptrdiff_t>(shape_[0]) * shape_[1]; }

  private:
    std::array<int, 2> shape_;
    void* forward_ = nullptr;
    void* backward_ = nullptr;
};

// Plans are chosen by timing once per machine and kept as FFTW wisdom, so that later runs choose the same
// plans and repeat bitwise. Throws a runtime Error when FFTW cannot plan.
const FftPlan& fft_plan(std::array<int, 2> shape);

// Where wisdom is kept: $TESSERA_CACHE, else $XDG_CACHE_HOME/tessera, else ~/.cache/tessera. Unwritable: not
// kept.
std::filesystem::path cache_folder();

// Identifies library and chosen plans; equal strings mean bitwise equal transforms.
std::string fft_identity();

}  // namespace tessera
