#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codelets/overlap.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "codelets/cost_model.hpp"
#include "codelets/frame_model-inl.hpp"
#include "codelets/overlap.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

// wave(y, x) <- wave(y - roll_y, x - roll_x), periodic.
inline void roll(cfloat* wave, Shape2 shape, int roll_y, int roll_x) {
    for (int y = 0; y < shape.y; ++y) {
        cfloat* row = wave + static_cast<std::ptrdiff_t>(y) * shape.x;
        std::rotate(row, row + (shape.x - roll_x) % shape.x, row + shape.x);
    }
    std::rotate(wave, wave + static_cast<std::ptrdiff_t>((shape.y - roll_y) % shape.y) * shape.x,
                wave + static_cast<std::ptrdiff_t>(shape.y) * shape.x);
}

void follow_the_probe(const IterationState& state, const BatchShape& s, cfloat* psi) {
    if (state.roll_y == 0 && state.roll_x == 0) return;
    const auto within = [](std::int32_t shift, std::int32_t count) {
        return ((shift % count) + count) % count;
    };
    const int roll_y = within(state.roll_y, s.frame.y), roll_x = within(state.roll_x, s.frame.x);
    const std::size_t num_waves =
        static_cast<std::size_t>(s.num_frames) * static_cast<std::size_t>(s.num_waves());
    for (std::size_t i = 0; i < num_waves; ++i) roll(psi + i * s.frame.area(), s.frame, roll_y, roll_x);
}

void overlap_of_batch(const OverlapArgs& args, const Buffers& buffers) {
    const BatchShape& s = args.shape;
    const auto& state = *buffers.get<const IterationState>(3);
    if (state.stopped != 0 || state.overlap_done != 0) return;
    auto* out = buffers.get<std::byte>(4);
    auto* psi = buffers.get<cfloat>(5);
    const std::size_t probe_size = overlap_probe_size(s);
    std::memset(out, 0, args.part == OverlapPart::object ? overlap_out_bytes(s) : sums_bytes(probe_size));
    if (args.part == OverlapPart::object) follow_the_probe(state, s, psi);
    FrameModel model(s, buffers.get<const std::byte>(1), buffers.get<const std::byte>(2), nullptr,
                     Workspace::of_this_worker());
    model.prepare(Moving::nothing);
    const auto* frames = buffers.get<const FramePosition>(0);
    cfloat* window = window_part(out, probe_size);
    cfloat* probe = probe_part(out);
    for (std::int32_t j = 0; j < s.num_frames; ++j, psi += s.waves_size()) {
        model.place(frames[j]);
        for (int i = 0; i < s.num_waves(); ++i) {
            const cfloat* wave = psi + static_cast<std::size_t>(i) * s.frame.area();
            if (args.part == OverlapPart::object) {
                model.add_object_residual(i, wave, window);
            } else {
                model.add_probe_residual(i, wave, probe);
            }
        }
        if (args.part == OverlapPart::object) {
            model.add_probe_power(window + volume(s.window, s.num_object_modes));
        } else {
            model.add_object_power(probe + s.probe_size());
        }
    }
    if (args.part == OverlapPart::probe) model.finish(probe, Moving::object_and_probe);
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera {
namespace {

HWY_EXPORT(overlap_of_batch);

void overlap_object_cpu(const OverlapArgs& args, const Buffers& buffers) {
    HWY_DYNAMIC_DISPATCH(overlap_of_batch)(args, buffers);
}

void overlap_probe_cpu(const OverlapArgs& args, const Buffers& buffers) {
    HWY_DYNAMIC_DISPATCH(overlap_of_batch)(args, buffers);
}

Cost overlap_cost(const OverlapArgs& args) {
    return frames_cost(args.shape, 0, args.part == OverlapPart::probe ? 2 : 1, 20);
}

}  // namespace

BufferBytes OverlapArgs::buffer_bytes() const {
    return {frames_bytes(shape),    probe_bytes(shape),       moving_field_bytes(shape.tile_size()),
            sizeof(IterationState), overlap_out_bytes(shape), exit_wave_bytes(shape)};
}

const Codelet<OverlapArgs> overlap_object =
    Codelet<OverlapArgs>::make<overlap_object_cpu, TESSERA_ON_DEVICE(overlap_object_device), overlap_cost>(
        "overlap_object",
        {Access::read, Access::read, Access::read, Access::read, Access::write, Access::read_write});
const Codelet<OverlapArgs> overlap_probe =
    Codelet<OverlapArgs>::make<overlap_probe_cpu, TESSERA_ON_DEVICE(overlap_probe_device), overlap_cost>(
        "overlap_probe",
        {Access::read, Access::read, Access::read, Access::read, Access::write, Access::read});

}  // namespace tessera
#endif  // HWY_ONCE
