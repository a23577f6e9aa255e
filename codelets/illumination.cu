#include "codelets/illumination.hpp"

#include "codelets/device/frames.hpp"

namespace tessera {
namespace {

// |P|^2 summed over modes. x, y: of the probe.
struct ProbePower {
    BatchShape s;
    const cfloat* probe;
    float* power;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t) const {
        const std::ptrdiff_t pixel = at(s.probe, y, x);
        float sum = 0;
        for (std::int32_t k = 0; k < s.num_modes; ++k)
            sum = norm_add(probe[k * area_of(s.probe) + pixel], sum);
        power[pixel] = sum;
    }
};

// window = power of the frames' probes. x, y: of the batch's window.
struct GatherIllumination {
    BatchShape s;
    const FramePosition* frames;
    const float* power;
    const IterationState* state;
    cfloat* window;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t) const {
        if (state->stopped != 0) return;
        float sum = 0;
        for (std::int32_t j = 0; j < s.num_frames; ++j) {
            const std::int32_t py = s.window_y + y - frames[j].y, px = s.window_x + x - frames[j].x;
            if (py >= 0 && px >= 0 && py < s.probe.y && px < s.probe.x) sum += power[at(s.probe, py, px)];
        }
        window[at(s.window, y, x)] = {sum, 0};
    }
};

// coverage = sum over frames of |O|^2 under the probe. x, y: of the probe.
struct GatherCoverage {
    BatchShape s;
    const FramePosition* frames;
    const cfloat* object;
    const IterationState* state;
    cfloat* coverage;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t) const {
        if (state->stopped != 0) return;
        float sum = 0;
        for (std::int32_t j = 0; j < s.num_frames; ++j) {
            sum = norm_add(object[at(s.tile, frames[j].y + y, frames[j].x + x)], sum);
        }
        coverage[at(s.probe, y, x)] = {sum, 0};
    }
};

}  // namespace

void illumination_device(const IlluminationArgs& args, const Buffers& buffers, Device& device) {
    const BatchShape& s = args.shape;
    auto* out = buffers.get<std::byte>(4);
    device.clear(out, out_bytes(s.window, s.probe_size()));
    const auto* frames = buffers.get<const FramePosition>(0);
    const auto* state = buffers.get<const IterationState>(3);
    const auto probe = moving_field(buffers.get<const std::byte>(1), s.probe_size());
    const auto object = moving_field(buffers.get<const std::byte>(2), s.tile.area());
    auto* power = device.scratch<float>(Scratch::product, s.probe.area());
    device.for_each({s.probe.x, s.probe.y}, ProbePower{s, probe.value, power});
    device.for_each({s.window.x, s.window.y},
                    GatherIllumination{s, frames, power, state, window_part(out, s.probe_size())});
    device.for_each({s.probe.x, s.probe.y}, GatherCoverage{s, frames, object.value, state, probe_part(out)});
}

}  // namespace tessera
