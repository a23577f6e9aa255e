#pragma once

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

// Positions that follow the cost (Guizar-Sicairos and Fienup, Opt. Express 16:7264, 2008). One round is:
// derivatives of every batch; plans from them, whose moments are summed over all frames; moves.

// Of one frame's cost f by its position r = (y, x): the gradient df/dr, and the Gauss-Newton curvature yy,
// yx, xx.
struct PositionDerivatives {
    double gradient[2];
    double curvature[3];
};
inline std::size_t position_derivatives_bytes(std::int32_t num_frames) {
    return aligned_bytes(sizeof(BatchSums)) +
           static_cast<std::size_t>(num_frames) * sizeof(PositionDerivatives);
}
template <class Byte>
auto position_derivatives(Byte* out) {
    using Value = std::conditional_t<std::is_const_v<Byte>, const PositionDerivatives, PositionDerivatives>;
    return reinterpret_cast<Value*>(out + aligned_bytes(sizeof(BatchSums)));
}

struct PositionDerivativesArgs {
    BatchShape shape;
    BufferBytes buffer_bytes() const;
};

// With Psi_a the far field's derivative along axis a of the position, dI_a = 2 Re sum_k conj(Psi_k) Psi_k,a:
//   df/dr_a = sum factor dI_a,   curvature_ab = sum w dI_a dI_b,
// factor and w those of the noise model (pixel/noise_model-inl.hpp). Exact for fourier (the spectrum's ramps)
// and bilinear interpolation (slopes between pixels); `nearest` is told the derivative at the whole pixel by
// that of fourier. Buffers: patterns R, frames R, detector R, probe R, object R, state R, out W (position
// derivatives behind the place of the BatchSums).
// Cost: 3 transforms a mode and frame (near field 10), 3 of the probe with fourier interpolation; every
// further slice 6 more.
extern const Codelet<PositionDerivativesArgs> find_position_derivatives;

struct PlanMovesArgs {
    std::int32_t num_frames = 0;
    std::int32_t first = 0;  // frame of the batch among the tile's places
    Interpolation interpolation = Interpolation::fourier;
    double step_size = 1, momentum = 0, max_step_px = 1;
    double model_weight = 0;  // of the mean curvature of all frames
    BufferBytes buffer_bytes() const;
};

// The next move of each frame of a batch: velocity = momentum velocity + step, no longer than max_step_px,
// with step the Gauss-Newton step of f + kappa |shift - explained|^2 / 2, damped by a tenth of the mean
// curvature. kappa is model_weight times the mean curvature of all frames when they moved last: a frame that
// sees nothing to find its place by stays with the others. Curvature, and moments of where that leads to,
// into the tile's sums. Buffers: out R (position derivatives), places RW, sums RW (BatchSums), state R.
extern const Codelet<PlanMovesArgs> plan_moves;

// The mean curvature of all frames into the state. Buffers: sums R (total), state RW.
struct NotePositionCurvatureArgs {
    double num_frames = 1;
    BufferBytes buffer_bytes() const { return {sizeof(BatchSums), sizeof(IterationState)}; }
};
extern const Codelet<NotePositionCurvatureArgs> note_position_curvature;

// How all frames lie around the middle of the scan: sum c_y^2, sum c_y c_x, sum c_x^2.
struct ScanMoments {
    double num_frames = 0;
    double yy = 0, yx = 0, xx = 0;
};

struct MoveFramesArgs {
    std::int32_t num_frames = 0;
    std::int32_t first = 0;
    Interpolation interpolation = Interpolation::fourier;
    ScanMoments scan;
    std::int32_t has_scale = 1, has_asymmetry = 1, has_rotation = 1, has_shear = 1;  // of the model
    double keep_jitter = 1;
    double max_shift_px = 0;
    BufferBytes buffer_bytes() const;
};

// Frames move: u = shift + velocity, less what all frames have in common, and of what the fitted model
// (codelets/position_rules.hpp) does not explain the share keep_jitter; at most max_shift_px from where they
// began. Buffers: sums R (total), state R, places RW, frames RW.
extern const Codelet<MoveFramesArgs> move_frames;

// On a device: refine_positions.cu. None of them does anything once the state says stopped.
void find_position_derivatives_device(const PositionDerivativesArgs&, const Buffers&, Device&);
void plan_moves_device(const PlanMovesArgs&, const Buffers&, Device&);
void note_position_curvature_device(const NotePositionCurvatureArgs&, const Buffers&, Device&);
void move_frames_device(const MoveFramesArgs&, const Buffers&, Device&);

}  // namespace tessera
