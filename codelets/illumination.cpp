#include "codelets/illumination.hpp"

#include <cstring>

#include "codelets/cost_model.hpp"
#include "codelets/runtime/workspace.hpp"
#include "math/fft.hpp"

namespace tessera {
namespace {

// |u|^2 summed over modes, (y, x).
void set_power(const cfloat* modes, const BatchShape& s, float* power) {
    const std::size_t area = s.probe.area();
    std::memset(power, 0, area * sizeof(float));
    for (int k = 0; k < s.num_modes; ++k) {
        const cfloat* wave = modes + static_cast<std::size_t>(k) * area;
        for (std::size_t i = 0; i < area; ++i) power[i] += wave[i].re * wave[i].re + wave[i].im * wave[i].im;
    }
}

// All modes, through free space to the next slice.
void travel(cfloat* modes, const cfloat* transfer, const BatchShape& s) {
    const std::size_t area = s.probe.area();
    const FftPlan& plan = fft_plan({s.probe.y, s.probe.x});
    for (int k = 0; k < s.num_modes; ++k) {
        cfloat* wave = modes + static_cast<std::size_t>(k) * area;
        plan.forward(wave);
        for (std::size_t i = 0; i < area; ++i) wave[i] = transfer[i] * wave[i];
        plan.backward(wave);
    }
}

// Calls visit(plane, power) with the probe's power, (y, x), in one plane after the other.
template <class Visit>
void for_power_in_planes(const cfloat* probe, const cfloat* transfers, const BatchShape& s,
                         const Visit& visit) {
    Workspace& workspace = Workspace::of_this_worker();
    float* power = workspace.get<float>(Workspace::Slot::product, s.probe.area());
    set_power(probe, s, power);
    for (int mode = 0; mode < s.num_object_modes; ++mode) visit(mode, power);
    if (s.num_slices == 1) return;
    cfloat* waves = workspace.get<cfloat>(Workspace::Slot::slice_waves, s.probe_size());
    std::memcpy(static_cast<void*>(waves), probe, s.probe_size() * sizeof(cfloat));
    for (int slice = 1; slice < s.num_slices; ++slice) {
        travel(waves, slice_transfer(s, transfers, slice - 1), s);
        set_power(waves, s, power);
        visit(slice, power);
    }
}

void add_to_window(const float* power, const FramePosition& at, const BatchShape& s, cfloat* window) {
    const std::int32_t row = at.y - s.window_y, column = at.x - s.window_x;
    const WindowPart part = part_inside(s.window, row, column, s.probe);
    for (int y = part.y0; y < part.y1; ++y) {
        const float* p = power + static_cast<std::ptrdiff_t>(y) * s.probe.x;
        cfloat* w = window + static_cast<std::ptrdiff_t>(row + y) * s.window.x;
        for (int x = part.x0; x < part.x1; ++x) w[column + x].re += p[x];
    }
}

// `vacuum`: |O|^2 beyond the tile.
void add_to_coverage(const cfloat* object, float vacuum, const FramePosition& at, const BatchShape& s,
                     cfloat* coverage) {
    const WindowPart part = part_inside(s.tile, at.y, at.x, s.probe);
    for (int y = 0; y < s.probe.y; ++y) {
        cfloat* c = coverage + static_cast<std::ptrdiff_t>(y) * s.probe.x;
        const auto add_vacuum = [&](int begin, int end) {
            for (int x = begin; x < end; ++x) c[x].re += vacuum;
        };
        if (!part.has_row(y)) {
            add_vacuum(0, s.probe.x);
            continue;
        }
        const cfloat* o = object + static_cast<std::ptrdiff_t>(at.y + y) * s.tile.x;
        add_vacuum(0, part.x0);
        for (int x = part.x0; x < part.x1; ++x) {
            const cfloat pixel = o[at.x + x];
            c[x].re += pixel.re * pixel.re + pixel.im * pixel.im;
        }
        add_vacuum(part.x1, s.probe.x);
    }
}

void illumination_cpu(const IlluminationArgs& args, const Buffers& buffers) {
    const BatchShape& s = args.shape;
    auto* out = buffers.get<std::byte>(5);
    std::memset(out, 0, out_bytes(s));
    if (buffers.get<const IterationState>(4)->stopped != 0) return;
    const auto* frames = buffers.get<const FramePosition>(0);
    const DetectorView detector = detector_view(buffers.get<const std::byte>(1), s);
    const auto probe = moving_field(buffers.get<const std::byte>(2), s.probe_size());
    const auto object = moving_field(buffers.get<const std::byte>(3), s.tile_size());
    cfloat* window = window_part(out, s.probe_size());
    for_power_in_planes(probe.value, detector.slice_transfers, s, [&](int plane, const float* power) {
        for (int j = 0; j < s.num_frames; ++j)
            add_to_window(power, frames[j], s, window + volume(s.window, plane));
    });
    for (int mode = 0; mode < s.num_object_modes; ++mode) {
        const float vacuum = s.is_dark_in_vacuum(mode) ? 0.0f : 1.0f;
        for (int j = 0; j < s.num_frames; ++j)
            add_to_coverage(object.value + volume(s.tile, mode), vacuum, frames[j], s, probe_part(out));
    }
}

Cost illumination_cost(const IlluminationArgs& args) {
    return pixels_cost(
        static_cast<double>(args.shape.num_frames) * static_cast<double>(args.shape.probe.area()),
        4 + 4 * args.shape.num_planes(), 16 + 16 * args.shape.num_planes());
}

}  // namespace

BufferBytes IlluminationArgs::buffer_bytes() const {
    return {frames_bytes(shape),
            detector_bytes(shape),
            moving_field_bytes(shape.probe_size()),
            moving_field_bytes(shape.tile_size()),
            sizeof(IterationState),
            out_bytes(shape)};
}

const Codelet<IlluminationArgs> illumination =
    Codelet<IlluminationArgs>::make<illumination_cpu, TESSERA_ON_DEVICE(illumination_device),
                                    illumination_cost>(
        "illumination",
        {Access::read, Access::read, Access::read, Access::read, Access::read, Access::write});

}  // namespace tessera
