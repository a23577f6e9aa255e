#include "codelets/propagate.hpp"

#include "codelets/device/frame_fields.hpp"

namespace tessera {

void propagate_device(const PropagateArgs& args, const Buffers& buffers, Device& device) {
    const BatchShape& s = args.shape;
    const std::int32_t turn = frames_at_a_time(s, device.wave_budget_bytes());
    const DetectorView detector = detector_view(buffers.get<const std::byte>(1), s);
    FramePropagator propagator(device, s, detector.transfer, turn);
    const auto* frames = buffers.get<const FramePosition>(0);
    auto* waves = buffers.get<cfloat>(3);
    for_each_turn(s, turn, [&](std::int32_t first, std::int32_t num_frames) {
        cfloat* here = waves + static_cast<std::size_t>(first) * s.waves_size();
        propagator.place(frames + first, num_frames);
        if (args.direction == Direction::forward) {
            propagator.forward(here);
        } else {
            propagator.backward(here);
        }
    });
}

}  // namespace tessera
