#pragma once

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"
#include "codelets/support_probe.hpp"

namespace tessera {

// The end of an overlap projection, from what `overlap` has added up over batches and tiles:
//   value += numerator / (weight + inertia)

struct DivideObjectArgs {
    Shape2 tile;
    std::int32_t num_modes = 1;                      // of the object
    double inertia = 0;                              // > 0, in units of the weight
    double least_amplitude = 0, most_amplitude = 0;  // 0, 0: any
    BufferBytes buffer_bytes() const {
        return {moving_field_bytes(volume(tile, num_modes)), field_bytes(tile, num_overlap_planes(num_modes)),
                sizeof(IterationState)};
    }
};

// Of an extended tile; amplitudes are then clipped. Buffers: object RW, field R (numerators, weight), state
// R. Nothing happens once the state says stopped or that the overlap projection is done.
extern const Codelet<DivideObjectArgs> divide_object;

enum class ProbeCentering : std::int32_t { off, on };

struct DivideProbeArgs {
    Shape2 probe;
    std::int32_t num_modes = 1;
    double inertia = 0;
    SemiAxes support;   // in the window
    double enough = 0;  // the overlap projection is done with a smaller relative change
    ProbeCentering centering = ProbeCentering::off;
    double center_tol_px = 0;
    std::size_t probe_size() const { return static_cast<std::size_t>(num_modes) * probe.area(); }
    std::size_t sums_size() const { return probe_size() + probe.area(); }
    BufferBytes buffer_bytes() const {
        return {moving_field_bytes(probe_size()), sums_bytes(sums_size()), sizeof(IterationState)};
    }
};

// All modes of the probe, zero outside the support. The state gets the relative change ||P - P_before|| /
// ||P||, and whether that is enough. With centering, when the centre of mass of sum_k |P_k|^2 is off the
// window's by more than center_tol_px, all modes are rolled back by whole pixels; the state says by how much,
// for `overlap` to roll the waves by (in the far field their amplitudes do not change), and the projection is
// not done. Buffers: probe RW, sums R (total), state RW.
extern const Codelet<DivideProbeArgs> divide_probe;

// On a device: divide.cu.
void divide_object_device(const DivideObjectArgs&, const Buffers&, Device&);
void divide_probe_device(const DivideProbeArgs&, const Buffers&, Device&);

}  // namespace tessera
