// SIMD vectors of floats with operators, so that a formula template takes them like a float. Compiled once
// per instruction set (Highway's dynamic dispatch): the guard toggles with HWY_TARGET_TOGGLE.
#if defined(TESSERA_MATH_SIMD_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_MATH_SIMD_INL_HPP
#undef TESSERA_MATH_SIMD_INL_HPP
#else
#define TESSERA_MATH_SIMD_INL_HPP
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "math/complex.hpp"
#include "math/host_device.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using FloatTag = hn::ScalableTag<float>;
using IntTag = hn::Rebind<std::int32_t, FloatTag>;

struct Vec {
    hn::Vec<FloatTag> raw;
};

inline std::size_t num_lanes() {
    return hn::Lanes(FloatTag());
}
inline Vec broadcast(float x) {
    return {hn::Set(FloatTag(), x)};
}
inline Vec zero() {
    return {hn::Zero(FloatTag())};
}
inline Vec operator+(Vec a, Vec b) {
    return {hn::Add(a.raw, b.raw)};
}
inline Vec operator-(Vec a, Vec b) {
    return {hn::Sub(a.raw, b.raw)};
}
inline Vec operator*(Vec a, Vec b) {
    return {hn::Mul(a.raw, b.raw)};
}
inline Vec operator-(Vec a) {
    return {hn::Neg(a.raw)};
}
inline Vec fma(Vec a, Vec b, Vec c) {
    return {hn::MulAdd(a.raw, b.raw, c.raw)};
}
inline Vec maximum(Vec a, Vec b) {
    return {hn::Max(a.raw, b.raw)};
}
inline Vec minimum(Vec a, Vec b) {
    return {hn::Min(a.raw, b.raw)};
}
inline Vec square_root(Vec x) {
    return {hn::Sqrt(x.raw)};
}
// The processor's estimate and Newton steps: within a few units in the last place, several times faster than
// a division. x86 estimates begin with 12 bits or more, others with 8 or less.
inline Vec inverse_square_root(Vec x) {
    constexpr bool is_x86_vector = HWY_TARGET >= HWY_AVX3_DL && HWY_TARGET <= HWY_SSSE3;
    auto y = hn::ApproximateReciprocalSqrt(x.raw);
    for (int step = 0; step < (is_x86_vector ? 1 : 2); ++step) {
        const auto half_xy = hn::Mul(hn::Mul(x.raw, y), hn::Set(FloatTag(), 0.5f));
        y = hn::Mul(y, hn::NegMulAdd(half_xy, y, hn::Set(FloatTag(), 1.5f)));
    }
    return {y};
}
inline Vec reciprocal(Vec x) {
    return {hn::Div(hn::Set(FloatTag(), 1.0f), x.raw)};
}
inline Vec logarithm_of_one_plus(Vec x) {
    return {hn::Log1p(FloatTag(), x.raw)};
}
inline Vec where_positive(Vec condition, Vec value, Vec otherwise) {
    return {hn::IfThenElse(hn::Gt(condition.raw, hn::Zero(FloatTag())), value.raw, otherwise.raw)};
}
inline Vec where_not_negative(Vec condition, Vec value) {
    return {hn::IfThenElseZero(hn::Ge(condition.raw, hn::Zero(FloatTag())), value.raw)};
}
inline Vec where_less(Vec a, Vec b, Vec value, Vec otherwise) {
    return {hn::IfThenElse(hn::Lt(a.raw, b.raw), value.raw, otherwise.raw)};
}
// In a fixed order for one instruction set.
inline float sum_of_lanes(Vec x) {
    return hn::GetLane(hn::SumOfLanes(FloatTag(), x.raw));
}
inline float max_of_lanes(Vec x) {
    return hn::GetLane(hn::MaxOfLanes(FloatTag(), x.raw));
}

#include "math/complex-inl.hpp"

using ComplexVec = Complex<Vec>;

// ---- Loads and stores. `Lanes` says how many elements are real: a whole vector, or the rest of a row. The
// rest goes through a padded buffer and the same arithmetic, so a pixel's value does not depend on where its
// row ends.
struct WholeVector {};
struct Rest {
    std::size_t count;
};

inline Vec load(const float* from, WholeVector) {
    return {hn::LoadU(FloatTag(), from)};
}
inline Vec load(const float* from, Rest rest) {
    HWY_ALIGN float padded[HWY_MAX_BYTES / sizeof(float)] = {};
    std::memcpy(padded, from, rest.count * sizeof(float));
    return {hn::Load(FloatTag(), padded)};
}
inline void store(Vec x, float* to, WholeVector) {
    hn::StoreU(x.raw, FloatTag(), to);
}
inline void store(Vec x, float* to, Rest rest) {
    HWY_ALIGN float padded[HWY_MAX_BYTES / sizeof(float)];
    hn::Store(x.raw, FloatTag(), padded);
    std::memcpy(to, padded, rest.count * sizeof(float));
}

inline ComplexVec load(const cfloat* from, WholeVector) {
    ComplexVec x;
    hn::LoadInterleaved2(FloatTag(), reinterpret_cast<const float*>(from), x.re.raw, x.im.raw);
    return x;
}
inline ComplexVec load(const cfloat* from, Rest rest) {
    HWY_ALIGN cfloat padded[HWY_MAX_BYTES / sizeof(float)] = {};
    std::memcpy(padded, from, rest.count * sizeof(cfloat));
    return load(padded, WholeVector{});
}
inline void store(ComplexVec x, cfloat* to, WholeVector) {
    hn::StoreInterleaved2(x.re.raw, x.im.raw, FloatTag(), reinterpret_cast<float*>(to));
}
inline void store(ComplexVec x, cfloat* to, Rest rest) {
    HWY_ALIGN cfloat padded[HWY_MAX_BYTES / sizeof(float)];
    store(x, padded, WholeVector{});
    std::memcpy(to, padded, rest.count * sizeof(cfloat));
}

// Counts as floats, whatever integer they are kept as.
inline Vec load_counts(const float* from, WholeVector lanes) {
    return load(from, lanes);
}
inline Vec load_counts(const std::int32_t* from, WholeVector) {
    return {hn::ConvertTo(FloatTag(), hn::LoadU(IntTag(), from))};
}
inline Vec load_counts(const std::uint16_t* from, WholeVector) {
    const hn::Rebind<std::uint16_t, FloatTag> narrow;
    return {hn::ConvertTo(FloatTag(), hn::PromoteTo(IntTag(), hn::LoadU(narrow, from)))};
}
inline Vec load_counts(const std::uint8_t* from, WholeVector) {
    const hn::Rebind<std::uint8_t, FloatTag> narrow;
    return {hn::ConvertTo(FloatTag(), hn::PromoteTo(IntTag(), hn::LoadU(narrow, from)))};
}
template <class Count>
Vec load_counts(const Count* from, Rest rest) {
    HWY_ALIGN Count padded[HWY_MAX_BYTES / sizeof(float)] = {};
    std::memcpy(padded, from, rest.count * sizeof(Count));
    return load_counts(padded, WholeVector{});
}

// body(i, lanes) over [0, count), vector by vector.
template <class Body>
HWY_INLINE void for_each_vector(std::size_t count, const Body& body) {
    const std::size_t lanes = num_lanes();
    std::size_t i = 0;
    for (; i + lanes <= count; i += lanes) body(i, WholeVector{});
    if (i < count) body(i, Rest{count - i});
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#endif
