#pragma once

#include <cmath>
#include <limits>
#include <numbers>

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"
#include "pixel/formulas.hpp"

namespace tessera {

struct LimitObjectArgs {
    std::size_t size = 0;  // pixels, of all slices
    double least_amplitude = 0, most_amplitude = std::numeric_limits<float>::max();
    double first_phase = -std::numbers::pi, last_phase = std::numbers::pi;
    BufferBytes buffer_bytes() const { return {moving_field_bytes(size), sizeof(IterationState)}; }
};

// Every pixel of an extended tile within limits: its phase first, from first_phase on to last_phase, at most
// a turn further, else at the nearer of the two; its amplitude then. What is within stays to the last bit,
// and a pixel that is 0 has no phase and stays 0. Tiles agree afterwards wherever they did before.
// Buffers: object RW, state R. Nothing happens once the state says stopped.
extern const Codelet<LimitObjectArgs> limit_object;

// What a pixel is compared with, for both bodies.
inline pixel::TransmissionLimits<float> limits_of(const LimitObjectArgs& args) {
    const auto unit = [](double phase) {
        return cfloat{static_cast<float>(std::cos(phase)), static_cast<float>(std::sin(phase))};
    };
    const bool is_wide = args.last_phase - args.first_phase > std::numbers::pi;
    return {static_cast<float>(args.least_amplitude), static_cast<float>(args.most_amplitude),
            unit(args.first_phase), unit(args.last_phase), is_wide ? 1.0f : -1.0f};
}
inline constexpr float tiny_power = 1e-30f;  // added to |O|^2 where it is divided by

// On a device: limit_object.cu.
void limit_object_device(const LimitObjectArgs&, const Buffers&, Device&);

}  // namespace tessera
