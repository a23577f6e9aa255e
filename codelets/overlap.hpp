#pragma once

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

enum class OverlapPart : std::int32_t { object, probe };

// The overlap projection: the object and probe whose products come closest to the exit waves. What a batch
// adds to it:
//   object   window: numerator sum_jk conj(P_k) (psi_jk - P_k O), then weight sum_jk |P_k|^2 (real parts)
//   probe    probe part: numerators sum_j conj(O) (psi_jk - P_k O) of each mode, then weight sum_j |O|^2
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
// overlap projection is done. Cost: no transform; fourier interpolation 1 a mode and frame, 2 for the probe.
extern const Codelet<OverlapArgs> overlap_object;
extern const Codelet<OverlapArgs> overlap_probe;

// On a device: overlap.cu.
void overlap_object_device(const OverlapArgs&, const Buffers&, Device&);
void overlap_probe_device(const OverlapArgs&, const Buffers&, Device&);

}  // namespace tessera
