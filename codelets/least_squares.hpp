#pragma once

#include "codelets/gradient.hpp"
#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

struct LeastSquaresArgs {
    BatchShape shape;
    BufferBytes buffer_bytes() const;
};

// The steps a of the object and b of the probe along their directions dO and dP that lead the exit waves of a
// mini-batch closest to where they want to go (Odstrcil et al., Opt. Express 26:3108, 2018, eq. 22):
//   least sum_jk | s_j chi_jk + a P_k dO(r_j) + b dP_k O(r_j) |^2,
// chi the residual that `gradient` left, s the step of a frame's far field. The paper solves this for each
// frame and takes the mean; one solution for all of them asks each frame by how much it would change, so that
// a frame that the directions hardly touch cannot ask for huge steps. This codelet: what the system is made
// of, summed over the frames of a batch, into the step_products of BatchSums,
//   |P dO|^2, Re <P dO, dP O>, |dP O|^2, s Re <P dO, chi>, s Re <dP O, chi>.
// Buffers: residual R, frames R, probe R, object R, state R, out W (its BatchSums alone).
// Cost: no transform (fourier interpolation: 2 a mode and frame).
extern const Codelet<LeastSquaresArgs> least_squares;

struct ChooseLeastSquaresStepArgs {
    double beta = 0.9;                        // share of the optimal step that is taken
    ProbeMotion probe = ProbeMotion::moving;  // fixed: the object's step alone
    BufferBytes buffer_bytes() const { return {sizeof(BatchSums), sizeof(IterationState)}; }
};

// The steps of the mini-batch: beta times the optimal ones, with the diagonal of the 2 x 2 system raised by a
// tenth; none below zero. Buffers: sums R (total), state RW.
extern const Codelet<ChooseLeastSquaresStepArgs> choose_least_squares_step;

// On a device: least_squares.cu.
void least_squares_device(const LeastSquaresArgs&, const Buffers&, Device&);
void choose_least_squares_step_device(const ChooseLeastSquaresStepArgs&, const Buffers&, Device&);

}  // namespace tessera
