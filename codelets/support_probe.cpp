#include "codelets/support_probe.hpp"

#include <cmath>

#include "codelets/cost_model.hpp"
#include "math/fft.hpp"

namespace tessera {
namespace {

void clear_outside_window(SemiAxes inside, Shape2 shape, cfloat* mode) {
    for (std::int32_t y = 0; y < shape.y; ++y) {
        for (std::int32_t x = 0; x < shape.x; ++x, ++mode) {
            if (!inside.contain(y - shape.y / 2, x - shape.x / 2)) *mode = {0, 0};
        }
    }
}

// With the 1 / size of two transforms.
void clear_outside_spectrum(SemiAxes inside, Shape2 shape, cfloat* spectrum) {
    const float scale = 1.0f / static_cast<float>(shape.area());
    for (std::int32_t y = 0; y < shape.y; ++y) {
        for (std::int32_t x = 0; x < shape.x; ++x, ++spectrum) {
            const bool is_in = inside.contain(frequency_index(y, shape.y), frequency_index(x, shape.x));
            *spectrum = is_in ? scale * *spectrum : cfloat{0, 0};
        }
    }
}

void support_probe_cpu(const SupportProbeArgs& args, const Buffers& buffers) {
    if (buffers.get<const IterationState>(2)->stopped != 0) return;
    const auto probe = moving_field(buffers.get<std::byte>(0), args.probe_size());
    support_modes(args.support, args.num_modes, args.probe, probe.direction);
    if (args.part == SupportedPart::direction) return;
    support_modes(args.support, args.num_modes, args.probe, probe.value);
    support_modes(args.support, args.num_modes, args.probe, buffers.get<cfloat>(1));
}

void support_gradient_cpu(const SupportGradientArgs& args, const Buffers& buffers) {
    if (buffers.get<const IterationState>(1)->stopped != 0) return;
    support_modes(args.support, args.num_modes, args.probe, probe_part(buffers.get<std::byte>(0)));
}

Cost support_cost(const ProbeSupport& support, double pixels, Shape2 probe) {
    const double transforms =
        support.spectrum.are_set() ? 10 * std::log2(std::max(static_cast<double>(probe.area()), 2.0)) : 0;
    return pixels_cost(pixels, 8 + transforms, 2 * sizeof(cfloat));
}

Cost support_probe_cost(const SupportProbeArgs& args) {
    const double fields = args.part == SupportedPart::all ? 3 : 1;
    return support_cost(args.support, fields * static_cast<double>(args.probe_size()), args.probe);
}

Cost support_gradient_cost(const SupportGradientArgs& args) {
    return support_cost(args.support, static_cast<double>(args.probe_size()), args.probe);
}

}  // namespace

void support_modes(const ProbeSupport& support, std::int32_t num_modes, Shape2 probe, cfloat* modes) {
    for (std::int32_t k = 0; k < num_modes; ++k, modes += probe.area()) {
        if (support.spectrum.are_set()) {
            const FftPlan& plan = fft_plan({probe.y, probe.x});
            plan.forward(modes);
            clear_outside_spectrum(support.spectrum, probe, modes);
            plan.backward(modes);
        }
        if (support.window.are_set()) clear_outside_window(support.window, probe, modes);
    }
}

const Codelet<SupportProbeArgs> support_probe =
    Codelet<SupportProbeArgs>::make<support_probe_cpu, TESSERA_ON_DEVICE(support_probe_device),
                                    support_probe_cost>(
        "support_probe", {Access::read_write, Access::read_write, Access::read});
const Codelet<SupportGradientArgs> support_gradient =
    Codelet<SupportGradientArgs>::make<support_gradient_cpu, TESSERA_ON_DEVICE(support_gradient_device),
                                       support_gradient_cost>("support_gradient",
                                                              {Access::read_write, Access::read});

}  // namespace tessera
