#pragma once

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

enum class OverlapPart : std::int32_t { object, probe };

// The overlap projection: the object and probe whose products come closest to the exit waves. What a batch
// adds to it:
//   object   window: numerators sum_jk conj(P_k) (psi_jmk - P_k O_m) of each mode m of the object, then
//            weight sum_jk |P_k|^2 (real parts), the same for all
//   probe    probe part: numerators sum_jm conj(O_m) (psi_jmk - P_k O_m) of each mode k of the probe, then
//            weight sum_jm |O_m|^2
// Numerators are of what is missing, so that nothing moves where the waves are P O already, whatever the
// interpolation; with whole pixels, value + numerator / weight is the textbook's sum conj(P) psi / sum |P|^2.
struct OverlapArgs {
    BatchShape shape;
    OverlapPart part = OverlapPart::object;
    BufferBytes buffer_bytes() const;
};

// For the object, waves first follow the probe where it has just been centred (state: roll).
// Buffers: frames R, probe R, object R, state R, out W (overwritten; layout of overlap_out_bytes()), wave RW
// for the object, R for the probe. Returns at once, out as it is, when the state says stopped or that the
// overlap projection is done. Cost: no transform; fourier interpolation 1 a wave and frame, 2 for the probe.
extern const Codelet<OverlapArgs> overlap_object;
extern const Codelet<OverlapArgs> overlap_probe;

// On a device: overlap.cu.
void overlap_object_device(const OverlapArgs&, const Buffers&, Device&);
void overlap_probe_device(const OverlapArgs&, const Buffers&, Device&);

}  // namespace tessera
