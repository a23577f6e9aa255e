#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <string>

#include "math/complex.hpp"
#include "math/fft_simd.hpp"

namespace tessera {

// The two-dimensional transform of frames, single precision, in place.
//
// Scaling is stated here and nowhere else: forward and backward are both *unscaled* sums,
//   forward:  X[q] = sum_r x[r] exp(-2 pi i q.r/M)      backward: with exp(+2 pi i q.r/M),
// so backward(forward(x)) = size() * x, and the unitary transform of the physics is forward / sqrt(size()).
// Callers fold the factor into a neighbouring multiplication. Zero frequency at index 0.
//
// Executing is thread-safe.

// By FFTW, planned by timing. Memory: none of its own.
class FftwPlan {
  public:
    // (y, x). Throws a runtime Error when FFTW cannot plan.
    explicit FftwPlan(std::array<int, 2> shape);
    ~FftwPlan();
    FftwPlan(const FftwPlan&) = delete;
    FftwPlan& operator=(const FftwPlan&) = delete;

    // `wave`: (y, x), 64-byte aligned, or at a whole number of waves behind such an address.
    void forward(cfloat* wave) const;
    void backward(cfloat* wave) const;

  private:
    void* forward_ = nullptr;
    void* backward_ = nullptr;
};

// By our own transform (math/fft_simd.hpp) for the instruction sets and shapes where it is faster, by FFTW
// for all others. Which one follows from the two alone: sides from 24 to 1024, products of 2, 3 and 5, x a
// multiple of 4, on AVX2 or AVX-512.
class FftPlan {
  public:
    explicit FftPlan(std::array<int, 2> shape);  // (y, x)

    // `wave` as above.
    void forward(cfloat* wave) const { own_ ? own_->forward(wave) : library_->forward(wave); }
    void backward(cfloat* wave) const { own_ ? own_->backward(wave) : library_->backward(wave); }

    std::array<int, 2> shape() const { return shape_; }
    std::ptrdiff_t size() const { return static_cast<std::ptrdiff_t>(shape_[0]) * shape_[1]; }
    bool is_own() const { return own_ != nullptr; }

  private:
    std::array<int, 2> shape_;
    std::unique_ptr<SimdFft> own_;  // one of the two
    std::unique_ptr<FftwPlan> library_;
};

// Plans are shared, one per shape and process. FFTW's are chosen by timing once per machine and kept as
// wisdom, so that later runs choose the same plans and repeat bitwise.
const FftPlan& fft_plan(std::array<int, 2> shape);

// Where wisdom is kept: $TESSERA_CACHE, else $XDG_CACHE_HOME/tessera, else ~/.cache/tessera. Unwritable: not
// kept.
std::filesystem::path cache_folder();

// Identifies instruction set, library and chosen plans; equal strings mean bitwise equal transforms.
std::string fft_identity();

}  // namespace tessera
