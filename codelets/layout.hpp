#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "config/run_config.hpp"
#include "math/complex.hpp"
#include "math/host_device.hpp"
#include "scan/scan.hpp"
#include "scan/upsampling.hpp"

// What is inside the data that tasks exchange. Every block starts on a 64-byte boundary.
//
//   patterns    counts (frame, y, x) of the detector's pixels, of the scan's own type; unused_count where a
//               frame does not use a pixel
//   frames      FramePosition (frame) | lights, of a variable probe
//   detector    mask (y, x) float | background (y, x) float, of the detector's pixels
//               | transfer (y, x) complex, near field only
//               | slice transfers (way, y, x) complex of the probe's shape, several slices only
//               | point spread float (radius + 1), from its middle on, of a detector that has one
//   object      value (plane, y, x) complex | direction (plane, y, x) complex, of an extended tile
//   probe       value (mode, y, x) complex | direction (mode, y, x) complex | eigen-probes (i, y, x) complex
//   field       (plane, y, x) complex: a gradient of an extended tile;  weight: (plane, y, x) float
//   out         BatchSums | probe part (mode, y, x) complex | window (plane, y, x) complex: what a batch adds
//   sums        BatchSums | probe part (mode, y, x) complex: what a tile, later all tiles, add up to
//               | coverage (y, x) complex, real parts, with mini-batches only
//   residual    df/dpsi* (frame, wave, y, x) complex | step of the far field (frame) double, of a batch
//   wave        far fields (frame, A B C, wave, y, x) complex, when kept: objects of one slice only; or
//               exit waves (frame, wave, y, x) complex, between the iterations of the engines that project
//   places      FramePlace (frame) of a tile, where positions are refined
//   lights      float (frame, 1 + 2 eigen-probes): amplitude, then real and imaginary part of each weight
//   state       IterationState
//
// The planes of an object are its slices, which the beam passes one after the other, or its modes, of which
// it meets one at a time: never both. A frame has a wave for every mode of the object with every mode of the
// probe, (object mode, probe mode); their intensities add. Only the model of a frame tells the two kinds of
// planes apart; what happens between two passes over the frames is the same for all.
namespace tessera {

struct Shape2 {
    std::int32_t y = 0, x = 0;
    std::size_t area() const { return static_cast<std::size_t>(y) * static_cast<std::size_t>(x); }
};
inline std::size_t volume(Shape2 plane, std::int32_t num_planes) {
    return static_cast<std::size_t>(num_planes) * plane.area();
}

// Where a frame's probe window falls in its extended tile; below 0 or beyond its end where it reaches out.
struct FramePosition {
    std::int32_t y = 0, x = 0;
    float frac_y = 0, frac_x = 0;
};

// Of a frame whose position is refined, in pixels (y, x).
struct FramePlace {
    double origin[2] = {0, 0};       // where the scan says that its window begins, in the extended tile
    double from_centre[2] = {0, 0};  // the same from the middle of the scan
    double shift[2] = {0, 0};        // where it is now, from there
    double velocity[2] = {0, 0};     // its next move
    double explained[2] = {0, 0};    // the shift that is common to all frames, linear in their places
};

inline constexpr std::size_t num_trials = 8;  // steps tried by a line search, beside no step at all
inline constexpr std::size_t num_ramp_sums = 7;
inline constexpr std::size_t num_sliced_trials = 3;  // of an object of several slices

// The part of a window that lies inside an array, [y0, y1) x [x0, x1) in the window's own coordinates; empty
// where they do not meet.
struct WindowPart {
    std::int32_t y0 = 0, x0 = 0, y1 = 0, x1 = 0;
    bool is_all_of(Shape2 window) const { return y0 == 0 && x0 == 0 && y1 == window.y && x1 == window.x; }
    bool has_row(std::int32_t y) const { return y >= y0 && y < y1; }
};
// (y, x): of the array, where the window begins.
inline WindowPart part_inside(Shape2 array, std::int32_t y, std::int32_t x, Shape2 window) {
    const auto from = [](std::int32_t begin, std::int32_t size) { return std::clamp(-begin, 0, size); };
    const auto to = [](std::int32_t begin, std::int32_t size, std::int32_t extent) {
        return std::clamp(extent - begin, std::clamp(-begin, 0, size), size);
    };
    return {from(y, window.y), from(x, window.x), to(y, window.y, array.y), to(x, window.x, array.x)};
}

// Sums over frames. Added in a fixed order: batches within a tile, then a binary tree over tiles.
struct BatchSums {
    double cost = 0;
    double squared_error = 0;       // sum m (sqrt(I) - sqrt(d))^2: the numerator of the data error
    double gradient_norm = 0;       // S1 = <g, z>, tile interiors
    double gradient_previous = 0;   // S2 = Re <z, g_previous>
    double gradient_direction = 0;  // S3 = Re <d, g>
    double weight_max = 0;          // largest illumination (by maximum, not sum)
    double object_max = 0;          // largest |O|^2 of the interiors (by maximum), where asked for
    double step_products[5] = {};   // what optimal steps are made of (least_squares.hpp)
    // Of the shifts u that frames are about to have, and their places c from the middle of the scan: u_y,
    // u_x, u_y c_y, u_y c_x, u_x c_y, u_x c_x.
    double position_moments[6] = {};
    double position_curvature = 0;           // of frames' costs by their positions, mean of both axes
    double intensity = 0;                    // squared amplitudes of frames (codelets/variable_probe.hpp)
    double trial_cost[num_trials + 1] = {};  // at step 0 and at each trial step
    // Under the light of frames (ramp.hpp): neighbours along y and x (re, im each), mean (re, im), light.
    double ramp_sums[num_ramp_sums] = {};
    std::int64_t bad_frames = 0;        // with a cost that is not finite
    std::int64_t stop_votes = 0;        // of ranks that want to stop (a signal, a time limit)
    std::int64_t checkpoint_votes = 0;  // of ranks that are ready for the next phase of a checkpoint
};

TESSERA_HD void add(BatchSums& to, const BatchSums& from) {
    to.cost += from.cost;
    to.squared_error += from.squared_error;
    to.gradient_norm += from.gradient_norm;
    to.gradient_previous += from.gradient_previous;
    to.gradient_direction += from.gradient_direction;
    to.weight_max = to.weight_max < from.weight_max ? from.weight_max : to.weight_max;
    to.object_max = to.object_max < from.object_max ? from.object_max : to.object_max;
    to.position_curvature += from.position_curvature;
    to.intensity += from.intensity;
    for (std::size_t i = 0; i < 5; ++i) to.step_products[i] += from.step_products[i];
    for (std::size_t i = 0; i < 6; ++i) to.position_moments[i] += from.position_moments[i];
    for (std::size_t i = 0; i <= num_trials; ++i) to.trial_cost[i] += from.trial_cost[i];
    for (std::size_t i = 0; i < num_ramp_sums; ++i) to.ramp_sums[i] += from.ramp_sums[i];
    to.bad_frames += from.bad_frames;
    to.stop_votes += from.stop_votes;
    to.checkpoint_votes += from.checkpoint_votes;
}

// The record of an iteration; `state` holds the current one. Scalars only, written by small tasks, copied for
// the host.
struct IterationState {
    std::int32_t overlap_done = 0;  // first: closes gates (runtime/codelet.hpp) for the rest of an iteration
    std::int32_t iteration = -1;
    std::int32_t failures = 0;  // line searches without an acceptable step, in a row
    std::int32_t stopped = 0;   // StopReason; heavy codelets return at once
    std::int32_t cost_rose = 0;
    std::int64_t bad_frames = 0;
    std::int64_t checkpoint_votes = 0;
    double cost = 0;  // before this iteration's step
    double squared_error = 0;
    double previous_cost = 0;
    double gradient_norm = 0;  // S1 of this iteration
    double slope = 0;          // Re <g, d>
    double beta = 0;
    double step = 0;        // accepted in this iteration; of mini-batch engines the last one's, of the object
    double probe_step = 0;  // of mini-batch engines
    double ladder_centre = 1;  // of the next line search
    double illumination_max = 0;
    double coverage_max = 0;
    double position_curvature = 0;        // mean over frames, when they moved last
    double probe_change = 0;              // of the last update of the probe, a fraction; engines that project
    std::int32_t roll_y = 0, roll_x = 0;  // by how much the probe was centred, and the waves have to follow
    std::int32_t num_averaged = 0;        // iterations in the mean so far
    double time_s = 0;                    // when the record was made, by the worker's clock
};

enum class StopReason : std::int32_t { none, no_descent, not_finite, converged, requested };

// Everything about a batch's shape and model that a body needs; trivially copyable, travels with the task.
struct BatchShape {
    std::int32_t num_frames = 0;
    std::int32_t num_modes = 1;            // of the probe
    std::int32_t num_object_modes = 1;     // the beam meets one at a time; with one slice
    std::int32_t num_slices = 1;           // of the object; the wave travels from each to the next
    std::int32_t num_slice_transfers = 0;  // one if all ways between slices are equal, else one for each
    std::int32_t num_opr_modes = 0;        // eigen-probes: what the first mode may deviate by in each frame
    std::int32_t upsampling = 1;           // pixels of the far field along each side of the detector's
    Shape2 frame, probe;                   // of the far field, of the probe's window
    Shape2 tile;                           // the extended tile
    std::int32_t window_y = 0, window_x = 0;  // of the batch in the tile
    Shape2 window;
    PatternType pattern_type = PatternType::u16;
    NoiseModel noise_model = NoiseModel::amplitude;
    Interpolation interpolation = Interpolation::fourier;
    bool near_field = false;
    bool has_background = false;
    float saturated_from = std::numeric_limits<float>::infinity();  // counts: at least so many
    std::int32_t blur_radius = 0;  // of the detector's point spread, in pixels; 0: none
    bool on_chip = false;          // on a GPU, by kernels that keep waves on the chip where there are any
    bool reaches_out = false;      // windows of some frames reach beyond the tile: into vacuum
    bool has_lights = false;  // the probe varies: each frame has an amplitude, and weights of eigen-probes

