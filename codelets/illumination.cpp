#include "codelets/illumination.hpp"

#include <cstring>

#include "codelets/cost_model.hpp"
#include "codelets/runtime/workspace.hpp"

namespace tessera {
namespace {

// |P|^2 summed over modes: (y, x).
const float* probe_power(const cfloat* probe, const BatchShape& s, Workspace& workspace) {
    float* power = workspace.get<float>(Workspace::Slot::product, s.probe.area());
    std::memset(power, 0, s.probe.area() * sizeof(float));
    for (int k = 0; k < s.num_modes; ++k) {
        const cfloat* mode = probe + static_cast<std::size_t>(k) * s.probe.area();
        for (std::size_t i = 0; i < s.probe.area(); ++i)
            power[i] += mode[i].re * mode[i].re + mode[i].im * mode[i].im;
    }
    return power;
}

void illumination_cpu(const IlluminationArgs& args, const Buffers& buffers) {
    const BatchShape& s = args.shape;
    auto* out = buffers.get<std::byte>(4);
    std::memset(out, 0, out_bytes(s.window, s.probe_size()));
    if (buffers.get<const IterationState>(3)->stopped != 0) return;
    const auto* frames = buffers.get<const FramePosition>(0);
    const auto probe = moving_field(buffers.get<const std::byte>(1), s.probe_size());
    const auto object = moving_field(buffers.get<const std::byte>(2), s.tile.area());
    const float* power = probe_power(probe.value, s, Workspace::of_this_worker());
    cfloat* window = window_part(out, s.probe_size());
    cfloat* coverage = probe_part(out);
    for (int j = 0; j < s.num_frames; ++j) {
        const FramePosition& at = frames[j];
        for (int y = 0; y < s.probe.y; ++y) {
            const std::size_t row = static_cast<std::size_t>(y) * static_cast<std::size_t>(s.probe.x);
            const cfloat* o = object.value + static_cast<std::ptrdiff_t>(at.y + y) * s.tile.x + at.x;
            cfloat* w = window + static_cast<std::ptrdiff_t>(at.y - s.window_y + y) * s.window.x +
                        (at.x - s.window_x);
            for (int x = 0; x < s.probe.x; ++x) {
                w[x].re += power[row + static_cast<std::size_t>(x)];
                coverage[row + static_cast<std::size_t>(x)].re += o[x].re * o[x].re + o[x].im * o[x].im;
            }
        }
    }
}

Cost illumination_cost(const IlluminationArgs& args) {
    return pixels_cost(
        static_cast<double>(args.shape.num_frames) * static_cast<double>(args.shape.probe.area()), 8, 32);
}

}  // namespace

BufferBytes IlluminationArgs::buffer_bytes() const {
    return {frames_bytes(shape), moving_field_bytes(shape.probe_size()),
            moving_field_bytes(shape.tile.area()), sizeof(IterationState),
            out_bytes(shape.window, shape.probe_size())};
}

const Codelet<IlluminationArgs> illumination =
    Codelet<IlluminationArgs>::make<illumination_cpu, TESSERA_ON_DEVICE(illumination_device),
                                    illumination_cost>(
        "illumination", {Access::read, Access::read, Access::read, Access::read, Access::write});

}  // namespace tessera
