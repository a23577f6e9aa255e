#include "math/fft_line.hpp"

#include <cmath>
#include <numbers>
#include <utility>

namespace tessera {
namespace {

// Radix 8 needs the fewest sweeps over memory; the power of two that is left over becomes 4, 4 x 4 or 2. The
// widest come last. Empty: not a product of 2, 3 and 5.
std::vector<int> radices_of(int length) {
    std::vector<int> radices;
    for (const int radix : {5, 3}) {
        for (; length % radix == 0; length /= radix) radices.push_back(radix);
    }
    int twos = 0;
    for (; length % 2 == 0; length /= 2) ++twos;
    if (length != 1) return {};
    const int fours = twos % 3 == 2 ? 1 : twos % 3 == 1 && twos > 1 ? 2 : 0;
    if (twos == 1) radices.push_back(2);
    for (int i = 0; i < fours; ++i) radices.push_back(4);
    for (int i = 0; i < (twos - 2 * fours) / 3; ++i) radices.push_back(8);
    if (radices.empty()) radices.push_back(1);
    return radices;
}

}  // namespace

cfloat root_of_unity(std::ptrdiff_t numerator, std::ptrdiff_t denominator) {
    const double angle = -2 * std::numbers::pi * static_cast<double>(numerator % denominator) /
                         static_cast<double>(denominator);
    return {static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))};
}

std::optional<FftLine> make_fft_line(int length) {
    const std::vector<int> radices = radices_of(length);
    if (radices.empty()) return std::nullopt;
    FftLine line{length, {}, {0}};
    int block = length, weight = 1;  // of a stage's digit of the frequency: the product of the radices before
    for (const int radix : radices) {
        FftStage stage{radix, block / radix, {}};
        for (std::ptrdiff_t j = 0; j < stage.span; ++j) {
            for (int q = 1; q < radix; ++q) stage.twiddles.push_back(root_of_unity(j * q, block));
        }
        if (stage.span > 1) {
            std::vector<int> order;
            for (const int first : line.order) {
                for (int q = 0; q < radix; ++q) order.push_back(first + q * weight);
            }
            line.order = std::move(order);
        }
        line.stages.push_back(std::move(stage));
        block /= radix;
        weight *= radix;
    }
    return line;
}

}  // namespace tessera
