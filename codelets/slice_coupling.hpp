#pragma once

#include "codelets/layout.hpp"
#include "codelets/unit_phase.hpp"

// What `couple_slices` does to a pixel and to a frequency: one text for all devices.
namespace tessera::coupling {

// Fields that are filtered are larger than the tile: beyond it they go on as at its edge, so that the
// transform's periodicity joins what is far apart.
inline constexpr std::int32_t least_padding = 32;

inline std::int32_t padded_side(std::int32_t side) {
    const auto is_fast = [](std::int32_t n) {
        for (const std::int32_t factor : {2, 3, 5})
            while (n % factor == 0) n /= factor;
        return n == 1;
    };
    std::int32_t padded = (side + least_padding + 3) / 4 * 4;
    while (!is_fast(padded)) padded += 4;
    return padded;
}
inline Shape2 padded_shape(Shape2 tile) {
    return {padded_side(tile.y), padded_side(tile.x)};
}

// Of an axis of n pixels: the one that pixel i of the padded axis repeats.
TESSERA_HD std::int32_t source_of(std::int32_t i, std::int32_t n, std::int32_t padded) {
    if (i < n) return i;
    return 2 * (i - n) < padded - n ? n - 1 : 0;
}

// The cosines along the slices, orthonormal for k = 0 ... L - 1; slices beyond the first and the last are
// their mirror images. k = 0, the sum, is never asked for.
TESSERA_HD float cosine(std::int32_t k, std::int32_t slice, std::int32_t num_slices) {
    const std::int32_t turn = k * (2 * slice + 1) % (4 * num_slices);
    return square_root(2.0f / static_cast<float>(num_slices)) *
           unit_phase(static_cast<float>(turn) / static_cast<float>(2 * num_slices)).re;
}

// Signed frequency of index i of a transform of n, in cycles a pixel.
TESSERA_HD float frequency_of(std::int32_t i, std::int32_t n) {
    return static_cast<float>(i < (n + 1) / 2 ? i : i - n) / static_cast<float>(n);
}

// How much of a frequency is taken away, from 0 to 1: (2 / pi) atan((R q_z)^2 / (q_y^2 + q_x^2 + 10^-3)),
// q_z = k / (2 L) cycles a slice. Depth of field grows as the square of lateral resolution: what is coarse
// in the plane cannot be told apart along the beam.
TESSERA_HD float damping(float strength, std::int32_t k, std::int32_t num_slices, float q_y, float q_x) {
    constexpr float two_over_pi = 0.63661977236758134f, least = 1e-3f;
    const float q_z = strength * static_cast<float>(k) / static_cast<float>(2 * num_slices);
    return two_over_pi * ::atanf(q_z * q_z / (q_y * q_y + q_x * q_x + least));
}

// log |O| + i arg(O / S), S: what stands for all slices at this pixel. Phases of slices that differ by less
// than half a turn from it need no unwrapping.
TESSERA_HD cfloat logarithm(cfloat object, cfloat sum) {
    constexpr float least = 1e-12f;
    const float power = norm(object);
    const cfloat turned = conj_mul(sum, object);
    return {0.5f * ::logf(power > least ? power : least), ::atan2f(turned.im, turned.re)};
}

// O exp(c)
TESSERA_HD cfloat moved(cfloat object, cfloat change) {
    constexpr float one_over_pi = 0.31830988618379067f;
    const float factor = ::expf(change.re);
    const cfloat phase = unit_phase(one_over_pi * change.im);
    return cfloat{factor * phase.re, factor * phase.im} * object;
}

}  // namespace tessera::coupling