    std::size_t probe_size() const { return static_cast<std::size_t>(num_modes) * probe.area(); }
    std::int32_t num_planes() const { return num_object_modes * num_slices; }
    std::size_t tile_size() const { return volume(tile, num_planes()); }
    // Of a frame: wave i is of object_mode_of(i) and probe_mode_of(i).
    TESSERA_HD std::int32_t num_waves() const { return num_object_modes * num_modes; }
    TESSERA_HD std::int32_t object_mode_of(std::int32_t wave) const { return wave / num_modes; }
    TESSERA_HD std::int32_t probe_mode_of(std::int32_t wave) const { return wave % num_modes; }
    std::size_t waves_size() const { return static_cast<std::size_t>(num_waves()) * frame.area(); }
    // Vacuum is the same at all times: 1 in every slice, and in the first mode alone.
    TESSERA_HD bool is_dark_in_vacuum(std::int32_t plane) const { return num_object_modes > 1 && plane > 0; }
};

// The detector's pixels: those of counts, mask and background.
TESSERA_HD Shape2 detector_shape(const BatchShape& s) {
    return {s.frame.y / s.upsampling, s.frame.x / s.upsampling};
}
// Is what a pixel of the detector sees more than its own pixel of the far field?
inline bool sees_several_pixels(const BatchShape& s) {
    return s.blur_radius > 0 || s.upsampling > 1;
}

// Where a frame's window begins in an extended tile, which may hold only a part of it, and whether the frame
// is the tile's own.
struct MinibatchFrame {
    std::int32_t y = 0, x = 0;
    std::int32_t is_own = 1, unused = 0;
};

constexpr std::size_t aligned_bytes(std::size_t bytes) {
    return (bytes + 63) / 64 * 64;
}

inline std::size_t patterns_bytes(const BatchShape& s) {
    return static_cast<std::size_t>(s.num_frames) * detector_shape(s).area() *
           bytes_per_count(s.pattern_type);
}
// Numbers of a frame's light.
TESSERA_HD std::int32_t light_size(std::int32_t num_opr_modes) {
    return 1 + 2 * num_opr_modes;
}
inline std::size_t lights_bytes(std::int32_t num_frames, std::int32_t num_opr_modes) {
    return static_cast<std::size_t>(num_frames) * static_cast<std::size_t>(light_size(num_opr_modes)) *
           sizeof(float);
}
inline std::size_t frames_bytes(const BatchShape& s) {
    return static_cast<std::size_t>(s.num_frames) * sizeof(FramePosition) +
           (s.has_lights ? lights_bytes(s.num_frames, s.num_opr_modes) : 0);
}
inline std::size_t field_bytes(Shape2 shape, std::int32_t num_planes = 1) {
    return aligned_bytes(volume(shape, num_planes) * sizeof(cfloat));
}
inline std::size_t weight_bytes(Shape2 shape, std::int32_t num_planes = 1) {
    return aligned_bytes(volume(shape, num_planes) * sizeof(float));
}
// Value and direction.
inline std::size_t moving_field_bytes(std::size_t size) {
    return 2 * aligned_bytes(size * sizeof(cfloat));
}
inline std::size_t probe_bytes(const BatchShape& s) {
    return moving_field_bytes(s.probe_size()) +
           static_cast<std::size_t>(s.num_opr_modes) * s.probe.area() * sizeof(cfloat);
}
// Of mask, background and transfer; the slice transfers follow.
inline std::size_t slice_transfers_offset(const BatchShape& s) {
    return 2 * aligned_bytes(detector_shape(s).area() * sizeof(float)) +
           (s.near_field ? aligned_bytes(s.frame.area() * sizeof(cfloat)) : 0);
}
inline std::size_t blur_offset(const BatchShape& s) {
    return slice_transfers_offset(s) + aligned_bytes(volume(s.probe, s.num_slice_transfers) * sizeof(cfloat));
}
inline std::size_t blur_taps(const BatchShape& s) {
    return s.blur_radius > 0 ? static_cast<std::size_t>(s.blur_radius) + 1 : 0;
}
inline std::size_t detector_bytes(const BatchShape& s) {
    return blur_offset(s) + aligned_bytes(blur_taps(s) * sizeof(float));
}
inline std::size_t sums_bytes(std::size_t probe_size) {
    return aligned_bytes(sizeof(BatchSums)) + aligned_bytes(probe_size * sizeof(cfloat));
}
inline std::size_t out_bytes(Shape2 window, std::size_t probe_size, std::int32_t num_planes = 1) {
    return sums_bytes(probe_size) + field_bytes(window, num_planes);
}
inline std::size_t out_bytes(const BatchShape& s) {
    return out_bytes(s.window, s.probe_size(), s.num_planes());
}
inline std::size_t residual_waves_bytes(const BatchShape& s) {
    return aligned_bytes(static_cast<std::size_t>(s.num_frames) * s.waves_size() * sizeof(cfloat));
}
inline std::size_t residual_bytes(const BatchShape& s) {
    return residual_waves_bytes(s) + static_cast<std::size_t>(s.num_frames) * sizeof(double);
}
inline std::size_t wave_bytes(const BatchShape& s) {
    return 3 * static_cast<std::size_t>(s.num_frames) * s.waves_size() * sizeof(cfloat);
}
inline std::size_t exit_wave_bytes(const BatchShape& s) {
    return static_cast<std::size_t>(s.num_frames) * s.waves_size() * sizeof(cfloat);
}

// What the overlap projection adds up: planes of an object's window and of a probe part.
inline std::int32_t num_overlap_planes(std::int32_t num_object_modes) {
    return num_object_modes + 1;  // numerators of all modes, then one weight (real part)
}
inline std::size_t overlap_probe_size(const BatchShape& s) {
    return s.probe_size() + s.probe.area();  // numerators of all modes, then one weight (real part)
}
inline std::size_t overlap_out_bytes(const BatchShape& s) {
    return out_bytes(s.window, overlap_probe_size(s), num_overlap_planes(s.num_object_modes));
}

// ---- Views of the blocks

template <class Real>
struct FieldView {
    Real* value;
    Real* direction;
};
template <class Byte>
auto moving_field(Byte* base, std::size_t size) {
    using Value = std::conditional_t<std::is_const_v<Byte>, const cfloat, cfloat>;
    return FieldView<Value>{reinterpret_cast<Value*>(base),
                            reinterpret_cast<Value*>(base + aligned_bytes(size * sizeof(cfloat)))};
}

// Null where the probe does not vary.
template <class Byte>
auto lights_of(Byte* frames, const BatchShape& s) {
    using Value = std::conditional_t<std::is_const_v<Byte>, const float, float>;
    return s.has_lights ? reinterpret_cast<Value*>(frames + static_cast<std::size_t>(s.num_frames) *
                                                                sizeof(FramePosition))
                        : nullptr;
}
template <class Byte>
auto opr_modes(Byte* probe, const BatchShape& s) {
    using Value = std::conditional_t<std::is_const_v<Byte>, const cfloat, cfloat>;
    return s.num_opr_modes == 0 ? nullptr
                                : reinterpret_cast<Value*>(probe + moving_field_bytes(s.probe_size()));
}

// Of the way behind slice i.
TESSERA_HD const cfloat* slice_transfer(const BatchShape& s, const cfloat* transfers, std::int32_t i) {
    return s.num_slice_transfers == 1 ? transfers
                                      : transfers + static_cast<std::ptrdiff_t>(i) * s.probe.y * s.probe.x;
}

struct DetectorView {
    const float* mask;
    const float* background;  // null: none
    const cfloat* transfer;   // null: far field
    // Free space behind slice 0, 1, ...: (slice - 1, y, x) of the probe's shape, with the 1 / size of two
    // transforms. Null: one slice.
    const cfloat* slice_transfers;
    const float* blur;  // a line of the point spread from its middle on; null: none
};
inline DetectorView detector_view(const std::byte* base, const BatchShape& s) {
    const std::size_t map = aligned_bytes(detector_shape(s).area() * sizeof(float));
    return {reinterpret_cast<const float*>(base),
            s.has_background ? reinterpret_cast<const float*>(base + map) : nullptr,
            s.near_field ? reinterpret_cast<const cfloat*>(base + 2 * map) : nullptr,
            s.num_slices > 1 ? reinterpret_cast<const cfloat*>(base + slice_transfers_offset(s)) : nullptr,
            s.blur_radius > 0 ? reinterpret_cast<const float*>(base + blur_offset(s)) : nullptr};
}

template <class Byte>
auto residual_waves(Byte* base) {
    using Value = std::conditional_t<std::is_const_v<Byte>, const cfloat, cfloat>;
    return reinterpret_cast<Value*>(base);
}
template <class Byte>
auto far_field_steps(Byte* base, const BatchShape& s) {
    using Value = std::conditional_t<std::is_const_v<Byte>, const double, double>;
    return reinterpret_cast<Value*>(base + residual_waves_bytes(s));
}

// BatchSums, then the probe part, then (out only) the window: the first two blocks are those of `sums`.
inline BatchSums* batch_sums(std::byte* base) {
    return reinterpret_cast<BatchSums*>(base);
}
inline const BatchSums* batch_sums(const std::byte* base) {
    return reinterpret_cast<const BatchSums*>(base);
}
template <class Byte>
auto probe_part(Byte* base) {
    using Value = std::conditional_t<std::is_const_v<Byte>, const cfloat, cfloat>;
    return reinterpret_cast<Value*>(base + aligned_bytes(sizeof(BatchSums)));
}
template <class Byte>
auto window_part(Byte* base, std::size_t probe_size) {
    using Value = std::conditional_t<std::is_const_v<Byte>, const cfloat, cfloat>;
    return reinterpret_cast<Value*>(base + sums_bytes(probe_size));
}

}  // namespace tessera
