#pragma once

#include <cmath>
#include <type_traits>

#include "math/host_device.hpp"

namespace tessera {

// The real functions that formulas use, for scalars. SIMD vectors have theirs in math/simd-inl.hpp.
TESSERA_HD float fma(float a, float b, float c) {
    return ::fmaf(a, b, c);
}
TESSERA_HD double fma(double a, double b, double c) {
    return ::fma(a, b, c);
}
TESSERA_HD float square_root(float x) {
    return ::sqrtf(x);
}
TESSERA_HD double square_root(double x) {
    return ::sqrt(x);
}
TESSERA_HD float inverse_square_root(float x) {
    return 1.0f / ::sqrtf(x);
}
TESSERA_HD double inverse_square_root(double x) {
    return 1.0 / ::sqrt(x);
}
TESSERA_HD float reciprocal(float x) {
    return 1.0f / x;
}
TESSERA_HD double reciprocal(double x) {
    return 1.0 / x;
}
TESSERA_HD float logarithm_of_one_plus(float x) {
    return ::log1pf(x);
}
TESSERA_HD double logarithm_of_one_plus(double x) {
    return ::log1p(x);
}
TESSERA_HD float maximum(float a, float b) {
    return a > b ? a : b;
}
TESSERA_HD double maximum(double a, double b) {
    return a > b ? a : b;
}
TESSERA_HD float minimum(float a, float b) {
    return a < b ? a : b;
}
TESSERA_HD double minimum(double a, double b) {
    return a < b ? a : b;
}
// value where condition > 0, else otherwise
TESSERA_HD float where_positive(float condition, float value, float otherwise) {
    return condition > 0 ? value : otherwise;
}
TESSERA_HD double where_positive(double condition, double value, double otherwise) {
    return condition > 0 ? value : otherwise;
}
// value where condition >= 0, else 0
TESSERA_HD float where_not_negative(float condition, float value) {
    return condition >= 0 ? value : 0.0f;
}
TESSERA_HD double where_not_negative(double condition, double value) {
    return condition >= 0 ? value : 0.0;
}
// value where a < b, else otherwise
TESSERA_HD float where_less(float a, float b, float value, float otherwise) {
    return a < b ? value : otherwise;
}
TESSERA_HD double where_less(double a, double b, double value, double otherwise) {
    return a < b ? value : otherwise;
}

#include "math/complex-inl.hpp"

using cfloat = Complex<float>;
using cdouble = Complex<double>;
static_assert(sizeof(cfloat) == 8 && std::is_trivially_copyable_v<cfloat>);

}  // namespace tessera
