#pragma once

#include "codelets/accumulate.hpp"
#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

struct SmoothObjectArgs {
    Shape2 tile;
    Strip interior;
    std::int32_t num_planes = 1;
    float total_variation = 0;  // weight
    float smoothing = 0;        // share
    BufferBytes buffer_bytes() const {
        return {moving_field_bytes(volume(tile, num_planes)), sizeof(IterationState)};
    }
};

// What a pixel of an object has to do with its neighbours, on the complex transmission, each plane alone.
//
//   total variation  the proximal step  least_u  1/2 sum |u - O|^2 + weight sum (|d_y u|^2 + |d_x u|^2)^1/2,
//                    d the differences to the next pixels, 0 at the object's edge; by num_variation_steps
//                    projections in the dual (Chambolle, J. Math. Imaging Vis. 20:89, 2004, in the form of
//                    Beck and Teboulle, IEEE Trans. Image Process. 18:2419, 2009), from p = 0:
//                      p <- P(p + grad u / (8 weight)),   u = O + weight div p,   P to |p| <= 1
//   smoothing        then u <- (1 - share) u + share / 8 sum of its eight neighbours; at the object's edge
//                    those that are missing are as the pixels nearest to them.
//
// Both turn with a common phase and know nothing of a phase ramp's being harmless. All of the extended tile
// within reach takes part, its interior is changed; beyond that reach, or the object's edge, nothing counts,
// so that every tiling gives the same. Buffers: object RW, state R. Nothing once the state says stopped.
extern const Codelet<SmoothObjectArgs> smooth_object;

inline constexpr std::int32_t num_variation_steps = 10;

// How many pixels beyond the interior take part. Tiles must have them (make_tiling), up to the object's edge.
inline std::int32_t smoothing_reach(bool total_variation, bool smoothing) {
    return (total_variation ? num_variation_steps : 0) + (smoothing ? 1 : 0);
}

// Those of the tile, which ends at the object's edge where there are fewer.
inline Strip smoothed_window(const SmoothObjectArgs& args) {
    const std::int32_t reach = smoothing_reach(args.total_variation > 0, args.smoothing > 0);
    const Strip& inner = args.interior;
    const std::int32_t y = std::max(inner.y - reach, 0), x = std::max(inner.x - reach, 0);
    return {y,
            x,
            {std::min(inner.y + inner.shape.y + reach, args.tile.y) - y,
             std::min(inner.x + inner.shape.x + reach, args.tile.x) - x}};
}

// Pixels of the scratch that it takes, at most: u and p of a plane.
inline std::size_t smooth_object_scratch(Shape2 tile) {
    return 3 * static_cast<std::size_t>(tile.y + 1) * static_cast<std::size_t>(tile.x + 2);
}

// On a device: smooth_object.cu.
void smooth_object_device(const SmoothObjectArgs&, const Buffers&, Device&);

}  // namespace tessera
