#include "codelets/refine_positions.hpp"

#include "codelets/device/frame_fields.hpp"
#include "codelets/device/point_spread.hpp"
#include "codelets/position_rules.hpp"

namespace tessera {
namespace {

// -2 pi i q / n times the ramp of this axis, 1 times that of the other: the derivative of PhaseRamps by the
// fraction. x is the entry (y axis, then x axis), y the frame.
struct SlopeRamps {
    Shape2 shape;
    int axis;
    const cfloat* ramps;  // (frame, y + x)
    cfloat* slopes;
    TESSERA_HD void operator()(std::int32_t i, std::int32_t frame, std::int32_t) const {
        const bool along_y = i < shape.y;
        const std::ptrdiff_t here = static_cast<std::ptrdiff_t>(frame) * (shape.y + shape.x) + i;
        const cfloat ramp = ramps[here];
        slopes[here] = ramp;
        if (along_y != (axis == 0)) return;
        const float turn = along_y ? slope_of_ramp(i, shape.y) : slope_of_ramp(i - shape.y, shape.x);
        slopes[here] = {-turn * ramp.im, turn * ramp.re};
    }
};

// P dO of the object between pixels, bilinear. x, y: of the frame.
struct ExitWaveByObjectSlope {
    BatchShape s;
    const FramePosition* frames;
    ProbeModes probe;
    ObjectWindow object;
    int axis;
    cfloat* waves;
    TESSERA_HD cfloat slope(const ObjectWindow& mode, const FramePosition& where, std::int32_t y,
                            std::int32_t x) const {
        const std::int32_t v = where.y + y, u = where.x + x;
        const cfloat here = mode.pixel(s, v, u), right = mode.pixel(s, v, u + 1),
                     below = mode.pixel(s, v + 1, u), beyond = mode.pixel(s, v + 1, u + 1);
        const float f = axis == 0 ? where.frac_x : where.frac_y;
        const cfloat first = axis == 0 ? below - here : right - here;
        const cfloat second = axis == 0 ? beyond - right : beyond - below;
        return scale_add(f, second, (1 - f) * first);
    }
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t z) const {
        const Shape2 before = padding_before(s);
        const std::int32_t py = y - before.y, px = x - before.x;
        cfloat wave = {0, 0};
        if (py >= 0 && px >= 0 && py < s.probe.y && px < s.probe.x) {
            const WaveIndex of = wave_at(s, z);
            wave = probe(s, of.frame, of.mode, py, px) *
                   slope(object.of_mode(s, of.object_mode), frames[of.frame], py, px);
        }
        waves[z * area_of(s.frame) + at(s.frame, y, x)] = wave;
    }
};

// The spectrum of the derivative of moving back: 2 pi i q / n, and 1 / size of two transforms.
struct SlopeBack {
    Shape2 shape;
    int axis;
    cfloat* spectra;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t z) const {
        cfloat& value = spectra[z * area_of(shape) + at(shape, y, x)];
        const float turn = -(axis == 0 ? slope_of_ramp(y, shape.y) : slope_of_ramp(x, shape.x)) /
                           static_cast<float>(area_of(shape));
        value = {-turn * value.im, turn * value.re};
    }
};

struct AddWaves {
    const cfloat* from;
    cfloat* to;
    TESSERA_HD void operator()(std::int32_t i, std::int32_t, std::int32_t) const { to[i] = to[i] + from[i]; }
};

