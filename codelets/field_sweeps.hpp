#pragma once

#include <cstddef>

#include "math/complex.hpp"
#include "pixel/formulas.hpp"

namespace tessera {

// Vectorised sweeps over `count` consecutive pixels of an object or a probe mode; formulas in
// pixel/field_update-inl.hpp. The best instruction set is chosen at run time; a pixel's value does not depend
// on where its sweep begins or ends.

// 1 / ((1 - alpha) weight + alpha weight_max); alpha weight_max > 0 keeps it finite.
struct Preconditioner {
    const float* weight;
    float alpha;
    float weight_max;
};

struct FieldDots {
    double gradient_norm = 0;       // <g, M g>
    double gradient_previous = 0;   // Re <M g, g_previous>
    double gradient_direction = 0;  // Re <d, g>
};
FieldDots field_dots(const cfloat* gradient, const cfloat* previous, const cfloat* direction,
                     const Preconditioner& preconditioner, std::size_t count);

// direction = beta direction - M gradient
void update_direction(cfloat* direction, const cfloat* gradient, const Preconditioner& preconditioner,
                      float beta, std::size_t count);

// value += step direction
void take_step(cfloat* value, const cfloat* direction, float step, std::size_t count);

// to += |from|^2
void add_powers(float* to, const cfloat* from, std::size_t count);
// to += from
void add_weights(float* to, const float* from, std::size_t count);
// At least 0.
float largest_of(const float* weights, std::size_t count);

// See codelets/momentum.hpp: value += from_velocity v + from_update (value - anchor),
// v = kept v + added (value - anchor) with the value as it was, anchor = value.
struct MomentumFactors {
    float from_velocity, from_update, kept, added;
};
void use_momentum(cfloat* value, cfloat* anchor, cfloat* velocity, const MomentumFactors& by,
                  std::size_t count);

// value += numerator / (Re weight + inertia); inertia > 0
void update_by_overlap(cfloat* value, const cfloat* numerator, const cfloat* weight, float inertia,
                       std::size_t count);

// |value| between least and most; 0 stays.
void clip_amplitudes(cfloat* value, float least, float most, std::size_t count);

// Amplitudes and phases within limits (pixel/object_constraints-inl.hpp).
void limit_transmissions(cfloat* value, const pixel::TransmissionLimits<float>& limits, float tiny_power,
                         std::size_t count);

}  // namespace tessera
