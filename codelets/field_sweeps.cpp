#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codelets/field_sweeps.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "codelets/field_sweeps.hpp"
#include "pixel/simd_formulas-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

template <class Lanes>
HWY_INLINE Vec preconditioner_of(const Preconditioner& p, std::size_t i, Lanes lanes) {
    return precondition(load(p.weight + i, lanes), broadcast(1 - p.alpha), broadcast(p.alpha * p.weight_max));
}

FieldDots dots_sweep(const cfloat* gradient, const cfloat* previous, const cfloat* direction,
                     const Preconditioner& p, std::size_t count) {
    constexpr std::size_t chunk_pixels = 1024;
    FieldDots dots;
    for (std::size_t chunk = 0; chunk < count; chunk += chunk_pixels) {
        Vec norms = zero(), previous_dots = zero(), direction_dots = zero();
        for_each_vector(std::min(chunk_pixels, count - chunk), [&](std::size_t j, auto lanes) HWY_ATTR {
            const std::size_t i = chunk + j;
            const ComplexVec g = load(gradient + i, lanes);
            const Vec inverse_curvature = preconditioner_of(p, i, lanes);
            norms = norms + inverse_curvature * norm(g);
            previous_dots = previous_dots + inverse_curvature * dot(g, load(previous + i, lanes));
            direction_dots = dot_add(load(direction + i, lanes), g, direction_dots);
        });
        dots.gradient_norm += static_cast<double>(sum_of_lanes(norms));
        dots.gradient_previous += static_cast<double>(sum_of_lanes(previous_dots));
        dots.gradient_direction += static_cast<double>(sum_of_lanes(direction_dots));
    }
    return dots;
}

void direction_sweep(cfloat* direction, const cfloat* gradient, const Preconditioner& p, float beta,
                     std::size_t count) {
    const Vec betas = broadcast(beta);
    for_each_vector(count, [&](std::size_t i, auto lanes) HWY_ATTR {
        const ComplexVec before = load(static_cast<const cfloat*>(direction + i), lanes);
        store(conjugate_direction(before, load(gradient + i, lanes), preconditioner_of(p, i, lanes), betas),
              direction + i, lanes);
    });
}

void step_sweep(cfloat* value, const cfloat* direction, float step, std::size_t count) {
    const Vec steps = broadcast(step);
    for_each_vector(count, [&](std::size_t i, auto lanes) HWY_ATTR {
        const ComplexVec before = load(static_cast<const cfloat*>(value + i), lanes);
        store(scale_add(steps, load(direction + i, lanes), before), value + i, lanes);
    });
}

void powers_sweep(float* to, const cfloat* from, std::size_t count) {
    for_each_vector(count, [&](std::size_t i, auto lanes) HWY_ATTR {
        store(norm_add(load(from + i, lanes), load(static_cast<const float*>(to + i), lanes)), to + i, lanes);
    });
}

void weights_sweep(float* to, const float* from, std::size_t count) {
    for_each_vector(count, [&](std::size_t i, auto lanes) HWY_ATTR {
        store(load(static_cast<const float*>(to + i), lanes) + load(from + i, lanes), to + i, lanes);
    });
}

float largest_sweep(const float* weights, std::size_t count) {
    Vec largest = zero();
    for_each_vector(count, [&](std::size_t i, auto lanes)
                               HWY_ATTR { largest = maximum(largest, load(weights + i, lanes)); });
    return max_of_lanes(largest);
}

void momentum_sweep(cfloat* value, cfloat* anchor, cfloat* velocity, const MomentumFactors& by,
                    std::size_t count) {
    const Vec from_velocity = broadcast(by.from_velocity), from_update = broadcast(by.from_update);
    const Vec kept = broadcast(by.kept), added = broadcast(by.added);
    for_each_vector(count, [&](std::size_t i, auto lanes) HWY_ATTR {
        const ComplexVec here = load(static_cast<const cfloat*>(value + i), lanes);
        const ComplexVec update = here - load(static_cast<const cfloat*>(anchor + i), lanes);
        const ComplexVec before = load(static_cast<const cfloat*>(velocity + i), lanes);
        const ComplexVec after = scale_add(from_velocity, before, scale_add(from_update, update, here));
        store(after, value + i, lanes);
        store(after, anchor + i, lanes);
        store(scale_add(added, update, kept * before), velocity + i, lanes);
    });
}

