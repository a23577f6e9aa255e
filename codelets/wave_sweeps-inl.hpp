// Vectorised sweeps over the waves of one frame, compiled once per instruction set. Loops live here, formulas
// in pixel/. Waves are (mode, y, x) of the frame's shape; probes (mode, y, x) of the probe's shape, which
// sits in the wave at floor((M - p) / 2); objects are windows of the probe's shape inside a larger array with
// row stride `stride`.
#if defined(TESSERA_CODELETS_WAVE_SWEEPS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_CODELETS_WAVE_SWEEPS_INL_HPP
#undef TESSERA_CODELETS_WAVE_SWEEPS_INL_HPP
#else
#define TESSERA_CODELETS_WAVE_SWEEPS_INL_HPP
#endif

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "codelets/layout.hpp"
#include "codelets/noise.hpp"
#include "codelets/refine_positions.hpp"
#include "codelets/unit_phase.hpp"
#include "pixel/simd_formulas-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

// A window of the object (or of a gradient of it).
template <class Value>
struct Window {
    Value* data;
    std::ptrdiff_t stride;
    Value* row(std::ptrdiff_t y) const { return data + y * stride; }
};

// Where row y of a probe starts in the wave, and in the probe.
inline std::size_t wave_row(const BatchShape& s, int y) {
    const int first_y = (s.frame.y - s.probe.y) / 2, first_x = (s.frame.x - s.probe.x) / 2;
    return static_cast<std::size_t>(first_y + y) * static_cast<std::size_t>(s.frame.x) +
           static_cast<std::size_t>(first_x);
}

inline std::size_t probe_row(const BatchShape& s, int y) {
    return static_cast<std::size_t>(y) * static_cast<std::size_t>(s.probe.x);
}

inline void clear_padding(cfloat* wave, const BatchShape& s) {
    if (s.probe.y == s.frame.y && s.probe.x == s.frame.x) return;
    std::memset(static_cast<void*>(wave), 0, s.frame.area() * sizeof(cfloat));
}

// The sweeps before and after the propagator take one mode at a time, so that its wave is still in cache when
// it is transformed.

// psi = P O
inline void exit_wave(const cfloat* HWY_RESTRICT probe, Window<const cfloat> object,
                      cfloat* HWY_RESTRICT wave, const BatchShape& s) {
    clear_padding(wave, s);
    for (int y = 0; y < s.probe.y; ++y) {
        const cfloat* p = probe + probe_row(s, y);
        const cfloat* o = object.row(y);
        cfloat* w = wave + wave_row(s, y);
        for_each_vector(static_cast<std::size_t>(s.probe.x), [&](std::size_t i, auto lanes) HWY_ATTR {
            store(load(p + i, lanes) * load(o + i, lanes), w + i, lanes);
        });
    }
}

// value + step direction, dense in the probe's shape.
inline void move(Window<const cfloat> value, Window<const cfloat> direction, float step,
                 cfloat* HWY_RESTRICT moved, const BatchShape& s) {
    const Vec steps = broadcast(step);
    for (int y = 0; y < s.probe.y; ++y) {
        const cfloat* v = value.row(y);
        const cfloat* d = direction.row(y);
        cfloat* m = moved + probe_row(s, y);
        for_each_vector(static_cast<std::size_t>(s.probe.x), [&](std::size_t i, auto lanes) HWY_ATTR {
            store(scale_add(steps, load(d + i, lanes), load(v + i, lanes)), m + i, lanes);
        });
    }
}

