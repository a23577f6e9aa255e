#include "codelets/support_probe.hpp"

#include "codelets/device/device.hpp"

namespace tessera {
namespace {

// x, y: of a mode, z: mode.
struct ClearOutsideSpectrum {
    SemiAxes inside;
    Shape2 probe;
    const IterationState* state;
    cfloat* spectra;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t k) const {
        if (state->stopped != 0) return;
        cfloat& value = spectra[(static_cast<std::ptrdiff_t>(k) * probe.y + y) * probe.x + x];
        const bool is_in = inside.contain(frequency_index(y, probe.y), frequency_index(x, probe.x));
        value = is_in ? 1.0f / static_cast<float>(probe.y * probe.x) * value : cfloat{0, 0};
    }
};

struct ClearOutsideWindow {
    SemiAxes inside;
    Shape2 probe;
    const IterationState* state;
    cfloat* modes;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t k) const {
        if (state->stopped != 0 || inside.contain(y - probe.y / 2, x - probe.x / 2)) return;
        modes[(static_cast<std::ptrdiff_t>(k) * probe.y + y) * probe.x + x] = {0, 0};
    }
};

struct KeepModes {
    const IterationState* state;
    const cfloat* from;
    cfloat* to;
    TESSERA_HD void operator()(std::int32_t i, std::int32_t, std::int32_t) const {
        if (state->stopped == 0) to[i] = from[i];
    }
};

// A transform cannot be left out by what the state says: it works on a copy.
void support(const ProbeSupport& by, std::int32_t num_modes, Shape2 probe, const IterationState* state,
             cfloat* modes, Device& device) {
    const Extent all = {probe.x, probe.y, num_modes};
    if (by.spectrum.are_set()) {
        const std::size_t size = static_cast<std::size_t>(num_modes) * probe.area();
        auto* spectra = device.scratch<cfloat>(Scratch::product, size);
        device.copy(spectra, modes, size * sizeof(cfloat));
        device.forward(spectra, probe, num_modes);
        device.for_each(all, ClearOutsideSpectrum{by.spectrum, probe, state, spectra});
        device.backward(spectra, probe, num_modes);
        device.for_each({static_cast<std::int32_t>(size)}, KeepModes{state, spectra, modes});
    }
    if (by.window.are_set()) device.for_each(all, ClearOutsideWindow{by.window, probe, state, modes});
}

}  // namespace

void support_probe_device(const SupportProbeArgs& args, const Buffers& buffers, Device& device) {
    const auto probe = moving_field(buffers.get<std::byte>(0), args.probe_size());
    const auto* state = buffers.get<const IterationState>(2);
    support(args.support, args.num_modes, args.probe, state, probe.direction, device);
    if (args.part == SupportedPart::direction) return;
    support(args.support, args.num_modes, args.probe, state, probe.value, device);
    support(args.support, args.num_modes, args.probe, state, buffers.get<cfloat>(1), device);
}

void support_gradient_device(const SupportGradientArgs& args, const Buffers& buffers, Device& device) {
    support(args.support, args.num_modes, args.probe, buffers.get<const IterationState>(1),
            probe_part(buffers.get<std::byte>(0)), device);
}

}  // namespace tessera
