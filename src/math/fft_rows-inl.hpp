// One-dimensional transforms of rows, whose elements lie side by side in memory. Compiled once per
// instruction set (Highway's dynamic dispatch): the guard toggles with HWY_TARGET_TOGGLE.
#if defined(TESSERA_MATH_FFT_ROWS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_MATH_FFT_ROWS_INL_HPP
#undef TESSERA_MATH_FFT_ROWS_INL_HPP
#else
#define TESSERA_MATH_FFT_ROWS_INL_HPP
#endif

#include <algorithm>

#include "base/array.hpp"
#include "math/fft_kernel-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

#if HWY_TARGET != HWY_SCALAR  // which has no pairs of lanes

enum class Direction { forward, backward };

// From two vectors of interleaved complex numbers to their real and imaginary parts, and back: lanes 2i of
// the parts belong to the first vector, lanes 2i + 1 to the second. The backward transform is the forward one
// with real and imaginary parts exchanged.
template <Direction direction, class V>
HWY_INLINE Split<V> split_pair(V first, V second) {
    const V re = hn::OddEven(hn::Shuffle2301(second), first);
    const V im = hn::OddEven(second, hn::Shuffle2301(first));
    if constexpr (direction == Direction::forward) return {re, im};
    return {im, re};
}

// A pair of places per element, in memory of the frame.
template <class D, Direction direction>
struct Pairs {
    cfloat* first;
    cfloat* second;
    std::ptrdiff_t stride;

    HWY_INLINE Split<hn::Vec<D>> load(std::ptrdiff_t i) const {
        return split_pair<direction>(hn::LoadU(D(), &first[i * stride].re),
                                     hn::LoadU(D(), &second[i * stride].re));
    }
    HWY_INLINE void store(std::ptrdiff_t i, Split<hn::Vec<D>> x) const {
        const auto pair = split_pair<Direction::forward>(direction == Direction::forward ? x.re : x.im,
                                                         direction == Direction::forward ? x.im : x.re);
        hn::StoreU(pair.re, D(), &first[i * stride].re);
        hn::StoreU(pair.im, D(), &second[i * stride].re);
    }
};

// Exchanges lane pairs with vectors: pair i of x[j] becomes pair j of x[i]. One bit of i and j a step: pairs
// within a block of 128 bits, halves of the vector, neighbouring blocks.
template <class D>
HWY_INLINE void transpose_pairs(D d, hn::Vec<D> (&x)[hn::MaxLanes(D()) / 2]) {
    constexpr int size = hn::MaxLanes(D()) / 2;
    const hn::Repartition<double, D> pairs;
    hn::Vec<decltype(pairs)> rows[size], out[size];
#pragma GCC unroll 16
    for (int i = 0; i < size; i += 2) {
        const auto even = hn::BitCast(pairs, x[i]), odd = hn::BitCast(pairs, x[i + 1]);
        rows[i] = hn::InterleaveLower(pairs, even, odd);
        rows[i + 1] = hn::InterleaveUpper(pairs, even, odd);
    }
    if constexpr (size > 2) {
#pragma GCC unroll 16
        for (int i = 0; i < size / 2; ++i) {
            out[i] = hn::ConcatLowerLower(pairs, rows[i + size / 2], rows[i]);
            out[i + size / 2] = hn::ConcatUpperUpper(pairs, rows[i + size / 2], rows[i]);
        }
#pragma GCC unroll 16
        for (int i = 0; i < size; ++i) rows[i] = out[i];
    }
    if constexpr (size > 4) {
#pragma GCC unroll 16
        for (int j = 0; j < size / 2; ++j) {
            const int i = j / 2 * 4 + j % 2;
            out[i] = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(rows[i + 2]), rows[i]);
            out[i + 2] = hn::OddEvenBlocks(rows[i + 2], hn::SwapAdjacentBlocks(rows[i]));
        }
#pragma GCC unroll 16
        for (int i = 0; i < size; ++i) rows[i] = out[i];
    }
#pragma GCC unroll 16
    for (int i = 0; i < size; ++i) x[i] = hn::BitCast(d, rows[i]);
}

// Where the first transforms of two rows go: each element times a factor for every lane.
template <class D>
struct Weighted {
    Scratch<D> scratch;
    const float* factors;

