#pragma once

#include "codelets/accumulate.hpp"
#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

// What an object and its probe can trade, and is taken off a result: a ramp of phase, O e^{-ik.r} and
// P e^{+ik.r}, and a constant, O / m and P m. The wave that enters the object's first slice is P O of it, so
// the first slice takes part alone; of several slices it is their product that becomes flat. Of an object
// with modes all take part, and the ramp is that of all together, however they are mixed. Every frame's exit
// wave keeps its modulus, and gets one phase: exact at whole pixels, with fourier interpolation as far as the
// probe fades towards the window's edges, and with bilinear interpolation for small ramps.
//
// All of this runs on the CPU, also where GPUs compute: once or twice a run, on what goes to a file next.
struct PhaseRamp {
    double y = 0, x = 0;                  // k, in radians a pixel
    double mean_re = 1, mean_im = 0;      // m
    double middle_of_object[2] = {0, 0};  // where the object's ramp is 0
};

enum class RampPart : std::int32_t { slope, mean };

struct FindRampArgs {
    BatchShape shape;
    RampPart part = RampPart::slope;
    Strip region;                         // of the tile, that counts
    std::int32_t tile_y = 0, tile_x = 0;  // of the object, where the tile begins
    BufferBytes buffer_bytes() const;
};

// Sums over the pixels of a region under the light w = sum_j sum_k |P_k|^2 of a batch's frames, with Q the
// product of the slices (a frame's last row and column are without, so that pairs are of one window):
//   slope  sum w conj(Q(y, x)) Q(y + 1, x),  sum w conj(Q(y, x)) Q(y, x + 1);  of modes the sum over them
//   mean   sum w Q e^{-ik.r},  sum w;  of an object without modes
// Pixels of a pair are both in the region. Added to the tile's.
// Buffers: frames R, probe R, object R, ramp R, sums RW (BatchSums).
extern const Codelet<FindRampArgs> find_ramp;

struct NoteRampArgs {
    RampPart part = RampPart::slope;
    BufferBytes buffer_bytes() const { return {sizeof(BatchSums), sizeof(PhaseRamp)}; }
};

// slope: k is the argument of the two sums. mean: m is the quotient, 1 where there is no light.
// Buffers: sums R (total), ramp RW.
extern const Codelet<NoteRampArgs> note_ramp;

enum class RampedField : std::int32_t { object, probe };

struct RemoveRampArgs {
    RampedField field = RampedField::object;
    Shape2 shape;
    std::int32_t num_planes = 1;            // that are changed
    std::int32_t first_y = 0, first_x = 0;  // of the object; of the probe's window from its middle
    BufferBytes buffer_bytes() const { return {sizeof(PhaseRamp), field_bytes(shape, num_planes)}; }
};

// The object's planes times e^{-ik.r} / m, the probe's times e^{+ik.r} m. Buffers: ramp R, field RW.
extern const Codelet<RemoveRampArgs> remove_ramp;

}  // namespace tessera
