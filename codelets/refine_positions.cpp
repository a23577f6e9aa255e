#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codelets/refine_positions.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "codelets/cost_model.hpp"
#include "codelets/frame_model-inl.hpp"
#include "codelets/position_rules.hpp"
#include "codelets/refine_positions.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

// The far fields of one frame and their derivatives along both axes of its position.
class FieldsByPosition {
  public:
    FieldsByPosition(const BatchShape& s, const DetectorView& detector, const Buffers& buffers,
                     Workspace& workspace)
        : s_(s),
          propagator_(s, detector.transfer, workspace),
          model_(s, buffers.get<const std::byte>(3), buffers.get<const std::byte>(4),
                 detector.slice_transfers, workspace),
          fields_{workspace.get<cfloat>(Workspace::Slot::waves, s.waves_size()),
                  workspace.get<cfloat>(Workspace::Slot::waves_along, s.waves_size()),
                  workspace.get<cfloat>(Workspace::Slot::waves_along_twice, s.waves_size())} {
        model_.prepare(Moving::nothing);
        if (propagator_.moves_back())
            exit_waves_ = workspace.get<cfloat>(Workspace::Slot::exit_waves, s.waves_size());
    }

    FieldsByPlace fields() const { return {fields_[0], fields_[1], fields_[2]}; }
    float scale() const { return propagator_.scale(); }

    void make(const FramePosition& at, const float* light) {
        model_.place(at, light);
        propagator_.place(at);
        for_each_wave([&](int i, std::size_t here) {
            model_.exit_wave(i, fields_[0] + here);
            if (exit_waves_ != nullptr)
                std::memcpy(static_cast<void*>(exit_waves_ + here), fields_[0] + here,
                            s_.frame.area() * sizeof(cfloat));
            propagator_.forward(fields_[0] + here);
        });
        for (int axis = 0; axis < 2; ++axis) {
            model_.turn_to_slope(axis);
            for_each_wave([&](int i, std::size_t here) {
                cfloat* wave = fields_[1 + axis] + here;
                model_.exit_wave(i, wave);
                if (exit_waves_ != nullptr) propagator_.add_slope(axis, exit_waves_ + here, wave);
                propagator_.forward(wave);
            });
        }
    }

  private:
    template <class Visit>
    void for_each_wave(const Visit& visit) const {
        for (int i = 0; i < s_.num_waves(); ++i) visit(i, static_cast<std::size_t>(i) * s_.frame.area());
    }

    const BatchShape& s_;
    Propagator propagator_;
    FrameModel model_;
    cfloat* fields_[3];
    cfloat* exit_waves_ = nullptr;
};