// A pixel's intensity and half of its derivatives along both axes.
struct IntensitySlopes {
    float intensity, by_y, by_x;
};
constexpr std::int32_t num_slope_planes = 3;
struct FieldsByPlace {
    const cfloat* here;
    const cfloat* along_y;
    const cfloat* along_x;
    TESSERA_HD IntensitySlopes slopes(const BatchShape& s, std::int32_t frame, std::int32_t pixel) const {
        const std::ptrdiff_t area = area_of(s.frame);
        const std::ptrdiff_t first = static_cast<std::ptrdiff_t>(frame) * s.num_waves() * area + pixel;
        IntensitySlopes sum = {0, 0, 0};
        for (std::int32_t k = 0; k < s.num_waves(); ++k) {
            const cfloat field = here[first + k * area];
            sum.intensity = norm_add(field, sum.intensity);
            sum.by_y = dot_add(field, along_y[first + k * area], sum.by_y);
            sum.by_x = dot_add(field, along_x[first + k * area], sum.by_x);
        }
        return sum;
    }
};

// What the detector's pixels see, (frame, plane, y, x), before a point spread, which is linear. x: the pixel,
// y: the frame.
struct WriteSlopes {
    BatchShape s;
    FieldsByPlace fields;
    float* planes;
    TESSERA_HD void operator()(std::int32_t pixel, std::int32_t frame, std::int32_t) const {
        IntensitySlopes slopes = {0, 0, 0};
        for (std::int32_t i = 0; i < num_seen_pixels(s); ++i) {
            const IntensitySlopes one = fields.slopes(s, frame, seen_pixel(s, pixel, i));
            slopes = {slopes.intensity + one.intensity, slopes.by_y + one.by_y, slopes.by_x + one.by_x};
        }
        const std::ptrdiff_t area = area_of(detector_shape(s));
        float* mine = planes + std::ptrdiff_t{frame} * num_slope_planes * area + pixel;
        mine[0] = slopes.intensity;
        mine[area] = slopes.by_y;
        mine[2 * area] = slopes.by_x;
    }
};

// The five sums of PositionDerivatives. y: the frame.
struct DerivativesAlong {
    static constexpr int num_sums = 5;
    BatchShape s;
    Measurements measurements;
    IntensityScale scale;
    FieldsByPlace fields;
    const float* seen;  // slopes, in place of the fields; null: the far field's
    TESSERA_HD IntensitySlopes slopes(std::int32_t frame, std::int32_t pixel) const {
        if (seen == nullptr) return fields.slopes(s, frame, pixel);
        const std::ptrdiff_t area = area_of(detector_shape(s));
        const float* mine = seen + std::ptrdiff_t{frame} * num_slope_planes * area + pixel;
        return {mine[0], mine[area], mine[2 * area]};
    }
    TESSERA_HD void operator()(std::int32_t pixel, std::int32_t frame, float (&sums)[num_sums]) const {
        auto [intensity, by_y, by_x] = slopes(frame, pixel);
        const Measured all = measurements(s, frame, pixel);
        intensity = fma(intensity, scale(frame), all.background);
        const Measured m = all.compared_with(intensity, s.saturated_from);
        by_y *= 2 * scale(frame);
        by_x *= 2 * scale(frame);
        const float factor = misfit_of(s.noise_model, intensity, m).factor;
        const float weight = curvature_of(s.noise_model, intensity, m);
        sums[0] = fma(factor, by_y, sums[0]);
        sums[1] = fma(factor, by_x, sums[1]);
        sums[2] = fma(weight * by_y, by_y, sums[2]);
        sums[3] = fma(weight * by_y, by_x, sums[3]);
        sums[4] = fma(weight * by_x, by_x, sums[4]);
    }
};

struct PlanMovesFinishSums {
    PlanMovesArgs args;
    const PositionDerivatives* derivatives;
    const IterationState* state;
    FramePlace* places;
    BatchSums* sums;
    TESSERA_HD void operator()() const {
        if (state->stopped != 0) return;
        for (std::int32_t j = 0; j < args.num_frames; ++j) {
            rules::plan_move(args, state->position_curvature, derivatives[j], places[j]);
            rules::add_plan(derivatives[j], places[j], *sums);
        }
    }
};

struct NotePositionCurvatureScalars {
    NotePositionCurvatureArgs args;
    const BatchSums* sums;
    IterationState* state;
    TESSERA_HD void operator()() const { rules::note_position_curvature(args, *sums, *state); }
};