    HWY_INLINE void store(std::ptrdiff_t i, Split<hn::Vec<D>> x) const {
        const float* at = factors + i * Scratch<D>::step;
        scratch.store(i, multiply(x, {hn::Load(D(), at), hn::Load(D(), at + hn::MaxLanes(D()))}));
    }
};

// Two rows at a time, each seen as an array (inner, width) whose rows fill half a vector: transform down its
// columns, multiply by exp(-2 pi i j k / length), exchange the axes, and transform down the columns again.
template <class D>
class RowTransform {
  public:
    static constexpr std::ptrdiff_t width = hn::MaxLanes(D()) / 2;

    // `length`: a multiple of width and a product of 2, 3 and 5.
    explicit RowTransform(int length)
        : inner_(*make_fft_line(length / static_cast<int>(width))),
          factors_({inner_.length * Scratch<D>::step}) {
        for (std::ptrdiff_t k = 0; k < inner_.length; ++k) {
            float* at = factors_.data() + k * Scratch<D>::step;
            for (std::ptrdiff_t lane = 0; lane < 2 * width; ++lane) {
                const cfloat factor = root_of_unity(k * (lane / 2), length);
                at[lane] = factor.re;
                at[2 * width + lane] = factor.im;
            }
        }
    }

    std::ptrdiff_t scratch_floats() const { return 2 * inner_.length * Scratch<D>::step; }

    // The two rows may be one and the same.
    template <Direction direction>
    void run(cfloat* first, cfloat* second, float* memory) const {
        const std::ptrdiff_t length = inner_.length, whole = length / width * width;
        const Scratch<D> scratch{memory}, between{memory + length * Scratch<D>::step};
        transform_lines(inner_, scratch, Pairs<D, direction>{first, second, width},
                        Weighted<D>{between, factors_.data()});
        const Pairs<D, direction> rows{first, second, length};
        if (whole < length) rest_block(rows, between, whole);
        for (std::ptrdiff_t k = 0; k < whole; k += width) whole_block(rows, between, k);
    }

  private:
    // The second transforms of elements [k, k + width), `valid` of which exist; the others are anything
    // finite.
    static HWY_INLINE void across(Scratch<D> from, std::ptrdiff_t k, std::ptrdiff_t valid,
                                  Split<hn::Vec<D>> (&x)[width]) {
        hn::Vec<D> re[width], im[width];
#pragma GCC unroll 16
        for (std::ptrdiff_t i = 0; i < width; ++i) {
            const auto element = from.load(k + (i < valid ? i : 0));
            re[i] = element.re;
            im[i] = element.im;
        }
        transpose_pairs(D(), re);
        transpose_pairs(D(), im);
#pragma GCC unroll 16
        for (std::ptrdiff_t i = 0; i < width; ++i) x[i] = {re[i], im[i]};
        butterfly(D(), x);
    }

    template <Direction direction>
    static HWY_INLINE void whole_block(Pairs<D, direction> rows, Scratch<D> from, std::ptrdiff_t k) {
        Split<hn::Vec<D>> x[width];
        across(from, k, width, x);
        rows.first += k;
        rows.second += k;
#pragma GCC unroll 16
        for (std::ptrdiff_t i = 0; i < width; ++i) rows.store(i, x[i]);
    }

    // Comes before the whole blocks: within the row it stores whole vectors, and what these write behind
    // their valid elements is written again later.
    template <Direction direction>
    static void rest_block(Pairs<D, direction> rows, Scratch<D> from, std::ptrdiff_t k) {
        Split<hn::Vec<D>> x[width];
        const std::ptrdiff_t length = rows.stride, valid = length - k;
        across(from, k, valid, x);
        rows.first += k;
        rows.second += k;
#pragma GCC unroll 16
        for (std::ptrdiff_t i = 0; i < width; ++i) {
            if (i * length + k + width <= width * length) {
                rows.store(i, x[i]);
                continue;
            }
            HWY_ALIGN cfloat first[width], second[width];
            Pairs<D, direction>{first, second, 0}.store(0, x[i]);
            std::copy_n(first, valid, rows.first + i * length);
            std::copy_n(second, valid, rows.second + i * length);
        }
    }

    FftLine inner_;
    Array<float, 1> factors_;
};

#endif  // HWY_TARGET

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#endif
