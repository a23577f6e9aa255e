#pragma once

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"
#include "math/host_device.hpp"

namespace tessera {

// An ellipse about the middle of a window or spectrum, in pixels; 0: everything is inside.
struct SemiAxes {
    float y = 0, x = 0;
    TESSERA_HD bool are_set() const { return y > 0 && x > 0; }
    // (y, x): from the middle.
    TESSERA_HD bool contain(std::int32_t from_y, std::int32_t from_x) const {
        const float v = static_cast<float>(from_y) / y, u = static_cast<float>(from_x) / x;
        return !are_set() || v * v + u * u <= 1;
    }
};

// Where a probe may be other than zero: in its window, and in its spectrum.
struct ProbeSupport {
    SemiAxes window, spectrum;
};

// Of a transform's index: from -n/2 on.
TESSERA_HD std::int32_t frequency_index(std::int32_t i, std::int32_t n) {
    return i < (n + 1) / 2 ? i : i - n;
}

// What takes part of a probe: all that belongs to it, or what it is about to move along.
enum class SupportedPart : std::int32_t { all, direction };

struct SupportProbeArgs {
    ProbeSupport support;
    std::int32_t num_modes = 1;
    Shape2 probe;
    SupportedPart part = SupportedPart::all;
    std::size_t probe_size() const { return static_cast<std::size_t>(num_modes) * probe.area(); }
    BufferBytes buffer_bytes() const {
        return {moving_field_bytes(probe_size()), probe_size() * sizeof(cfloat), sizeof(IterationState)};
    }
};

// P <- S P of every mode, S zero outside the support: of its spectrum first, then of its window, so that the
// window's is exact. Either alone is a projection; of both together the spectrum leaks a little. Value,
// direction and gradient (or velocity) alike, or the direction alone. Nothing once the state says stopped.
// Buffers: probe RW, gradient RW, state R. Cost: 2 transforms a mode and field with a support in the
// spectrum.
extern const Codelet<SupportProbeArgs> support_probe;

struct SupportGradientArgs {
    ProbeSupport support;
    std::int32_t num_modes = 1;
    Shape2 probe;
    std::size_t probe_size() const { return static_cast<std::size_t>(num_modes) * probe.area(); }
    BufferBytes buffer_bytes() const { return {sums_bytes(probe_size()), sizeof(IterationState)}; }
};

// g <- S g of the probe's gradient in the sums over all tiles: what is left of a gradient for a probe that
// stays inside. S^T = S for either support, so <g, M g> of it is the slope along -S M S g.
// Buffers: sums RW (total), state R.
extern const Codelet<SupportGradientArgs> support_gradient;

// The same for modes in the host's memory, (mode, y, x), aligned as for transforms.
void support_modes(const ProbeSupport& support, std::int32_t num_modes, Shape2 probe, cfloat* modes);

// On a device: support_probe.cu.
void support_probe_device(const SupportProbeArgs&, const Buffers&, Device&);
void support_gradient_device(const SupportGradientArgs&, const Buffers&, Device&);

}  // namespace tessera
