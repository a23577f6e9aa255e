#pragma once

#include "codelets/gradient.hpp"
#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

struct LeastSquaresArgs {
    BatchShape shape;
    ProbeMotion probe = ProbeMotion::moving;
    BufferBytes buffer_bytes() const;
};

// Of each frame of a batch, the steps a of the object and b of the probe along their directions dO and dP
// that lead its exit wave closest to where it wants to go (Odstrcil et al., Opt. Express 26:3108, 2018, eq.
// 22):
//   least sum_k | s chi_k + a P_k dO + b dP_k O |^2,
// chi the residual that `gradient` left, s the step of the far field; the diagonal of the 2 x 2 system is
// raised by a tenth, and steps below zero are zero. Their sums over the batch into BatchSums: object_step,
// probe_step. Buffers: residual R, frames R, probe R, object R, state R, out W (its BatchSums alone).
// Cost: no transform (fourier interpolation: 2 a mode and frame).
extern const Codelet<LeastSquaresArgs> least_squares;

struct ChooseLeastSquaresStepArgs {
    double beta = 0.9;      // share of the optimal step that is taken
    double num_frames = 1;  // of the mini-batch, over all tiles
    BufferBytes buffer_bytes() const { return {sizeof(BatchSums), sizeof(IterationState)}; }
};

// The steps of the mini-batch: the mean of its frames' times beta. Buffers: sums R (total), state RW.
extern const Codelet<ChooseLeastSquaresStepArgs> choose_least_squares_step;

// On a device: least_squares.cu.
void least_squares_device(const LeastSquaresArgs&, const Buffers&, Device&);
void choose_least_squares_step_device(const ChooseLeastSquaresStepArgs&, const Buffers&, Device&);

}  // namespace tessera
