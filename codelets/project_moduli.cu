#include "codelets/project_moduli.hpp"

#include "codelets/device/projection_stages.hpp"

namespace tessera {

void project_moduli_device(const ProjectModuliArgs& args, const Buffers& buffers, Device& device) {
    const BatchShape& s = args.shape;
    const std::int32_t turn = frames_at_a_time(s, device.wave_budget_bytes());
    const DetectorView detector = detector_view(buffers.get<const std::byte>(1), s);
    const FramePropagator propagator(device, s, detector.transfer, turn);
    auto* waves = buffers.get<cfloat>(4);
    double* powers = far_field_steps(buffers.get<std::byte>(4), s);
    auto* errors = device.scratch<double>(Scratch::row_sums, 2 * static_cast<std::size_t>(s.num_frames));
    for_each_turn(s, turn, [&](std::int32_t first, std::int32_t num_frames) {
        const Measurements measurements =
            measurements_from(buffers.get<const std::byte>(0), detector, s, first);
        apply_moduli(device, {s, measurements, propagator.common_scale()}, args.power_bound, num_frames,
                     waves + static_cast<std::size_t>(first) * s.waves_size(),
                     errors + 2 * static_cast<std::ptrdiff_t>(first), powers + first);
    });
    device.once(ProjectionFinishSums{nullptr, errors, s.num_frames, buffers.get<const IterationState>(2),
                                     batch_sums(buffers.get<std::byte>(3))});
}

}  // namespace tessera
