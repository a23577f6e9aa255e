#include "codelets/accumulate_gradient.hpp"

#include "codelets/device/gradient_stages.hpp"

namespace tessera {

void accumulate_gradient_device(const AccumulateGradientArgs& args, const Buffers& buffers, Device& device) {
    const BatchShape& s = args.shape;
    const std::int32_t turn = frames_at_a_time(s, device.wave_budget_bytes());
    const auto* base = buffers.get<const std::byte>(0);
    const auto* probe_base = buffers.get<const std::byte>(1);
    const ObjectWindow object = {moving_field(buffers.get<const std::byte>(2), s.tile_size()).value, 1};
    ShiftedProbe probe(device, s, moving_field(probe_base, s.probe_size()).value, Scratch::spectrum,
                       Scratch::probe, turn, opr_modes(probe_base, s));
    cfloat* ramps = probe_ramps(device, s, turn);
    GradientSums sums(device, s, args.probe, ramps, turn, buffers.get<const IterationState>(3),
                      buffers.get<std::byte>(5));
    sums.begin();
    for_each_turn(s, turn, [&](std::int32_t first, std::int32_t num_frames) {
        const auto* frames = buffers.get<const FramePosition>(0) + first;
        const cfloat* chi = buffers.get<const cfloat>(4) + static_cast<std::size_t>(first) * s.waves_size();
        place_ramps(device, s, frames, num_frames, ramps);
        const ProbeModes incident = probe.at(ramps, num_frames, lights_from(base, s, first));
        sums.add_object(s, frames, num_frames, 0, incident, chi);
        sums.add_probe(s, frames, num_frames, object, chi);
    });
    sums.finish();
}

}  // namespace tessera
