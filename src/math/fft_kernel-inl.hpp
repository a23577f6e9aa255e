// One-dimensional transforms of as many sequences at once as a vector has lanes. Compiled once per
// instruction set (Highway's dynamic dispatch): the guard toggles with HWY_TARGET_TOGGLE.
#if defined(TESSERA_MATH_FFT_KERNEL_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_MATH_FFT_KERNEL_INL_HPP
#undef TESSERA_MATH_FFT_KERNEL_INL_HPP
#else
#define TESSERA_MATH_FFT_KERNEL_INL_HPP
#endif

#include "math/fft_butterflies-inl.hpp"
#include "math/fft_line.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

// Elements of the sequences between stages: real parts, then imaginary parts of all lanes.
template <class D>
struct Scratch {
    float* memory;

    static constexpr std::ptrdiff_t step = 2 * hn::MaxLanes(D());  // floats of an element

    HWY_INLINE Split<hn::Vec<D>> load(std::ptrdiff_t i) const {
        const float* at = memory + i * step;
        return {hn::Load(D(), at), hn::Load(D(), at + hn::MaxLanes(D()))};
    }
    HWY_INLINE void store(std::ptrdiff_t i, Split<hn::Vec<D>> x) const {
        float* at = memory + i * step;
        hn::Store(x.re, D(), at);
        hn::Store(x.im, D(), at + hn::MaxLanes(D()));
    }
};

// `in` and `out` load and store elements by their index; both may be the same memory. Copies, not references:
// the compiler would read their members again after every store.
template <int radix, class D, class In, class Out>
HWY_INLINE void stage_sweep(D d, const FftStage& stage, std::ptrdiff_t num_blocks, In in, Out out) {
    const std::ptrdiff_t span = stage.span;
    const cfloat* twiddles = stage.twiddles.data();
    for (std::ptrdiff_t j = 0; j < span; ++j, twiddles += radix - 1) {
        for (std::ptrdiff_t block = 0; block < num_blocks; ++block) {
            const std::ptrdiff_t first = block * radix * span + j;
            Split<hn::Vec<D>> x[radix];
#pragma GCC unroll 16
            for (int q = 0; q < radix; ++q) x[q] = in.load(first + q * span);
            butterfly(d, x);
            out.store(first, x[0]);
#pragma GCC unroll 16
            for (int q = 1; q < radix; ++q) {
                const Split<hn::Vec<D>> twiddle = {hn::Set(d, twiddles[q - 1].re),
                                                   hn::Set(d, twiddles[q - 1].im)};
                out.store(first + q * span, multiply(x[q], twiddle));
            }
        }
    }
}

// The last stage has no factors and puts the frequencies where they belong.
template <int radix, class D, class In, class Out>
HWY_INLINE void last_sweep(D d, const FftLine& line, In in, Out out) {
    const std::ptrdiff_t num_blocks = line.length / radix;
    const int* order = line.order.data();
    for (std::ptrdiff_t block = 0; block < num_blocks; ++block) {
        Split<hn::Vec<D>> x[radix];
#pragma GCC unroll 16
        for (int q = 0; q < radix; ++q) x[q] = in.load(block * radix + q);
        butterfly(d, x);
        const std::ptrdiff_t first = order[block];
#pragma GCC unroll 16
        for (int q = 0; q < radix; ++q) out.store(first + q * num_blocks, x[q]);
    }
}

template <int radix>
struct Radix {
    static constexpr int value = radix;
};

template <class Function>
HWY_INLINE void with_radix(int radix, const Function& function) {
    switch (radix) {
        case 2:
            return function(Radix<2>());
        case 3:
            return function(Radix<3>());
        case 4:
            return function(Radix<4>());
        case 5:
            return function(Radix<5>());
        case 8:
            return function(Radix<8>());
        default:
            return function(Radix<1>());
    }
}

// The unscaled forward transform from `in` to `out`, `line.length` elements of `scratch` in between. `out`
// gets its elements out of order: it may be the memory of `in`, but not the scratch memory.
template <class D, class In, class Out>
void transform_lines(const FftLine& line, const Scratch<D>& scratch, const In& in, const Out& out) {
    const D d;
    const auto& stages = line.stages;
    if (stages.size() == 1) {
        with_radix(stages[0].radix, [&](auto radix) HWY_ATTR { last_sweep<radix.value>(d, line, in, out); });
        return;
    }
    with_radix(stages[0].radix,
               [&](auto radix) HWY_ATTR { stage_sweep<radix.value>(d, stages[0], 1, in, scratch); });
    std::ptrdiff_t num_blocks = stages[0].radix;
    for (std::size_t s = 1; s + 1 < stages.size(); ++s) {
        with_radix(stages[s].radix, [&](auto radix) HWY_ATTR {
            stage_sweep<radix.value>(d, stages[s], num_blocks, scratch, scratch);
        });
        num_blocks *= stages[s].radix;
    }
    with_radix(stages.back().radix,
               [&](auto radix) HWY_ATTR { last_sweep<radix.value>(d, line, scratch, out); });
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#endif
