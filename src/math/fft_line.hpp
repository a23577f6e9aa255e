#pragma once

#include <optional>
#include <vector>

#include "math/complex.hpp"

namespace tessera {

// How a one-dimensional transform is split into stages (decimation in frequency): a stage of radix r
// transforms blocks of r * span elements into r blocks of span elements each; the last has span 1.
struct FftStage {
    int radix;
    int span;
    std::vector<cfloat> twiddles;  // exp(-2 pi i j q / (r span)) at j (r - 1) + q - 1, j < span, 0 < q < r
};

struct FftLine {
    int length;
    std::vector<FftStage> stages;  // at least one
    std::vector<int> order;        // of the last stage's blocks: the frequency of a block's first element
};

// exp(-2 pi i numerator / denominator), rounded once.
cfloat root_of_unity(std::ptrdiff_t numerator, std::ptrdiff_t denominator);

// None when a prime factor of `length` is greater than 5.
std::optional<FftLine> make_fft_line(int length);

}  // namespace tessera
