// Discrete transforms of 1 to 8 vectors of complex numbers in registers, lane by lane. Compiled once per
// instruction set (Highway's dynamic dispatch): the guard toggles with HWY_TARGET_TOGGLE.
#if defined(TESSERA_MATH_FFT_BUTTERFLIES_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_MATH_FFT_BUTTERFLIES_INL_HPP
#undef TESSERA_MATH_FFT_BUTTERFLIES_INL_HPP
#else
#define TESSERA_MATH_FFT_BUTTERFLIES_INL_HPP
#endif

#include <hwy/highway.h>

#include "math/complex.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Real and imaginary parts in vectors of their own.
template <class V>
struct Split {
    V re, im;
};

template <class V>
HWY_INLINE Split<V> add(Split<V> a, Split<V> b) {
    return {hn::Add(a.re, b.re), hn::Add(a.im, b.im)};
}
template <class V>
HWY_INLINE Split<V> sub(Split<V> a, Split<V> b) {
    return {hn::Sub(a.re, b.re), hn::Sub(a.im, b.im)};
}
// a - i b and a + i b
template <class V>
HWY_INLINE Split<V> sub_i(Split<V> a, Split<V> b) {
    return {hn::Add(a.re, b.im), hn::Sub(a.im, b.re)};
}
template <class V>
HWY_INLINE Split<V> add_i(Split<V> a, Split<V> b) {
    return {hn::Sub(a.re, b.im), hn::Add(a.im, b.re)};
}
template <class V>
HWY_INLINE Split<V> multiply(Split<V> a, Split<V> b) {
    return {hn::MulSub(a.re, b.re, hn::Mul(a.im, b.im)), hn::MulAdd(a.re, b.im, hn::Mul(a.im, b.re))};
}
// c + s a, c - s a and s a, s real
template <class V>
HWY_INLINE Split<V> add_scaled(V s, Split<V> a, Split<V> c) {
    return {hn::MulAdd(s, a.re, c.re), hn::MulAdd(s, a.im, c.im)};
}
template <class V>
HWY_INLINE Split<V> sub_scaled(V s, Split<V> a, Split<V> c) {
    return {hn::NegMulAdd(s, a.re, c.re), hn::NegMulAdd(s, a.im, c.im)};
}
template <class V>
HWY_INLINE Split<V> scaled(V s, Split<V> a) {
    return {hn::Mul(s, a.re), hn::Mul(s, a.im)};
}

// x[q] <- sum_j x[j] exp(-2 pi i j q / radix)
template <class D>
HWY_INLINE void butterfly(D, Split<hn::Vec<D>> (&)[1]) {}

template <class D>
HWY_INLINE void butterfly(D, Split<hn::Vec<D>> (&x)[2]) {
    const auto sum = add(x[0], x[1]);
    x[1] = sub(x[0], x[1]);
    x[0] = sum;
}

template <class D>
HWY_INLINE void butterfly(D d, Split<hn::Vec<D>> (&x)[3]) {
    const auto sum = add(x[1], x[2]);
    const auto difference = scaled(hn::Set(d, 0.86602540378443865f), sub(x[1], x[2]));
    const auto centre = sub_scaled(hn::Set(d, 0.5f), sum, x[0]);
    x[0] = add(x[0], sum);
    x[1] = sub_i(centre, difference);
    x[2] = add_i(centre, difference);
}

template <class D>
HWY_INLINE void butterfly(D, Split<hn::Vec<D>> (&x)[4]) {
    const auto even_sum = add(x[0], x[2]), even_difference = sub(x[0], x[2]);
    const auto odd_sum = add(x[1], x[3]), odd_difference = sub(x[1], x[3]);
    x[0] = add(even_sum, odd_sum);
    x[2] = sub(even_sum, odd_sum);
    x[1] = sub_i(even_difference, odd_difference);
    x[3] = add_i(even_difference, odd_difference);
}

template <class D>
HWY_INLINE void butterfly(D d, Split<hn::Vec<D>> (&x)[5]) {
    const auto cos1 = hn::Set(d, 0.30901699437494742f), cos2 = hn::Set(d, 0.80901699437494742f);
    const auto sin1 = hn::Set(d, 0.95105651629515357f), sin2 = hn::Set(d, 0.58778525229247313f);
    const auto sum1 = add(x[1], x[4]), difference1 = sub(x[1], x[4]);
    const auto sum2 = add(x[2], x[3]), difference2 = sub(x[2], x[3]);
    const auto centre1 = sub_scaled(cos2, sum2, add_scaled(cos1, sum1, x[0]));
    const auto centre2 = add_scaled(cos1, sum2, sub_scaled(cos2, sum1, x[0]));
    const auto side1 = add_scaled(sin2, difference2, scaled(sin1, difference1));
    const auto side2 = sub_scaled(sin1, difference2, scaled(sin2, difference1));
    x[0] = add(x[0], add(sum1, sum2));
    x[1] = sub_i(centre1, side1);
    x[4] = add_i(centre1, side1);
    x[2] = sub_i(centre2, side2);
    x[3] = add_i(centre2, side2);
}

template <class D>
HWY_INLINE void butterfly(D d, Split<hn::Vec<D>> (&x)[8]) {
    using S = Split<hn::Vec<D>>;
    const auto half_root = hn::Set(d, 0.70710678118654752f);
    S even[4] = {add(x[0], x[4]), add(x[1], x[5]), add(x[2], x[6]), add(x[3], x[7])};
    const S odd0 = sub(x[0], x[4]), odd1 = sub(x[1], x[5]), odd2 = sub(x[2], x[6]), odd3 = sub(x[3], x[7]);
    butterfly(d, even);
    // The odd half's factors exp(-2 pi i j / 8) are (1 - i)/sqrt(2), -i and -(1 + i)/sqrt(2): the first and
    // the last without their roots, and the last without its sign in the imaginary part.
    const S turned1 = {hn::Add(odd1.re, odd1.im), hn::Sub(odd1.im, odd1.re)};
    const S turned3 = {hn::Sub(odd3.im, odd3.re), hn::Add(odd3.re, odd3.im)};
    const S sum = {hn::Add(turned1.re, turned3.re), hn::Sub(turned1.im, turned3.im)};
    const S difference = {hn::Sub(turned1.re, turned3.re), hn::Add(turned1.im, turned3.im)};
    const S lower = sub_i(odd0, odd2), upper = add_i(odd0, odd2);
    x[0] = even[0];
    x[2] = even[1];
    x[4] = even[2];
    x[6] = even[3];
    x[1] = add_scaled(half_root, sum, lower);
    x[5] = sub_scaled(half_root, sum, lower);
    x[3] = {hn::MulAdd(half_root, difference.im, upper.re),
            hn::NegMulAdd(half_root, difference.re, upper.im)};
    x[7] = {hn::NegMulAdd(half_root, difference.im, upper.re),
            hn::MulAdd(half_root, difference.re, upper.im)};
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#endif