// P dO + dP O, the exit wave's first derivative along the direction.
inline void exit_wave_along(const cfloat* HWY_RESTRICT probe, const cfloat* HWY_RESTRICT direction,
                            Window<const cfloat> object, Window<const cfloat> object_direction,
                            cfloat* HWY_RESTRICT wave, const BatchShape& s) {
    clear_padding(wave, s);
    for (int y = 0; y < s.probe.y; ++y) {
        const cfloat* p = probe + probe_row(s, y);
        const cfloat* dp = direction + probe_row(s, y);
        const cfloat* o = object.row(y);
        const cfloat* d = object_direction.row(y);
        cfloat* w = wave + wave_row(s, y);
        for_each_vector(static_cast<std::size_t>(s.probe.x), [&](std::size_t i, auto lanes) HWY_ATTR {
            const ComplexVec first = load(p + i, lanes) * load(d + i, lanes);
            store(mul_add(load(dp + i, lanes), load(o + i, lanes), first), w + i, lanes);
        });
    }
}

// product = conj(O) psi, dense in the probe's shape; in place where the wave is.
inline void multiply_conjugate(const cfloat* wave, Window<const cfloat> object, cfloat* product,
                               const BatchShape& s) {
    for (int y = 0; y < s.probe.y; ++y) {
        const cfloat* o = object.row(y);
        const cfloat* w = wave + wave_row(s, y);
        cfloat* p = product + probe_row(s, y);
        for_each_vector(static_cast<std::size_t>(s.probe.x), [&](std::size_t i, auto lanes) HWY_ATTR {
            store(conj_mul(load(o + i, lanes), load(w + i, lanes)), p + i, lanes);
        });
    }
}

// to += factor from
inline void add_multiple(cfloat factor, const cfloat* HWY_RESTRICT from, cfloat* HWY_RESTRICT to,
                         std::size_t count) {
    const ComplexVec f = {broadcast(factor.re), broadcast(factor.im)};
    for_each_vector(count, [&](std::size_t i, auto lanes) HWY_ATTR {
        store(mul_add(f, load(from + i, lanes), load(static_cast<const cfloat*>(to + i), lanes)), to + i,
              lanes);
    });
}

// g_O += conj(P) chi;  and, unless `none`, target = conj(O) chi (+ target)
enum class Target { add, overwrite, none };
template <Target target>
void add_gradients(const cfloat* HWY_RESTRICT wave, const cfloat* HWY_RESTRICT probe,
                   Window<const cfloat> object, Window<cfloat> object_gradient,
                   cfloat* HWY_RESTRICT probe_target, const BatchShape& s) {
    for (int y = 0; y < s.probe.y; ++y) {
        const cfloat* HWY_RESTRICT o = object.row(y);
        const cfloat* HWY_RESTRICT w = wave + wave_row(s, y);
        const cfloat* HWY_RESTRICT p = probe + probe_row(s, y);
        cfloat* HWY_RESTRICT g = object_gradient.row(y);
        cfloat* HWY_RESTRICT t = probe_target + (target == Target::none ? 0 : probe_row(s, y));
        for_each_vector(static_cast<std::size_t>(s.probe.x), [&](std::size_t i, auto lanes) HWY_ATTR {
            const ComplexVec chi = load(w + i, lanes);
            const ComplexVec before = load(static_cast<const cfloat*>(g + i), lanes);
            store(conj_mul_add(load(p + i, lanes), chi, before), g + i, lanes);
            if constexpr (target == Target::add) {
                const ComplexVec sum = load(static_cast<const cfloat*>(t + i), lanes);
                store(conj_mul_add(load(o + i, lanes), chi, sum), t + i, lanes);
            } else if constexpr (target == Target::overwrite) {
                store(conj_mul(load(o + i, lanes), chi), t + i, lanes);
            }
        });
    }
}

// ---- Sub-pixel positions

// One axis of the phase ramp exp(-2 pi i q f), q in the transform's order, times `scale`.
inline void phase_ramp(float fraction, int count, float scale, cfloat* ramp) {
    for (int i = 0; i < count; ++i) {
        const int q = i < (count + 1) / 2 ? i : i - count;
        const float angle =
            -2.0f * static_cast<float>(M_PI) * fraction * static_cast<float>(q) / static_cast<float>(count);
        ramp[i] = {scale * std::cos(angle), scale * std::sin(angle)};
    }
}

