#include "codelets/update_waves.hpp"

#include "codelets/device/projection_stages.hpp"

namespace tessera {

void update_waves_device(const UpdateWavesArgs& args, const Buffers& buffers, Device& device) {
    const BatchShape& s = args.shape;
    const std::int32_t turn = frames_at_a_time(s, device.wave_budget_bytes());
    const ObjectWindow object = {moving_field(buffers.get<const std::byte>(2), s.tile_size()).value, 1};
    ShiftedProbe probe(device, s, moving_field(buffers.get<const std::byte>(1), s.probe_size()).value,
                       Scratch::spectrum, Scratch::probe, turn);
    cfloat* ramps = probe_ramps(device, s, turn);
    const auto* state = buffers.get<const IterationState>(3);
    cfloat* window = window_part(buffers.get<std::byte>(5), overlap_probe_size(s));
    auto* chi = device.scratch<cfloat>(Scratch::waves, static_cast<std::size_t>(turn) * s.waves_size());
    for_each_turn(s, turn, [&](std::int32_t first, std::int32_t num_frames) {
        const auto* frames = buffers.get<const FramePosition>(0) + first;
        const std::size_t begin = static_cast<std::size_t>(first) * s.waves_size();
        const cfloat* waves = buffers.get<const cfloat>(4) + begin;
        cfloat* psi = buffers.get<cfloat>(6) + begin;
        place_ramps(device, s, frames, num_frames, ramps);
        const ProbeModes here = probe.at(ramps, num_frames);
        device.for_each({s.frame.x, s.frame.y, num_frames * s.num_waves()},
                        UpdateExitWave{s, frames, here, object, waves, args.map, state, psi});
        if (args.object == ObjectPartial::compute)
            add_object_sums(device, s, frames, num_frames, here, object, psi, state, chi, window);
    });
}

}  // namespace tessera
