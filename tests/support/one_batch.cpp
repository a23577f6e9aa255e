#include "support/one_batch.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "codelets/accumulate.hpp"
#include "codelets/accumulate_gradient.hpp"
#include "codelets/compare_trials.hpp"
#include "codelets/compare_waves.hpp"
#include "codelets/direction.hpp"
#include "codelets/evaluate.hpp"
#include "codelets/illumination.hpp"
#include "codelets/make_exit_waves.hpp"
#include "codelets/noise.hpp"
#include "codelets/propagate.hpp"
#include "scan/point_spread.hpp"
#include "tiling/tiling.hpp"

namespace tessera::test {
namespace {

using reference::Image;
using reference::Stack;
using reference::Value;

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

double held(double value) {
    return static_cast<double>(static_cast<float>(value));
}

template <std::size_t N>
void hold(Array<Value, N>& values) {
    for (Value& value : values) value = {held(value.real()), held(value.imag())};
}

cfloat single(Value value) {
    return {static_cast<float>(value.real()), static_cast<float>(value.imag())};
}

Value value_of(cfloat value) {
    return {static_cast<double>(value.re), static_cast<double>(value.im)};
}

tessera::NoiseModel program_noise_model(reference::NoiseModel model) {
    switch (model) {
        case reference::NoiseModel::amplitude:
            return tessera::NoiseModel::amplitude;
        case reference::NoiseModel::poisson:
            return tessera::NoiseModel::poisson;
        case reference::NoiseModel::gaussian:
            return tessera::NoiseModel::gaussian;
    }
    return tessera::NoiseModel::amplitude;
}

tessera::Interpolation program_interpolation(reference::Interpolation interpolation) {
    switch (interpolation) {
        case reference::Interpolation::nearest:
            return tessera::Interpolation::nearest;
        case reference::Interpolation::bilinear:
            return tessera::Interpolation::bilinear;
        case reference::Interpolation::fourier:
            return tessera::Interpolation::fourier;
    }
    return tessera::Interpolation::nearest;
}

Shape2 shape2(const Extents<2>& extents) {
    return {static_cast<std::int32_t>(extents[0]), static_cast<std::int32_t>(extents[1])};
}

double held_count(double count, PatternType type) {
    switch (type) {
        case PatternType::u8:
            return std::min(count, 254.0);
        case PatternType::u16:
            return std::min(count, 65534.0);
        case PatternType::i32:
            return count;
        case PatternType::f32:
            return count < 0 ? count : held(count + 0.3);
    }
    return count;
}

template <class Count>
void write_counts(const Array<double, 3>& patterns, Data& to) {
    auto* counts = to.before_tasks<Count>();
    for (std::ptrdiff_t i = 0; i < patterns.size(); ++i)
        counts[i] = patterns[i] < 0 ? unused_count<Count> : static_cast<Count>(patterns[i]);
}

Data make_patterns(const reference::Problem& problem, const BatchShape& shape) {
    Data data(patterns_bytes(shape));
    switch (shape.pattern_type) {
        case PatternType::u8:
            write_counts<std::uint8_t>(problem.patterns, data);
            break;
        case PatternType::u16:
            write_counts<std::uint16_t>(problem.patterns, data);
            break;
        case PatternType::i32:
            write_counts<std::int32_t>(problem.patterns, data);
            break;
        case PatternType::f32:
            write_counts<float>(problem.patterns, data);
            break;
    }
    return data;
}

Data make_detector(const reference::Problem& problem, const BatchShape& shape) {
    Data data(detector_bytes(shape));
    auto* base = data.before_tasks<std::byte>();
    const std::size_t map = aligned_bytes(detector_shape(shape).area() * sizeof(float));
    auto* mask = reinterpret_cast<float*>(base);
    auto* background = reinterpret_cast<float*>(base + map);
    for (std::size_t i = 0; i < detector_shape(shape).area(); ++i) {
        const auto pixel = static_cast<std::ptrdiff_t>(i);
        mask[i] = problem.mask.empty() ? 1.0f : static_cast<float>(problem.mask[pixel]);
        // Without a background nobody may look at it.
        background[i] = shape.has_background ? static_cast<float>(problem.background[pixel]) : nan;
    }
    auto* slice_transfer = reinterpret_cast<cfloat*>(base + slice_transfers_offset(shape));
    for (const Image& between : problem.slice_transfer_functions) {
        for (const Value& value : between)
            *slice_transfer++ = single(value / static_cast<double>(between.size()));
    }
    if (problem.blur_sigma > 0) {
        std::ranges::transform(point_spread(problem.blur_sigma),
                               reinterpret_cast<float*>(base + blur_offset(shape)),
                               [](double tap) { return static_cast<float>(tap); });
    }
    if (!shape.near_field) return data;
    auto* transfer = reinterpret_cast<cfloat*>(base + 2 * map);
    const double both_transforms = 1.0 / static_cast<double>(shape.frame.area());
    for (std::ptrdiff_t i = 0; i < problem.transfer_function.size(); ++i) {
        transfer[i] = single(both_transforms * problem.transfer_function[i]);
    }
    return data;
}

Rect window_of(const reference::Problem& problem, const reference::Window& window) {
    const int extra = problem.interpolation == reference::Interpolation::bilinear ? 1 : 0;
    const int y = static_cast<int>(window.y), x = static_cast<int>(window.x);
    return {y, x, y + static_cast<int>(problem.probe_shape()[0]) + extra,
            x + static_cast<int>(problem.probe_shape()[1]) + extra};
}

Rect with_border(const reference::Problem& problem) {
    const int border_y = 3, border_x = 5;  // neither equal nor a whole number of vectors
    return {-border_y, -border_x, static_cast<int>(problem.object.extent(1)) + border_y,
            static_cast<int>(problem.object.extent(2)) + border_x};
}

BatchShape shape_of(const reference::Problem& problem, PatternType type, const Rect& tile) {
    BatchShape shape;
    shape.num_frames = static_cast<std::int32_t>(problem.num_frames());
    shape.num_modes = static_cast<std::int32_t>(problem.num_modes());
    shape.num_slice_transfers = static_cast<std::int32_t>(problem.slice_transfer_functions.size());
    shape.num_object_modes = static_cast<std::int32_t>(problem.num_object_modes);
    shape.num_slices = static_cast<std::int32_t>(problem.num_slices());
    shape.frame = shape2(problem.far_field_shape());
    shape.upsampling = static_cast<std::int32_t>(problem.upsampling);
    shape.probe = shape2(problem.probe_shape());
    shape.tile = {tile.height(), tile.width()};
    Rect window;
    for (const reference::Window& w : problem.windows) {
        window = bounding_box(window, intersection(window_of(problem, w), tile));
        shape.reaches_out = shape.reaches_out || !tile.contains(window_of(problem, w));
    }
    shape.window_y = window.y0 - tile.y0;
    shape.window_x = window.x0 - tile.x0;
    shape.window = {window.height(), window.width()};
    shape.pattern_type = type;
    shape.noise_model = program_noise_model(problem.noise_model);
    shape.interpolation = program_interpolation(problem.interpolation);
    shape.near_field = !problem.transfer_function.empty();
    shape.has_background = !problem.background.empty();
    if (problem.blur_sigma > 0) shape.blur_radius = point_spread_radius(problem.blur_sigma);
    shape.saturated_from = static_cast<float>(problem.saturated_from);
    return shape;
}

template <std::size_t N>
double relative_error_of(const Array<Value, N>& found, const Array<Value, N>& expected) {
    TESSERA_EXPECT(found.extents() == expected.extents());
    double difference = 0, size = 0;
    for (std::ptrdiff_t i = 0; i < found.size(); ++i) {
        difference += std::norm(found[i] - expected[i]);
        size += std::norm(expected[i]);
    }
    return std::sqrt(difference / size);
}

}  // namespace

reference::Problem as_held(reference::Problem problem, PatternType type) {
    hold(problem.probe);
    hold(problem.object);
    for (double& count : problem.patterns) count = held_count(count, type);
    for (double& value : problem.background) value = held(value);
    for (reference::Window& window : problem.windows) {
        window.frac_y = held(window.frac_y);
        window.frac_x = held(window.frac_x);
    }
    problem.epsilon = static_cast<double>(noise_epsilon(program_noise_model(problem.noise_model)));
    return problem;
}

reference::Unknowns as_held(reference::Unknowns unknowns) {
    hold(unknowns.object);
    hold(unknowns.probe);
    return unknowns;
}

OneBatch::OneBatch(const reference::Problem& problem, PatternType type, KeptWaves kept,
                   const std::optional<Rect>& part)
    : tile(part.value_or(with_border(problem))),
      shape(shape_of(problem, type, tile)),
      patterns(make_patterns(problem, shape)),
      frames(frames_bytes(shape)),
      detector(make_detector(problem, shape)),
      probe(moving_field_bytes(shape.probe_size())),
      object(moving_field_bytes(shape.tile_size())),
      state(sizeof(IterationState)),
      out(out_bytes(shape)),
      errors(static_cast<std::size_t>(shape.num_frames) * sizeof(double)),
      object_shape_(problem.object.extents()) {
    problem.check();
    if (kept != KeptWaves::none) waves = Data(wave_bytes(shape));
    for (Data& between : stage_waves_) between = Data(residual_bytes(shape));
    auto* positions = frames.before_tasks<FramePosition>();
    for (std::size_t j = 0; j < problem.windows.size(); ++j) {
        const reference::Window& window = problem.windows[j];
        positions[j] = {static_cast<std::int32_t>(window.y) - tile.y0,
                        static_cast<std::int32_t>(window.x) - tile.x0, static_cast<float>(window.frac_y),
                        static_cast<float>(window.frac_x)};
    }
    const auto probe_field = moving_field(probe.before_tasks<std::byte>(), shape.probe_size());
    for (std::ptrdiff_t i = 0; i < problem.probe.size(); ++i) {
        probe_field.value[i] = single(problem.probe[i]);
        probe_field.direction[i] = {nan, nan};
    }
    const auto object_field = moving_field(object.before_tasks<std::byte>(), shape.tile_size());
    std::fill_n(object_field.value, shape.tile_size(), cfloat{nan, nan});
    std::fill_n(object_field.direction, shape.tile_size(), cfloat{nan, nan});
    for_each_pixel([&](std::ptrdiff_t slice, std::ptrdiff_t y, std::ptrdiff_t x) {
        object_field.value[in_tile(slice, y, x)] = single(problem.object(slice, y, x));
    });
}

std::ptrdiff_t OneBatch::in_tile(std::ptrdiff_t slice, std::ptrdiff_t y, std::ptrdiff_t x) const {
    return (slice * shape.tile.y + y - tile.y0) * shape.tile.x + x - tile.x0;
}

template <class Visit>
void OneBatch::for_each_pixel(const Visit& visit) const {
    for (std::ptrdiff_t slice = 0; slice < object_shape_[0]; ++slice) {
        for (std::ptrdiff_t y = std::max(tile.y0, 0); y < std::min<std::ptrdiff_t>(tile.y1, object_shape_[1]);
             ++y) {
            for (std::ptrdiff_t x = std::max(tile.x0, 0);
                 x < std::min<std::ptrdiff_t>(tile.x1, object_shape_[2]); ++x)
                visit(slice, y, x);
        }
    }
}

void OneBatch::set_direction(const reference::Unknowns& direction, ProbeMotion motion) {
    const HostAccess object_access(object, Access::read_write), probe_access(probe, Access::read_write);
    const auto object_field = moving_field(object_access.as<std::byte>(), shape.tile_size());
    for_each_pixel([&](std::ptrdiff_t slice, std::ptrdiff_t y, std::ptrdiff_t x) {
        object_field.direction[in_tile(slice, y, x)] = single(direction.object(slice, y, x));
    });
    if (motion == ProbeMotion::fixed) return;
    const auto probe_field = moving_field(probe_access.as<std::byte>(), shape.probe_size());
    for (std::ptrdiff_t i = 0; i < direction.probe.size(); ++i)
        probe_field.direction[i] = single(direction.probe[i]);
}

void OneBatch::set_state(const IterationState& value) {
    *HostAccess(state, Access::write).as<IterationState>() = value;
}

IterationState OneBatch::get_state() const {
    return *HostAccess(state, Access::read).as<const IterationState>();
}

reference::Problem OneBatch::at_present(reference::Problem problem) const {
    const HostAccess object_access(object, Access::read), probe_access(probe, Access::read);
    const auto* object_value = moving_field(object_access.as<const std::byte>(), shape.tile_size()).value;
    for_each_pixel([&](std::ptrdiff_t slice, std::ptrdiff_t y, std::ptrdiff_t x) {
        problem.object(slice, y, x) = value_of(object_value[in_tile(slice, y, x)]);
    });
    const auto* probe_value = moving_field(probe_access.as<const std::byte>(), shape.probe_size()).value;
    for (std::ptrdiff_t i = 0; i < problem.probe.size(); ++i) problem.probe[i] = value_of(probe_value[i]);
    return problem;
}

void OneBatch::spoil_out() {
    const HostAccess access(out, Access::write);
    std::memset(access.as<std::byte>(), 0xff, out.bytes());  // NaN in every precision
    for (const Data& between : stage_waves_) {
        const HostAccess waves_access(between, Access::write);
        std::memset(waves_access.as<std::byte>(), 0xff, between.bytes());
    }
}

void OneBatch::run_gradient_in_stages(const GradientArgs& args) {
    const Data& between = stage_waves_[0];
    clear.submit({out_bytes(shape)}, {&out});
    if (args.waves != KeptWaves::advance) {
        make_exit_waves.submit({shape}, {&frames, &probe, &object, &state, &between});
        propagate.submit({shape, Direction::forward}, {&frames, &detector, &state, &between});
    }
    const CompareWavesArgs comparison = {shape, Comparison::derivative, args.waves};
    if (args.waves == KeptWaves::none) {
        compare_waves.submit(comparison, {&patterns, &frames, &detector, &state, &between, &out});
    } else {
        compare_waves_keeping.submit(comparison,
                                     {&patterns, &frames, &detector, &state, &between, &out, &waves});
    }
    propagate.submit({shape, Direction::back}, {&frames, &detector, &state, &between});
    accumulate_gradient.submit({shape, args.probe}, {&frames, &probe, &object, &state, &between, &out});
}

void OneBatch::run_line_search_in_stages(const LineSearchArgs& args) {
    const auto& [a, b, c] = stage_waves_;
    const auto make = [&](WaveOrder order, const Data& to) {
        make_exit_waves.submit({shape, order, args.probe}, {&frames, &probe, &object, &state, &to});
        propagate.submit({shape, Direction::forward}, {&frames, &detector, &state, &to});
    };
    clear.submit({sizeof(BatchSums)}, {&out});
    if (args.waves == KeptWaves::none) make(WaveOrder::here, a);
    make(WaveOrder::along, b);
    if (args.probe == ProbeMotion::moving) make(WaveOrder::along_twice, c);
    const CompareTrialsArgs comparison = {shape, args.waves, args.probe};
    if (args.waves == KeptWaves::none) {
        compare_trials.submit(comparison, {&patterns, &frames, &detector, &state, &out, &a, &b, &c});
    } else {
        compare_trials_keeping.submit(comparison,
                                      {&patterns, &frames, &detector, &state, &out, &waves, &b, &c});
    }
}

void OneBatch::run_gradient(KeptWaves kept, ProbeMotion motion) {
    spoil_out();
    const GradientArgs args = {shape, kept, motion};
    if (operations == Operations::staged) return run_gradient_in_stages(args);
    if (kept == KeptWaves::none) {
        tessera::gradient.submit(args, {&patterns, &frames, &detector, &probe, &object, &state, &out});
    } else {
        gradient_keeping_waves.submit(args,
                                      {&patterns, &frames, &detector, &probe, &object, &state, &out, &waves});
    }
}

void OneBatch::run_line_search(KeptWaves kept, ProbeMotion motion) {
    spoil_out();
    const LineSearchArgs args = {shape, kept, motion};
    if (operations == Operations::staged) return run_line_search_in_stages(args);
    if (kept == KeptWaves::none) {
        line_search.submit(args, {&patterns, &frames, &detector, &probe, &object, &state, &out});
    } else {
        line_search_keeping_waves.submit(
            args, {&patterns, &frames, &detector, &probe, &object, &state, &out, &waves});
    }
}

void OneBatch::run_evaluate() {
    spoil_out();
    evaluate.submit({shape}, {&patterns, &frames, &detector, &probe, &object, &out, &errors});
}

void OneBatch::run_illumination() {
    spoil_out();
    illumination.submit({shape}, {&frames, &detector, &probe, &object, &state, &out});
}

void OneBatch::run_step(ProbeMotion motion) {
    step.submit({shape.tile_size()}, {&object, &state});
    if (motion == ProbeMotion::moving) step.submit({shape.probe_size()}, {&probe, &state});
}

std::vector<std::byte> OneBatch::bytes() const {
    const HostAccess access(out, Access::read);
    throw_task_failure();
    const auto* base = access.as<const std::byte>();
    return {base, base + out.bytes()};
}

BatchSums OneBatch::sums() const {
    const HostAccess access(out, Access::read);
    throw_task_failure();
    return *batch_sums(access.as<const std::byte>());
}

reference::Unknowns OneBatch::gradient() const {
    const HostAccess access(out, Access::read);
    throw_task_failure();
    const auto* base = access.as<const std::byte>();
    reference::Unknowns result{Stack(object_shape_),
                               Stack({shape.num_modes, static_cast<std::ptrdiff_t>(shape.probe.y),
                                      static_cast<std::ptrdiff_t>(shape.probe.x)})};
    const cfloat* window = window_part(base, shape.probe_size());
    for (std::ptrdiff_t slice = 0; slice < shape.num_planes(); ++slice) {
        for (std::ptrdiff_t y = 0; y < shape.window.y; ++y) {
            for (std::ptrdiff_t x = 0; x < shape.window.x; ++x) {
                result.object(slice, shape.window_y + tile.y0 + y, shape.window_x + tile.x0 + x) =
                    value_of(*window++);
            }
        }
    }
    for (std::ptrdiff_t i = 0; i < result.probe.size(); ++i) result.probe[i] = value_of(probe_part(base)[i]);
    return result;
}

std::vector<double> OneBatch::frame_errors() const {
    const HostAccess access(errors, Access::read);
    const auto* values = access.as<const double>();
    return {values, values + shape.num_frames};
}

double relative_error(const Image& found, const Image& expected) {
    return relative_error_of(found, expected);
}

double relative_error(const Stack& found, const Stack& expected) {
    return relative_error_of(found, expected);
}

const char* name(reference::NoiseModel model) {
    switch (model) {
        case reference::NoiseModel::amplitude:
            return "amplitude";
        case reference::NoiseModel::poisson:
            return "poisson";
        case reference::NoiseModel::gaussian:
            return "gaussian";
    }
    return "?";
}

const char* name(reference::Interpolation interpolation) {
    switch (interpolation) {
        case reference::Interpolation::nearest:
            return "nearest";
        case reference::Interpolation::bilinear:
            return "bilinear";
        case reference::Interpolation::fourier:
            return "fourier";
    }
    return "?";
}

}  // namespace tessera::test