struct FitModelScalars {
    MoveFramesArgs args;
    const BatchSums* sums;
    rules::PositionModel* model;
    TESSERA_HD void operator()() const { *model = rules::model_of(args, *sums); }
};

// x: the frame.
struct MoveFrameScalars {
    MoveFramesArgs args;
    const rules::PositionModel* model;
    const IterationState* state;
    FramePlace* places;
    FramePosition* frames;
    TESSERA_HD void operator()(std::int32_t j, std::int32_t, std::int32_t) const {
        if (state->stopped == 0) rules::move_frame(args, *model, places[j], frames[j]);
    }
};

// The frames of a batch, some at a time: far fields and their derivatives along both axes.
class DerivativesOfBatch {
  public:
    DerivativesOfBatch(const BatchShape& s, const Buffers& buffers, Device& device)
        : s_(s),
          buffers_(buffers),
          device_(device),
          turn_(frames_at_a_time(s, device.wave_budget_bytes())),
          detector_(detector_view(buffers.get<const std::byte>(2), s)),
          propagator_(device, s, detector_.transfer, turn_),
          spread_(device, s_, detector_, turn_, num_slope_planes),
          object_(device, s, moving_field(buffers.get<const std::byte>(4), s.tile_size()).value,
                  detector_.slice_transfers, turn_),
          probe_(device, s, moving_field(buffers.get<const std::byte>(3), s.probe_size()).value,
                 Scratch::spectrum, Scratch::probe, turn_, opr_modes(buffers.get<const std::byte>(3), s)),
          ramps_(probe_ramps(device, s, turn_)),
          fields_(waves(Scratch::waves)),
          along_{waves(Scratch::waves_along), waves(Scratch::waves_along_twice)} {
        if (ramps_ == nullptr) return;
        slopes_ =
            device.scratch<cfloat>(Scratch::slope_ramps, static_cast<std::size_t>(turn_) *
                                                             static_cast<std::size_t>(s.probe.y + s.probe.x));
        if (!s.near_field) return;
        exit_waves_ = waves(Scratch::exit_waves);
        moved_ = waves(Scratch::moved_waves);
    }

    void run(double* sums) {
        for (std::int32_t first = 0; first < s_.num_frames; first += turn_) {
            num_frames_ = s_.num_frames - first < turn_ ? s_.num_frames - first : turn_;
            frames_ = buffers_.get<const FramePosition>(1) + first;
            lights_ = lights_from(buffers_, s_, first);
            make_fields();
            for (int axis = 0; axis < 2; ++axis) make_slopes(axis);
            const FieldsByPlace fields = {fields_, along_[0], along_[1]};
            const auto pixels = static_cast<std::int32_t>(detector_shape(s_).area());
            if (spread_.exists()) {
                device_.for_each({pixels, num_frames_}, WriteSlopes{s_, fields, spread_.planes()});
                spread_.blur(num_slope_planes * num_frames_);
            }
            device_.reduce_rows<DerivativesAlong::num_sums, Sum>(
                num_frames_, pixels,
                DerivativesAlong{s_, measurements_from(buffers_, s_, first), propagator_.scale(), fields,
                                 spread_.planes()},
                sums + DerivativesAlong::num_sums * static_cast<std::ptrdiff_t>(first));
        }
    }

  private:
    cfloat* waves(Scratch slot) {
        return device_.scratch<cfloat>(slot, static_cast<std::size_t>(turn_) * s_.waves_size());
    }
    std::int32_t num_waves() const { return num_frames_ * s_.num_waves(); }
    std::size_t waves_bytes() const {
        return static_cast<std::size_t>(num_frames_) * s_.waves_size() * sizeof(cfloat);
    }

