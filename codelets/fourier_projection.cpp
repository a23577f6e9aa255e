#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codelets/fourier_projection.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "codelets/cost_model.hpp"
#include "codelets/fourier_projection.hpp"
#include "codelets/frame_stages-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

// The frames of a batch, one after the other.
class ProjectionOfBatch {
  public:
    ProjectionOfBatch(const FourierProjectionArgs& args, const Buffers& buffers)
        : args_(args),
          s_(args.shape),
          workspace_(Workspace::of_this_worker()),
          detector_(detector_view(buffers.get<const std::byte>(2), s_)),
          propagator_(s_, detector_.transfer, workspace_),
          model_(s_, buffers.get<const std::byte>(3), buffers.get<const std::byte>(4), nullptr, workspace_),
          waves_(workspace_.get<cfloat>(Workspace::Slot::waves, s_.waves_size())),
          quotients_(workspace_.get<float>(Workspace::Slot::quotients, s_.frame.area())),
          out_(buffers.get<std::byte>(6)) {
        model_.prepare(Moving::nothing);
    }

    template <class Count>
    void take(const FramePosition& at, const Count* counts, cfloat* psi) {
        model_.place(at);
        propagator_.place(at);
        if (args_.waves == ExitWaves::begin) exit_waves(psi);
        if (args_.cost == OverlapCost::compute) add_cost(counts);
        project(counts, psi);
        if (args_.object == ObjectPartial::compute) add_object_sums(model_, psi, out_, s_);
    }

  private:
    void exit_waves(cfloat* waves) {
        for (int i = 0; i < s_.num_waves(); ++i) model_.exit_wave(i, wave_of(waves, i, s_));
    }
    void propagate() {
        for (int i = 0; i < s_.num_waves(); ++i) propagator_.forward(wave_of(waves_, i, s_));
    }
    bool overlap_is_projected() const { return args_.map.reflect == 1; }

    // Of P O, whose far fields are left in waves_.
    template <class Count>
    void add_cost(const Count* counts) {
        exit_waves(waves_);
        propagate();
        add_overlap_cost(waves_, counts, detector_, propagator_.scale(), s_, *batch_sums(out_));
    }

    template <class Count>
    void project(const Count* counts, cfloat* psi) {
        if (args_.cost == OverlapCost::skip || !overlap_is_projected()) {
            reflect_frame(model_, psi, args_.map.reflect, waves_, s_);
            propagate();
        }
        const double power = amplitude_power(waves_, counts, detector_, propagator_.scale(), quotients_, s_,
                                             *batch_sums(out_));
        if (power <= args_.power_bound) return update_exit_waves(model_, args_.map, nullptr, psi, s_);
        project_frame(quotients_, share_of_error(power, args_.power_bound), propagator_.scale(), waves_, s_);
        for (int i = 0; i < s_.num_waves(); ++i) propagator_.backward(wave_of(waves_, i, s_));
        update_exit_waves(model_, args_.map, waves_, psi, s_);
    }

    const FourierProjectionArgs& args_;
    const BatchShape& s_;
    Workspace& workspace_;
    DetectorView detector_;
    Propagator propagator_;
    FrameModel model_;
    cfloat* waves_;
    float* quotients_;
    std::byte* out_;
};

void project_batch(const FourierProjectionArgs& args, const Buffers& buffers) {
    const BatchShape& s = args.shape;
    std::memset(buffers.get<std::byte>(6), 0, overlap_out_bytes(s));
    if (buffers.get<const IterationState>(5)->stopped != 0) return;
    ProjectionOfBatch projection(args, buffers);
    const auto* frames = buffers.get<const FramePosition>(1);
    auto* psi = buffers.get<cfloat>(7);
    with_counts(buffers.get<const void>(0), s.pattern_type, [&](const auto* patterns) HWY_ATTR {
        for (std::int32_t j = 0; j < s.num_frames; ++j) {
            const auto frame = static_cast<std::size_t>(j);
            projection.take(frames[frame], patterns + frame * s.frame.area(), psi + frame * s.waves_size());
        }
    });
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera {
namespace {

HWY_EXPORT(project_batch);

void fourier_projection_cpu(const FourierProjectionArgs& args, const Buffers& buffers) {
    HWY_DYNAMIC_DISPATCH(project_batch)(args, buffers);
}

Cost fourier_projection_cost(const FourierProjectionArgs& args) {
    const bool transforms_more = args.cost == OverlapCost::compute && args.map.reflect != 1;
    return frames_cost(args.shape, transforms_more ? 3 : 2, 1);
}

}  // namespace

BufferBytes FourierProjectionArgs::buffer_bytes() const {
    return {patterns_bytes(shape),
            frames_bytes(shape),
            detector_bytes(shape),
            probe_bytes(shape),
            moving_field_bytes(shape.tile_size()),
            sizeof(IterationState),
            overlap_out_bytes(shape),
            exit_wave_bytes(shape)};
}

const Codelet<FourierProjectionArgs> fourier_projection =
    Codelet<FourierProjectionArgs>::make<fourier_projection_cpu, TESSERA_ON_DEVICE(fourier_projection_device),
                                         fourier_projection_cost>(
        "fourier_projection", {Access::read, Access::read, Access::read, Access::read, Access::read,
                               Access::read, Access::write, Access::read_write});

}  // namespace tessera
#endif  // HWY_ONCE