void overlap_sweep(cfloat* value, const cfloat* numerator, const cfloat* weight, float inertia,
                   std::size_t count) {
    const Vec inertias = broadcast(inertia);
    for_each_vector(count, [&](std::size_t i, auto lanes) HWY_ATTR {
        const ComplexVec before = load(static_cast<const cfloat*>(value + i), lanes);
        store(overlap_update(before, load(numerator + i, lanes), load(weight + i, lanes).re, inertias),
              value + i, lanes);
    });
}

void clip_sweep(cfloat* value, float least, float most, std::size_t count) {
    const Vec from = broadcast(least), to = broadcast(most), tiny = broadcast(1e-30f);
    for_each_vector(count, [&](std::size_t i, auto lanes) HWY_ATTR {
        const ComplexVec before = load(static_cast<const cfloat*>(value + i), lanes);
        store(clip_amplitude(before, from, to, tiny), value + i, lanes);
    });
}

void limit_sweep(cfloat* value, const pixel::TransmissionLimits<float>& limits, float tiny_power,
                 std::size_t count) {
    const auto both = [](cfloat z) HWY_ATTR { return ComplexVec{broadcast(z.re), broadcast(z.im)}; };
    const TransmissionLimits<Vec> all = {broadcast(limits.least), broadcast(limits.most), both(limits.from),
                                         both(limits.to), broadcast(limits.wide)};
    const Vec tiny = broadcast(tiny_power), one = broadcast(1);
    for_each_vector(count, [&](std::size_t i, auto lanes) HWY_ATTR {
        const ComplexVec before = load(static_cast<const cfloat*>(value + i), lanes);
        store(limited_transmission(before, all, tiny, one), value + i, lanes);
    });
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera {

HWY_EXPORT(dots_sweep);
HWY_EXPORT(direction_sweep);
HWY_EXPORT(step_sweep);
HWY_EXPORT(powers_sweep);
HWY_EXPORT(weights_sweep);
HWY_EXPORT(largest_sweep);
HWY_EXPORT(momentum_sweep);
HWY_EXPORT(overlap_sweep);
HWY_EXPORT(clip_sweep);
HWY_EXPORT(limit_sweep);

FieldDots field_dots(const cfloat* gradient, const cfloat* previous, const cfloat* direction,
                     const Preconditioner& preconditioner, std::size_t count) {
    return HWY_DYNAMIC_DISPATCH(dots_sweep)(gradient, previous, direction, preconditioner, count);
}

void update_direction(cfloat* direction, const cfloat* gradient, const Preconditioner& preconditioner,
                      float beta, std::size_t count) {
    HWY_DYNAMIC_DISPATCH(direction_sweep)(direction, gradient, preconditioner, beta, count);
}

void take_step(cfloat* value, const cfloat* direction, float step, std::size_t count) {
    HWY_DYNAMIC_DISPATCH(step_sweep)(value, direction, step, count);
}

void add_powers(float* to, const cfloat* from, std::size_t count) {
    HWY_DYNAMIC_DISPATCH(powers_sweep)(to, from, count);
}

void add_weights(float* to, const float* from, std::size_t count) {
    HWY_DYNAMIC_DISPATCH(weights_sweep)(to, from, count);
}

float largest_of(const float* weights, std::size_t count) {
    return HWY_DYNAMIC_DISPATCH(largest_sweep)(weights, count);
}

void use_momentum(cfloat* value, cfloat* anchor, cfloat* velocity, const MomentumFactors& by,
                  std::size_t count) {
    HWY_DYNAMIC_DISPATCH(momentum_sweep)(value, anchor, velocity, by, count);
}

void update_by_overlap(cfloat* value, const cfloat* numerator, const cfloat* weight, float inertia,
                       std::size_t count) {
    HWY_DYNAMIC_DISPATCH(overlap_sweep)(value, numerator, weight, inertia, count);
}

void clip_amplitudes(cfloat* value, float least, float most, std::size_t count) {
    HWY_DYNAMIC_DISPATCH(clip_sweep)(value, least, most, count);
}

void limit_transmissions(cfloat* value, const pixel::TransmissionLimits<float>& limits, float tiny_power,
                         std::size_t count) {
    HWY_DYNAMIC_DISPATCH(limit_sweep)(value, limits, tiny_power, count);
}

}  // namespace tessera
#endif  // HWY_ONCE
