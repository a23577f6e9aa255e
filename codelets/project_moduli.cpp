#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codelets/project_moduli.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "codelets/cost_model.hpp"
#include "codelets/frame_stages-inl.hpp"
#include "codelets/project_moduli.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

void project_moduli_of_batch(const ProjectModuliArgs& args, const Buffers& buffers) {
    const BatchShape& s = args.shape;
    if (buffers.get<const IterationState>(2)->stopped != 0) return;
    Workspace& workspace = Workspace::of_this_worker();
    const DetectorView detector = detector_view(buffers.get<const std::byte>(1), s);
    const Propagator propagator(s, detector.transfer, workspace);
    auto* quotients = workspace.get<float>(Workspace::Slot::quotients, s.frame.area());
    BatchSums& sums = *batch_sums(buffers.get<std::byte>(3));
    auto* waves = buffers.get<cfloat>(4);
    double* powers = far_field_steps(buffers.get<std::byte>(4), s);
    with_counts(buffers.get<const void>(0), s.pattern_type, [&](const auto* patterns) HWY_ATTR {
        for (std::int32_t j = 0; j < s.num_frames; ++j) {
            const auto frame = static_cast<std::size_t>(j);
            cfloat* here = waves + frame * s.waves_size();
            powers[frame] = amplitude_power(here, patterns + frame * s.frame.area(), detector,
                                            propagator.scale(), quotients, s, sums);
            project_frame(quotients, share_of_error(powers[frame], args.power_bound), propagator.scale(),
                          here, s);
        }
    });
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera {
namespace {

HWY_EXPORT(project_moduli_of_batch);

void project_moduli_cpu(const ProjectModuliArgs& args, const Buffers& buffers) {
    HWY_DYNAMIC_DISPATCH(project_moduli_of_batch)(args, buffers);
}

Cost project_moduli_cost(const ProjectModuliArgs& args) {
    return with_patterns(args.shape, stage_cost(args.shape, 0, 0, 30, 3));
}

}  // namespace

BufferBytes ProjectModuliArgs::buffer_bytes() const {
    return {patterns_bytes(shape), detector_bytes(shape), sizeof(IterationState), sizeof(BatchSums),
            residual_bytes(shape)};
}

const Codelet<ProjectModuliArgs> project_moduli =
    Codelet<ProjectModuliArgs>::make<project_moduli_cpu, TESSERA_ON_DEVICE(project_moduli_device),
                                     project_moduli_cost>(
        "project_moduli", {Access::read, Access::read, Access::read, Access::read_write, Access::read_write});

}  // namespace tessera
#endif  // HWY_ONCE