// values (y, x) *= factor times the derivative of the phase ramp along an axis, over the ramp itself.
inline void multiply_slope(int axis, float factor, Shape2 shape, cfloat* values) {
    for (std::int32_t y = 0; y < shape.y; ++y) {
        for (std::int32_t x = 0; x < shape.x; ++x) {
            const float turn = factor * (axis == 0 ? slope_of_ramp(y, shape.y) : slope_of_ramp(x, shape.x));
            const cfloat value = *values;
            *values++ = {-turn * value.im, turn * value.re};
        }
    }
}

// The near field between two transforms: wave *= transfer (or, for the adjoint, its conjugate), and a shift
// back by the fraction of a pixel by which fourier interpolation moved the probe: the beam stands still on
// the detector. Null ramps: no shift. (In the far field a shift of the exit wave is a phase and does not
// show.)
template <bool conjugate>
void multiply_transfer(cfloat* HWY_RESTRICT wave, const cfloat* HWY_RESTRICT transfer,
                       const cfloat* HWY_RESTRICT ramp_y, const cfloat* HWY_RESTRICT ramp_x,
                       const BatchShape& s) {
    for (int y = 0; y < s.frame.y; ++y) {
        const std::size_t row = static_cast<std::size_t>(y) * static_cast<std::size_t>(s.frame.x);
        const ComplexVec factor_y = ramp_y == nullptr
                                        ? ComplexVec{broadcast(1.0f), zero()}
                                        : ComplexVec{broadcast(ramp_y[y].re), broadcast(ramp_y[y].im)};
        for_each_vector(static_cast<std::size_t>(s.frame.x), [&](std::size_t i, auto lanes) HWY_ATTR {
            ComplexVec factor = load(transfer + row + i, lanes);
            if (ramp_y != nullptr) factor = conj_mul(factor_y * load(ramp_x + i, lanes), factor);
            const ComplexVec w = load(static_cast<const cfloat*>(wave + row + i), lanes);
            store(conjugate ? conj_mul(factor, w) : factor * w, wave + row + i, lanes);
        });
    }
}

// shifted = ramp_y ramp_x spectrum: the caller transforms back.
inline void apply_ramp(const cfloat* HWY_RESTRICT spectrum, const cfloat* HWY_RESTRICT ramp_y,
                       const cfloat* HWY_RESTRICT ramp_x, cfloat* HWY_RESTRICT shifted, const BatchShape& s) {
    for (int y = 0; y < s.probe.y; ++y) {
        const std::size_t row = probe_row(s, y);
        const ComplexVec factor = {broadcast(ramp_y[y].re), broadcast(ramp_y[y].im)};
        for_each_vector(static_cast<std::size_t>(s.probe.x), [&](std::size_t i, auto lanes) HWY_ATTR {
            store((factor * load(ramp_x + i, lanes)) * load(spectrum + row + i, lanes), shifted + row + i,
                  lanes);
        });
    }
}

// sum += conj(ramp_y ramp_x) spectrum: the adjoint.
inline void add_conjugate_ramp(const cfloat* HWY_RESTRICT spectrum, const cfloat* HWY_RESTRICT ramp_y,
                               const cfloat* HWY_RESTRICT ramp_x, cfloat* HWY_RESTRICT sum,
                               const BatchShape& s) {
    for (int y = 0; y < s.probe.y; ++y) {
        const std::size_t row = probe_row(s, y);
        const ComplexVec factor = {broadcast(ramp_y[y].re), broadcast(ramp_y[y].im)};
        for_each_vector(static_cast<std::size_t>(s.probe.x), [&](std::size_t i, auto lanes) HWY_ATTR {
            const ComplexVec ramp = factor * load(ramp_x + i, lanes);
            const ComplexVec before = load(static_cast<const cfloat*>(sum + row + i), lanes);
            store(conj_mul_add(ramp, load(spectrum + row + i, lanes), before), sum + row + i, lanes);
        });
    }
}