void find_position_derivatives_of_batch(const PositionDerivativesArgs& args, const Buffers& buffers) {
    if (buffers.get<const IterationState>(5)->stopped != 0) return;
    BatchShape s = args.shape;
    if (s.interpolation == Interpolation::nearest) s.interpolation = Interpolation::fourier;
    const DetectorView detector = detector_view(buffers.get<const std::byte>(2), s);
    FieldsByPosition fields(s, detector, buffers, Workspace::of_this_worker());
    const auto* frames = buffers.get<const FramePosition>(1);
    const Lights lights(buffers.get<const std::byte>(1), s);
    PositionDerivatives* derivatives = position_derivatives(buffers.get<std::byte>(6));
    with_counts(buffers.get<const void>(0), s.pattern_type, [&](const auto* patterns) HWY_ATTR {
        for (std::int32_t j = 0; j < s.num_frames; ++j) {
            const auto frame = static_cast<std::size_t>(j);
            fields.make(frames[frame], lights.of(j));
            with_noise_model(s.noise_model, [&](auto noise) HWY_ATTR {
                derivatives[frame] =
                    derivatives_along<noise()>(fields.fields(), patterns + frame * detector_shape(s).area(),
                                               detector, fields.scale() * lights.intensity(j), s);
            });
        }
    });
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera {
namespace {

HWY_EXPORT(find_position_derivatives_of_batch);

void find_position_derivatives_cpu(const PositionDerivativesArgs& args, const Buffers& buffers) {
    HWY_DYNAMIC_DISPATCH(find_position_derivatives_of_batch)(args, buffers);
}

Cost find_position_derivatives_cost(const PositionDerivativesArgs& args) {
    return frames_cost(args.shape, 3, 3, 120);
}

void plan_moves_cpu(const PlanMovesArgs& args, const Buffers& buffers) {
    const IterationState& state = *buffers.get<const IterationState>(3);
    if (state.stopped != 0) return;
    const double mean_curvature = state.position_curvature;
    const PositionDerivatives* derivatives = position_derivatives(buffers.get<const std::byte>(0));
    FramePlace* places = buffers.get<FramePlace>(1) + args.first;
    BatchSums& sums = *batch_sums(buffers.get<std::byte>(2));
    for (std::int32_t j = 0; j < args.num_frames; ++j) {
        rules::plan_move(args, mean_curvature, derivatives[j], places[j]);
        rules::add_plan(derivatives[j], places[j], sums);
    }
}

Cost plan_moves_cost(const PlanMovesArgs& args) {
    return pixels_cost(args.num_frames, 60, sizeof(FramePlace));
}

void note_position_curvature_cpu(const NotePositionCurvatureArgs& args, const Buffers& buffers) {
    rules::note_position_curvature(args, *batch_sums(buffers.get<const std::byte>(0)),
                                   *buffers.get<IterationState>(1));
}

Cost note_position_curvature_cost(const NotePositionCurvatureArgs&) {
    return {1, sizeof(BatchSums)};
}

void move_frames_cpu(const MoveFramesArgs& args, const Buffers& buffers) {
    if (buffers.get<const IterationState>(1)->stopped != 0) return;
    const rules::PositionModel model = rules::model_of(args, *batch_sums(buffers.get<const std::byte>(0)));
    FramePlace* places = buffers.get<FramePlace>(2) + args.first;
    auto* frames = buffers.get<FramePosition>(3);
    for (std::int32_t j = 0; j < args.num_frames; ++j) rules::move_frame(args, model, places[j], frames[j]);
}

Cost move_frames_cost(const MoveFramesArgs& args) {
    return pixels_cost(args.num_frames, 40, sizeof(FramePlace));
}

}  // namespace

BufferBytes PositionDerivativesArgs::buffer_bytes() const {
    return {patterns_bytes(shape),
            frames_bytes(shape),
            detector_bytes(shape),
            probe_bytes(shape),
            moving_field_bytes(shape.tile_size()),
            sizeof(IterationState),
            position_derivatives_bytes(shape.num_frames)};
}

BufferBytes PlanMovesArgs::buffer_bytes() const {
    return {position_derivatives_bytes(num_frames),
            static_cast<std::size_t>(first + num_frames) * sizeof(FramePlace), sizeof(BatchSums),
            sizeof(IterationState)};
}

BufferBytes MoveFramesArgs::buffer_bytes() const {
    return {sizeof(BatchSums), sizeof(IterationState),
            static_cast<std::size_t>(first + num_frames) * sizeof(FramePlace),
            static_cast<std::size_t>(num_frames) * sizeof(FramePosition)};
}

const Codelet<PositionDerivativesArgs> find_position_derivatives =
    Codelet<PositionDerivativesArgs>::make<find_position_derivatives_cpu,
                                           TESSERA_ON_DEVICE(find_position_derivatives_device),
                                           find_position_derivatives_cost>(
        "find_position_derivatives",
        {Access::read, Access::read, Access::read, Access::read, Access::read, Access::read, Access::write});

const Codelet<PlanMovesArgs> plan_moves =
    Codelet<PlanMovesArgs>::make<plan_moves_cpu, TESSERA_ON_DEVICE(plan_moves_device), plan_moves_cost>(
        "plan_moves", {Access::read, Access::read_write, Access::read_write, Access::read});

const Codelet<NotePositionCurvatureArgs> note_position_curvature =
    Codelet<NotePositionCurvatureArgs>::make<note_position_curvature_cpu,
                                             TESSERA_ON_DEVICE(note_position_curvature_device),
                                             note_position_curvature_cost>(
        "note_position_curvature", {Access::read, Access::read_write});

const Codelet<MoveFramesArgs> move_frames =
    Codelet<MoveFramesArgs>::make<move_frames_cpu, TESSERA_ON_DEVICE(move_frames_device), move_frames_cost>(
        "move_frames", {Access::read, Access::read, Access::read_write, Access::read_write});

}  // namespace tessera
#endif  // HWY_ONCE
