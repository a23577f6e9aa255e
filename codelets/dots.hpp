#pragma once

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

struct DotsArgs {
    Shape2 tile;
    std::int32_t interior_y = 0, interior_x = 0;  // the interior in the extended tile
    Shape2 interior;
    double alpha = 0.1;
    std::int32_t num_planes = 1;
    BufferBytes buffer_bytes() const;
};

// S1 = <g, M g>, S2 = Re <M g, g_previous>, S3 = Re <d, g> over a tile's interior in all planes, so that
// halos count once; added to its sums. Buffers: gradient R, previous gradient R, object R (direction),
// illumination R, state R, sums RW.
extern const Codelet<DotsArgs> dots;

// On a device: dots.cu.
void dots_device(const DotsArgs&, const Buffers&, Device&);

}  // namespace tessera