struct BilinearWeights {
    float corner[2][2];  // [dy][dx]
};
inline BilinearWeights bilinear_weights(float fraction_y, float fraction_x) {
    return {{{(1 - fraction_y) * (1 - fraction_x), (1 - fraction_y) * fraction_x},
             {fraction_y * (1 - fraction_x), fraction_y * fraction_x}}};
}

// Their derivatives along an axis of the position.
inline BilinearWeights bilinear_slopes(int axis, float fraction_y, float fraction_x) {
    if (axis == 0) return {{{fraction_x - 1, -fraction_x}, {1 - fraction_x, fraction_x}}};
    return {{{fraction_y - 1, 1 - fraction_y}, {-fraction_y, fraction_y}}};
}

// The object between pixels: (p_y, p_x), dense.
inline void interpolate(Window<const cfloat> object, const BilinearWeights& weights, cfloat* HWY_RESTRICT to,
                        const BatchShape& s) {
    for (int y = 0; y < s.probe.y; ++y) {
        for_each_vector(static_cast<std::size_t>(s.probe.x), [&](std::size_t i, auto lanes) HWY_ATTR {
            ComplexVec sum = {zero(), zero()};
            for (int dy = 0; dy < 2; ++dy) {
                for (int dx = 0; dx < 2; ++dx) {
                    sum = scale_add(broadcast(weights.corner[dy][dx]),
                                    load(object.row(y + dy) + i + dx, lanes), sum);
                }
            }
            store(sum, to + probe_row(s, y) + i, lanes);
        });
    }
}

// Its adjoint: spreads a dense gradient over four corners.
inline void spread(const cfloat* HWY_RESTRICT gradient, const BilinearWeights& weights, Window<cfloat> to,
                   const BatchShape& s) {
    for (int y = 0; y < s.probe.y; ++y) {
        for (int dy = 0; dy < 2; ++dy) {
            for (int dx = 0; dx < 2; ++dx) {
                const Vec weight = broadcast(weights.corner[dy][dx]);
                cfloat* row = to.row(y + dy) + dx;
                for_each_vector(static_cast<std::size_t>(s.probe.x), [&](std::size_t i, auto lanes) HWY_ATTR {
                    store(scale_add(weight, load(gradient + probe_row(s, y) + i, lanes),
                                    load(static_cast<const cfloat*>(row + i), lanes)),
                          row + i, lanes);
                });
            }
        }
    }
}

// A += s B + s^2 C, the far fields after a step.
inline void advance_waves(cfloat* HWY_RESTRICT a, const cfloat* HWY_RESTRICT b, const cfloat* HWY_RESTRICT c,
                          float step, std::size_t size) {
    const Vec s = broadcast(step), s2 = broadcast(step * step);
    for_each_vector(size, [&](std::size_t i, auto lanes) HWY_ATTR {
        const ComplexVec first =
            scale_add(s, load(b + i, lanes), load(static_cast<const cfloat*>(a + i), lanes));
        store(scale_add(s2, load(c + i, lanes), first), a + i, lanes);
    });
}

// Calls body with the noise model as a compile-time constant: noise() is its value.
template <class Body>
void with_noise_model(NoiseModel model, const Body& body) {
    switch (model) {
        case NoiseModel::amplitude:
            return body(std::integral_constant<NoiseModel, NoiseModel::amplitude>{});
        case NoiseModel::poisson:
            return body(std::integral_constant<NoiseModel, NoiseModel::poisson>{});
        case NoiseModel::gaussian:
            return body(std::integral_constant<NoiseModel, NoiseModel::gaussian>{});
    }
}

// Calls body with the counts as a pointer to the type that they are kept as.
template <class Body>
void with_counts(const void* patterns, PatternType type, const Body& body) {
    switch (type) {
        case PatternType::u8:
            return body(static_cast<const std::uint8_t*>(patterns));
        case PatternType::u16:
            return body(static_cast<const std::uint16_t*>(patterns));
        case PatternType::i32:
            return body(static_cast<const std::int32_t*>(patterns));
        case PatternType::f32:
            return body(static_cast<const float*>(patterns));
    }
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#endif
