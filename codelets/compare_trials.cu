#include "codelets/compare_trials.hpp"

#include "codelets/device/line_search_stages.hpp"

namespace tessera {

void compare_trials_device(const CompareTrialsArgs& args, const Buffers& buffers, Device& device) {
    const BatchShape& s = args.shape;
    const auto size = static_cast<std::ptrdiff_t>(s.waves_size());
    const std::int32_t turn = frames_at_a_time(s, device.wave_budget_bytes());
    const DetectorView detector = detector_view(buffers.get<const std::byte>(2), s);
    const FramePropagator propagator(device, s, detector.transfer, turn);
    PointSpread spread(device, s, detector, turn, num_coefficients);
    const auto* state = buffers.get<const IterationState>(3);
    const bool is_moving = args.probe == ProbeMotion::moving;
    auto* costs =
        device.scratch<double>(Scratch::row_sums, num_costs * static_cast<std::size_t>(s.num_frames));
    for_each_turn(s, turn, [&](std::int32_t first, std::int32_t num_frames) {
        const cfloat* b = buffers.get<const cfloat>(6) + first * size;
        const cfloat* c = is_moving ? buffers.get<const cfloat>(7) + first * size : nullptr;
        FieldsAlong fields{};
        if (args.waves == KeptWaves::none) {
            fields = {buffers.get<const cfloat>(5) + first * size, b, c, size};
        } else {
            cfloat* kept = buffers.get<cfloat>(5) + 3 * first * size;
            keep_along(device, s, b, c, num_frames, kept);
            fields = {kept, kept + size, is_moving ? kept + 2 * size : nullptr, 3 * size};
        }
        const IntensityScale scale = {propagator.common_scale(), lights_from(buffers, s, first)};
        compare_along(device, s, fields, measurements_from(buffers, s, first), scale, spread, num_frames,
                      state, costs + num_costs * static_cast<std::ptrdiff_t>(first));
    });
    device.for_each({num_costs},
                    TrialCostsFinishSums{costs, s.num_frames, state, batch_sums(buffers.get<std::byte>(4))});
}

}  // namespace tessera
