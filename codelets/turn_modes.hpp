#pragma once

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

// The modes of an object, mixed so that they are orthogonal under the light w = sum_j sum_k |P_k|^2 of all
// frames and come by falling power: O'_m = sum_n U_mn O_n with the eigenvectors of <O_m, O_n> = sum w
// conj(O_m) O_n. Any unitary U leaves every frame's intensity as it is, so that this takes nothing off a
// result and is the one form that says more than the data: without it two runs could not be compared. U_mm is
// real and not negative. All of this runs on the CPU, also where GPUs compute: on copies that go to a file
// next.

// <O_m, O_n> over the windows of a batch, added to the tile's probe part, (m, n).
struct FindModeProductsArgs {
    BatchShape shape;
    std::size_t sums_size = 0;  // of the probe part
    BufferBytes buffer_bytes() const;
};
// Buffers: frames R, probe R, object R, sums RW.
extern const Codelet<FindModeProductsArgs> find_mode_products;

// What is made of them: powers, double (m), then U, double complex (m, n).
inline std::size_t mode_turn_bytes(std::int32_t num_modes) {
    const auto n = static_cast<std::size_t>(num_modes);
    return n * sizeof(double) + n * n * sizeof(cdouble);
}
struct NoteModeTurnArgs {
    std::int32_t num_modes = 1;
    std::size_t sums_size = 0;
    double num_frames = 1;  // of the scan: powers are the mean counts of a frame
    BufferBytes buffer_bytes() const { return {sums_bytes(sums_size), mode_turn_bytes(num_modes)}; }
};
// Buffers: sums R (total), turn W.
extern const Codelet<NoteModeTurnArgs> note_mode_turn;

// Of pixels, dense (mode, y, x). Buffers: turn R, pixels RW.
struct TurnModesArgs {
    std::int32_t num_modes = 1;
    Shape2 shape;
    BufferBytes buffer_bytes() const { return {mode_turn_bytes(num_modes), field_bytes(shape, num_modes)}; }
};
extern const Codelet<TurnModesArgs> turn_modes;

}  // namespace tessera