    void make_fields() {
        place_ramps(device_, s_, frames_, num_frames_, ramps_);
        propagator_.place(frames_, num_frames_, lights_);
        here_ = probe_.at(ramps_, num_frames_, lights_);
        object_.place(frames_, num_frames_, here_);
        object_.exit_waves(fields_);
        if (exit_waves_ != nullptr) device_.copy(exit_waves_, fields_, waves_bytes());
        propagator_.forward(fields_);
    }

    void make_slopes(int axis) {
        cfloat* along = along_[axis];
        if (ramps_ == nullptr) {
            device_.for_each({s_.frame.x, s_.frame.y, num_waves()},
                             ExitWaveByObjectSlope{s_, frames_, here_, object_.slice(0), axis, along});
        } else {
            device_.for_each({s_.probe.y + s_.probe.x, num_frames_},
                             SlopeRamps{s_.probe, axis, ramps_, slopes_});
            object_.place(frames_, num_frames_, probe_.at(slopes_, num_frames_, lights_));
            object_.exit_waves(along);
        }
        if (exit_waves_ != nullptr) add_slope_back(axis, along);
        propagator_.forward(along);
    }

    // In the near field the exit wave moves back by what moved the probe.
    void add_slope_back(int axis, cfloat* along) {
        device_.copy(moved_, exit_waves_, waves_bytes());
        device_.forward(moved_, s_.frame, num_waves());
        device_.for_each({s_.frame.x, s_.frame.y, num_waves()}, SlopeBack{s_.frame, axis, moved_});
        device_.backward(moved_, s_.frame, num_waves());
        device_.for_each({static_cast<std::int32_t>(s_.waves_size()) * num_frames_}, AddWaves{moved_, along});
    }

    const BatchShape& s_;
    const Buffers& buffers_;
    Device& device_;
    std::int32_t turn_;
    DetectorView detector_;
    FramePropagator propagator_;
    PointSpread spread_;
    SlicedObject object_;
    ShiftedProbe probe_;
    cfloat* ramps_;
    cfloat* fields_;
    cfloat* along_[2];
    cfloat* slopes_ = nullptr;
    cfloat* exit_waves_ = nullptr;
    cfloat* moved_ = nullptr;
    const FramePosition* frames_ = nullptr;
    FrameLights lights_;
    std::int32_t num_frames_ = 0;
    ProbeModes here_{};
};

}  // namespace

void find_position_derivatives_device(const PositionDerivativesArgs& args, const Buffers& buffers,
                                      Device& device) {
    static_assert(sizeof(PositionDerivatives) == DerivativesAlong::num_sums * sizeof(double));
    BatchShape s = args.shape;
    if (s.interpolation == Interpolation::nearest) s.interpolation = Interpolation::fourier;
    DerivativesOfBatch(s, buffers, device).run(position_derivatives(buffers.get<std::byte>(6))->gradient);
}

void plan_moves_device(const PlanMovesArgs& args, const Buffers& buffers, Device& device) {
    device.once(PlanMovesFinishSums{
        args, position_derivatives(buffers.get<const std::byte>(0)), buffers.get<const IterationState>(3),
        buffers.get<FramePlace>(1) + args.first, batch_sums(buffers.get<std::byte>(2))});
}

void note_position_curvature_device(const NotePositionCurvatureArgs& args, const Buffers& buffers,
                                    Device& device) {
    device.once(NotePositionCurvatureScalars{args, batch_sums(buffers.get<const std::byte>(0)),
                                             buffers.get<IterationState>(1)});
}

void move_frames_device(const MoveFramesArgs& args, const Buffers& buffers, Device& device) {
    auto* model = device.scratch<rules::PositionModel>(Scratch::row_sums, 1);
    device.once(FitModelScalars{args, batch_sums(buffers.get<const std::byte>(0)), model});
    device.for_each({args.num_frames},
                    MoveFrameScalars{args, model, buffers.get<const IterationState>(1),
                                     buffers.get<FramePlace>(2) + args.first, buffers.get<FramePosition>(3)});
}

}  // namespace tessera
