#pragma once

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

struct OrthogonalizeArgs {
    std::int32_t num_modes = 1;
    Shape2 probe;
    std::size_t probe_size() const { return static_cast<std::size_t>(num_modes) * probe.area(); }
    BufferBytes buffer_bytes() const {
        return {moving_field_bytes(probe_size()), probe_size() * sizeof(cfloat), sizeof(IterationState)};
    }
};

// The modes of the probe become orthogonal, by falling power: P'_i = sum_j V_ij P_j, with V the eigenvectors
// of the Gram matrix <P_i, P_j> (Thibault and Menzel, Nature 494:68, 2013). V is unitary, so no intensity
// changes; the direction and the last gradient are mixed alike, so that engines go on as if nothing had
// happened. The eigenvectors in double. Nothing once the state says stopped.
// Buffers: probe RW, gradient RW, state R.
extern const Codelet<OrthogonalizeArgs> orthogonalize;

// On a device: orthogonalize.cu.
void orthogonalize_device(const OrthogonalizeArgs&, const Buffers&, Device&);

}  // namespace tessera
