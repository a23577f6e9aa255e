#pragma once

#include "codelets/gradient.hpp"

namespace tessera {

struct LineSearchArgs {
    BatchShape shape;
    KeptWaves waves =
        KeptWaves::none;  // anything but none: A is read from, B and C are stored to the kept waves
    ProbeMotion probe = ProbeMotion::moving;
    BufferBytes buffer_bytes() const;
};

// The cost of one batch at step 0 and at num_trials steps along the directions, in one pass: along a
// direction the far field of a thin object is exactly A + s B + s^2 C with A = F(P O), B = F(P dO + dP O), C
// = F(dP dO), so after three transforms a wave no further one is needed (pixel/line_polynomial-inl.hpp). The
// steps are trial_step(centre, i). Buffers: patterns R, frames R, detector R, probe R, object R, state R, out
// W (only its BatchSums: trial_cost)
// [, wave RW]. Returns at once when the state says stopped.
// Cost: 3 transforms a wave and frame (probe fixed or A kept: 2, both: 1; near field twice that; fourier
// interpolation 2 more, probe fixed 1), about 150 flops a pixel.
// With L slices the field is of degree L + 1 in s, and the polynomial would cost more than to walk through
// the object at each step: num_sliced_trials steps are tried, sliced_trial_step(centre, i), their costs from
// trial_cost[1] on, without kept waves. The cost at step 0 is the gradient's. Cost: 3 (2 L - 1) transforms
// (near field 6 L; fourier interpolation as above).
extern const Codelet<LineSearchArgs> line_search;
extern const Codelet<LineSearchArgs> line_search_keeping_waves;

// The ladder: factors of two around the centre, i = 0 .. num_trials - 1.
double trial_step(double centre, std::size_t i);

// A quarter of the centre, the centre, and twice that. The centre is the last step. Below them lies step 0,
// whose cost is known: whatever the best step, it is between two costs or among the largest tried, from which
// the next search goes on.
double sliced_trial_step(double centre, std::size_t i);

// On a device: line_search.cu.
void line_search_device(const LineSearchArgs&, const Buffers&, Device&);

}  // namespace tessera
