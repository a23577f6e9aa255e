#include "codelets/illumination.hpp"

#include "codelets/device/frames.hpp"

namespace tessera {
namespace {

// |u|^2 summed over modes. x, y: of the probe.
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

// window = power of the frames' probes, of one plane. x, y: of the batch's window.
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

// coverage = sum over frames and the object's modes of |O|^2 under the probe. x, y: of the probe.
struct GatherCoverage {
    BatchShape s;
    const FramePosition* frames;
    ObjectWindow object;
    const IterationState* state;
    cfloat* coverage;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t) const {
        if (state->stopped != 0) return;
        float sum = 0;
        for (std::int32_t j = 0; j < s.num_frames; ++j) {
            for (std::int32_t m = 0; m < s.num_object_modes; ++m)
                sum = norm_add(object.of_mode(s, m).pixel(s, frames[j].y + y, frames[j].x + x), sum);
        }
        coverage[at(s.probe, y, x)] = {sum, 0};
    }
};

// Calls visit(plane, power) with the probe's power, (y, x), in one plane after the other.
template <class Visit>
void for_power_in_planes(const BatchShape& s, const cfloat* probe, const cfloat* transfers, Device& device,
                         const Visit& visit) {
    auto* power = device.scratch<float>(Scratch::product, s.probe.area());
    device.for_each({s.probe.x, s.probe.y}, ProbePower{s, probe, power});
    for (std::int32_t mode = 0; mode < s.num_object_modes; ++mode) visit(mode, power);
    if (s.num_slices == 1) return;
    BatchShape window = s;  // waves without the padding of a frame
    window.frame = s.probe;
    auto* waves = device.scratch<cfloat>(Scratch::slice_waves, s.probe_size());
    device.copy(waves, probe, s.probe_size() * sizeof(cfloat));
    for (std::int32_t slice = 1; slice < s.num_slices; ++slice) {
        device.forward(waves, s.probe, s.num_modes);
        device.for_each(
            {s.probe.x, s.probe.y, s.num_modes},
            MultiplyTransfer{window, slice_transfer(s, transfers, slice - 1), nullptr, false, waves});
        device.backward(waves, s.probe, s.num_modes);
        device.for_each({s.probe.x, s.probe.y}, ProbePower{s, waves, power});
        visit(slice, power);
    }
}

}  // namespace

void illumination_device(const IlluminationArgs& args, const Buffers& buffers, Device& device) {
    const BatchShape& s = args.shape;
    auto* out = buffers.get<std::byte>(5);
    device.clear(out, out_bytes(s));
    const auto* frames = buffers.get<const FramePosition>(0);
    const auto* state = buffers.get<const IterationState>(4);
    const DetectorView detector = detector_view(buffers.get<const std::byte>(1), s);
    const auto probe = moving_field(buffers.get<const std::byte>(2), s.probe_size());
    const auto object = moving_field(buffers.get<const std::byte>(3), s.tile_size());
    cfloat* window = window_part(out, s.probe_size());
    const auto gather = [&](std::int32_t plane, const float* power) {
        device.for_each({s.window.x, s.window.y},
                        GatherIllumination{s, frames, power, state, window + plane * area_of(s.window)});
    };
    for_power_in_planes(s, probe.value, detector.slice_transfers, device, gather);
    device.for_each({s.probe.x, s.probe.y},
                    GatherCoverage{s, frames, {object.value, 1}, state, probe_part(out)});
}

}  // namespace tessera
