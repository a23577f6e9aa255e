#pragma once

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

// A background that is found with object and probe: counts B(q) >= 0 of each pixel of the detector, the same
// in all frames, I(q) = sum_k |Psi_k|^2(q) + B(q). Of the cost's terms each depends on B at one pixel alone
// and is convex in it, so a round is one damped Gauss-Newton step of every pixel by itself,
//   g = sum_j factor,  c = sum_j curvature,  B = max(0, B - step g / (c + damping mean c)),
// factor and curvature those of the noise model (pixel/noise_model-inl.hpp). With amplitude and poisson a
// frame's curvature is 1 / I: frames in which a pixel is dark decide what its background is. A pixel that is
// bright in all frames cannot tell its background from the probe's light: its curvature is far below the mean
// of all pixels, and it hardly moves.

// Where it is in the detector's block.
inline std::size_t background_offset(Shape2 detector) {
    return aligned_bytes(detector.area() * sizeof(float));
}

struct FindBackgroundDerivativesArgs {
    BatchShape shape;
    BufferBytes buffer_bytes() const;
};

// g and c of a batch's frames: real and imaginary parts of the probe part of `out`, (y, x) of the
// detector. Buffers: patterns R, frames R, detector R, probe R, object R, state R, out W (BatchSums, all 0;
// probe part of the detector's size). All 0 once the state says stopped.
// Cost: 1 transform a mode, 1 more with fourier interpolation.
extern const Codelet<FindBackgroundDerivativesArgs> find_background_derivatives;

struct UpdateBackgroundArgs {
    Shape2 detector;
    float step_size = 1;
    float num_frames = 1;  // of the scan
    BufferBytes buffer_bytes() const;
};

// The step, from the sums over all frames; what the background is now is noted for checkpoints and results.
// Nothing once the state says stopped. Buffers: sums R (total), detector RW, state R, background RW.
extern const Codelet<UpdateBackgroundArgs> update_background;

// Derivatives: g + i c. What a pixel counts in the mean: at most as if it had a count in each frame, since a
// pixel that never sees anything has a curvature without bound.
TESSERA_HD float counted_curvature(cfloat derivatives, float num_frames) {
    return derivatives.im < num_frames ? derivatives.im : num_frames;
}
// Where no frame has a pixel it stays what it was.
TESSERA_HD float updated_background(float background, cfloat derivatives, float mean_curvature,
                                    float step_size) {
    constexpr float damping = 0.1f;
    if (!(derivatives.im > 0)) return background;
    const float moved = background - step_size * derivatives.re / (derivatives.im + damping * mean_curvature);
    return moved > 0 ? moved : 0.0f;
}

// On a device: refine_background.cu.
void find_background_derivatives_device(const FindBackgroundDerivativesArgs&, const Buffers&, Device&);
void update_background_device(const UpdateBackgroundArgs&, const Buffers&, Device&);

}  // namespace tessera
