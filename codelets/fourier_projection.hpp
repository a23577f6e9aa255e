#pragma once

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

// Where an iteration leads an exit wave psi, with the overlap projection P O and the Fourier projection F:
//   psi <- psi_weight psi + overlap P O + fourier F(reflect P O + (1 - reflect) psi)
// The three weights add up to 1.
struct ProjectionMap {
    float psi = 1, overlap = -1, fourier = 1, reflect = 2;
};

enum class ExitWaves : std::int32_t { begin, go_on };       // begin: psi = P O, whatever was there
enum class OverlapCost : std::int32_t { skip, compute };    // of P O: one transform more, unless reflect is 1
enum class ObjectPartial : std::int32_t { skip, compute };  // of the overlap projection, of the new waves

struct FourierProjectionArgs {
    BatchShape shape;
    ProjectionMap map;
    double power_bound = 0;  // frames whose amplitudes have a smaller mean squared error stay as they are
    ExitWaves waves = ExitWaves::go_on;
    OverlapCost cost = OverlapCost::compute;
    ObjectPartial object = ObjectPartial::compute;
    BufferBytes buffer_bytes() const;
};

// The exit waves of a batch one iteration on. Of w = reflect P O + (1 - reflect) psi, whose amplitudes
// sqrt(I) are off the measured ones a = sqrt(max(d - b, 0)) by e = sum m (sqrt(I) - a)^2 / sum m,
//   F(w) = w                                                     where e <= power_bound
//   F(w) = U^-1 [U w (a + (sqrt(I) - a) sqrt(power_bound / e)) / sqrt(I)]   else, on pixels with m = 1
// with U from the sample to the detector and I summed over all waves of the frame, one for each mode of the
// probe and each of the object (Dong et al., NYSDS 2018; bound as in
// PtyPy). BatchSums: cost and squared_error of P O before the iteration, when asked for; bad_frames. Window:
// numerator and weight of the object (codelets/overlap.hpp), when asked for. Buffers: patterns R, frames R,
// detector R, probe R, object R, state R, out W (overwritten; layout of overlap_out_bytes()), wave RW.
// Returns at once, with out cleared, when the state says stopped. Cost: 2 transforms a wave and frame, or 1
// where nothing changes; 1 more for the cost; near field twice that; fourier interpolation 1 more.
extern const Codelet<FourierProjectionArgs> fourier_projection;

// On a device: fourier_projection.cu.
void fourier_projection_device(const FourierProjectionArgs&, const Buffers&, Device&);

}  // namespace tessera
