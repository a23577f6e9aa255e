// Every per-pixel formula for SIMD vectors, once per instruction set. See pixel/formulas.hpp.
#if defined(TESSERA_PIXEL_SIMD_FORMULAS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_PIXEL_SIMD_FORMULAS_INL_HPP
#undef TESSERA_PIXEL_SIMD_FORMULAS_INL_HPP
#else
#define TESSERA_PIXEL_SIMD_FORMULAS_INL_HPP
#endif

#include "math/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

#include "pixel/field_update-inl.hpp"
#include "pixel/line_polynomial-inl.hpp"
#include "pixel/noise_model-inl.hpp"
#include "pixel/object_constraints-inl.hpp"
#include "pixel/projection-inl.hpp"

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#endif
