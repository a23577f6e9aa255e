#include "tasks/handles.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <span>

#include "codelets/device_scratch.hpp"
#include "codelets/position_rules.hpp"
#include "codelets/refine_background.hpp"
#include "codelets/runtime/simulation.hpp"
#include "codelets/search_positions.hpp"
#include "codelets/variable_probe.hpp"
#include "scan/geometry.hpp"
#include "scan/point_spread.hpp"
#include "scan/probe_modes.hpp"
#include "scan/wave_optics.hpp"
#include "tasks/starting_point.hpp"

namespace tessera {
namespace {

Shape2 shape2(std::array<int, 2> shape) {
    return {shape[0], shape[1]};
}

Strip strip_of(const Rect& rect, const Rect& tile) {
    return {rect.y0 - tile.y0, rect.x0 - tile.x0, {rect.height(), rect.width()}};
}

BatchHandles make_batch(const Problem& problem, std::size_t t, std::size_t b) {
    const Tile& tile = problem.tiling.tiles[t];
    const Batch& batch = tile.batches[b];
    BatchHandles handles;
    BatchShape& s = handles.shape;
    s = largest_batch(problem);
    s.num_frames = static_cast<std::int32_t>(batch.frames.size());
    s.tile = {tile.extended.height(), tile.extended.width()};
    s.window_y = batch.window.y0 - tile.extended.y0;
    s.window_x = batch.window.x0 - tile.extended.x0;
    s.window = {batch.window.height(), batch.window.width()};
    handles.reaches_neighbour = batch.reaches_neighbour;
    handles.is_own = batch.is_own;
    handles.minibatch = batch.minibatch;
    handles.frames_in_scan = batch.frames.data();
    handles.frames = Data(frames_bytes(s));
    if (batch.is_own) handles.frame_errors = Data(batch.frames.size() * sizeof(double));
    if (problem.keep_waves || problem.projects_waves()) {
        const std::size_t bytes = problem.keep_waves ? wave_bytes(s) : exit_wave_bytes(s);
        handles.waves_are_written = !problem.waves_memory_bytes;
        handles.waves = problem.waves_memory_bytes ? Data::without_home(bytes) : Data(bytes);
    }
    auto* positions = handles.frames.before_tasks<FramePosition>();
    for (std::size_t j = 0; j < batch.frames.size(); ++j) {
        const WindowPosition& w = problem.placement.windows[static_cast<std::size_t>(batch.frames[j])];
        positions[j] = {w.y - tile.extended.y0, w.x - tile.extended.x0, w.frac_y, w.frac_x};
        const auto [height, width] = problem.placement.window_shape;
        const int slack = problem.placement.max_shift_px;
        s.reaches_out = s.reaches_out || !tile.extended.contains({w.y - slack, w.x - slack,
                                                                  w.y + height + slack, w.x + width + slack});
    }
    return handles;
}

std::array<double, 2> corner_of(const WindowPosition& window) {
    return {window.y + static_cast<double>(window.frac_y), window.x + static_cast<double>(window.frac_x)};
}

std::array<double, 2> middle_of(const Placement& placement) {
    std::array<double, 2> sum = {0, 0};
    for (const WindowPosition& window : placement.windows) {
        for (std::size_t axis = 0; axis < 2; ++axis) sum[axis] += corner_of(window)[axis];
    }
    for (double& value : sum) value /= static_cast<double>(placement.windows.size());
    return sum;
}

ScanMoments scan_moments_of(const Placement& placement) {
    const auto [middle_y, middle_x] = middle_of(placement);
    ScanMoments moments;
    moments.num_frames = static_cast<double>(placement.windows.size());
    for (const WindowPosition& window : placement.windows) {
        const double y = corner_of(window)[0] - middle_y, x = corner_of(window)[1] - middle_x;
        moments.yy += y * y;
        moments.yx += y * x;
        moments.xx += x * x;
    }
    return moments;
}

void set_frame_places(TileHandles& handles, const Problem& problem, std::size_t t) {
    const Tile& tile = problem.tiling.tiles[t];
    handles.places = Data(static_cast<std::size_t>(tile.num_frames()) * sizeof(FramePlace));
    auto* place = handles.places.before_tasks<FramePlace>();
    const auto middle = middle_of(problem.placement);
    const double corner[2] = {static_cast<double>(tile.extended.y0), static_cast<double>(tile.extended.x0)};
    for (const Batch& batch : tile.batches) {
        for (const std::ptrdiff_t frame : batch.frames) {
            const auto at = corner_of(problem.placement.windows[static_cast<std::size_t>(frame)]);
            *place = FramePlace();
            for (std::size_t axis = 0; axis < 2; ++axis) {
                place->origin[axis] = at[axis] - corner[axis];
                place->from_centre[axis] = at[axis] - middle[axis];
            }
            ++place;
        }
    }
}

// At amplitude 1, and by the mean probe alone.
void set_first_lights(TileHandles& handles, const BatchShape& shape, std::int32_t num_frames) {
    handles.lights = Data(lights_bytes(num_frames, shape.num_opr_modes));
    auto* light = handles.lights.before_tasks<float>();
    const std::int32_t size = light_size(shape.num_opr_modes);
    for (std::int32_t i = 0; i < num_frames * size; ++i) light[i] = i % size == 0 ? 1.0f : 0.0f;
    set_lights(handles);
}

// In one piece of memory, for fewer and larger pages, which whoever reads the frames touches first.
void set_patterns(TileHandles& tile, const std::vector<bool>& stays) {
    std::size_t bytes = 0;
    for (std::size_t b = 0; b < tile.batches.size(); ++b) {
        if (stays[b]) bytes += Data::bytes_of(patterns_bytes(tile.batches[b].shape));
    }
    if (bytes == 0) return;
    const auto memory = HostMemory::for_parts(bytes);
    std::size_t offset = 0;
    for (std::size_t b = 0; b < tile.batches.size(); ++b) {
        if (!stays[b]) continue;
        BatchHandles& batch = tile.batches[b];
        batch.patterns = Data::part_of(memory, offset, patterns_bytes(batch.shape));
        offset += batch.patterns.bytes();
    }
}

// All frames of each mini-batch that light some of the tile, whose frames are.
std::vector<MinibatchHandles> make_minibatches(const Problem& problem, std::size_t t) {
    const Tile& tile = problem.tiling.tiles[t];
    const Minibatches& minibatches = problem.tiling.minibatches;
    std::vector<bool> is_own(problem.placement.windows.size());
    for (const Batch& batch : tile.batches) {
        for (const std::ptrdiff_t frame : batch.frames)
            is_own[static_cast<std::size_t>(frame)] = batch.is_own;
    }
    std::vector<std::vector<MinibatchFrame>> frames(static_cast<std::size_t>(minibatches.count));
    for (std::size_t j = 0; j < is_own.size(); ++j) {
        const WindowPosition& at = problem.placement.windows[j];
        const Rect lit = {at.y, at.x, at.y + problem.probe_shape[0], at.x + problem.probe_shape[1]};
        if (intersection(lit, tile.extended).empty()) continue;
        const int minibatch = minibatches.of(static_cast<std::ptrdiff_t>(j));
        frames[static_cast<std::size_t>(minibatch)].push_back(
            {at.y - tile.extended.y0, at.x - tile.extended.x0, is_own[j] ? 1 : 0, 0});
    }
    std::vector<MinibatchHandles> handles;
    for (const auto& of_minibatch : frames) {
        MinibatchHandles& made = handles.emplace_back();
        made.num_frames = static_cast<std::int32_t>(of_minibatch.size());
        made.frames = Data(std::max<std::size_t>(of_minibatch.size(), 1) * sizeof(MinibatchFrame));
        std::copy(of_minibatch.begin(), of_minibatch.end(), made.frames.before_tasks<MinibatchFrame>());
    }
    return handles;
}

// Of the mini-batch under way, each batch keeps what comes back from its far fields.
void set_places(TileHandles& tile, const Problem& problem) {
    std::vector<std::size_t> num_batches(static_cast<std::size_t>(problem.tiling.minibatches.count));
    std::vector<BatchShape> largest;  // by place
    for (BatchHandles& batch : tile.batches) {
        batch.place = num_batches[static_cast<std::size_t>(batch.minibatch)]++;
        if (batch.place == largest.size()) largest.push_back(batch.shape);
        if (batch.shape.num_frames > largest[batch.place].num_frames) largest[batch.place] = batch.shape;
    }
    if (!problem.needs_residuals()) return;
    for (const BatchShape& shape : largest) tile.residuals.emplace_back(residual_bytes(shape));
}

TileHandles make_tile(const Problem& problem, std::size_t t) {
    const Tile& tile = problem.tiling.tiles[t];
    TileHandles handles;
    handles.shape = {tile.extended.height(), tile.extended.width()};
    handles.interior = strip_of(tile.interior, tile.extended);
    const int object_planes = problem.num_planes();
    const int planes = problem.planes_of_sums();
    const std::size_t field = field_bytes(handles.shape, planes);
    handles.object = Data(moving_field_bytes(volume(handles.shape, object_planes)));
    if (problem.config.tiling.exchange != Exchange::voxels) handles.gradient_own = Data(field);
    handles.gradient = Data(field);
    handles.gradient_previous = Data(field);
    handles.illumination = Data(weight_bytes(handles.shape, object_planes));
    Shape2 largest;
    std::int32_t num_frames = 0;
    for (std::size_t b = 0; b < tile.batches.size(); ++b) {
        BatchHandles& batch = handles.batches.emplace_back(make_batch(problem, t, b));
        batch.first_place = num_frames;
        num_frames += batch.shape.num_frames;
        const Shape2& window = batch.shape.window;
        if (window.area() > largest.area()) largest = window;
    }
    set_patterns(handles, problem.patterns.stays[t]);
    set_places(handles, problem);
    if (problem.has_minibatches()) handles.minibatches = make_minibatches(problem, t);
    if (problem.needs_momentum()) handles.anchor = Data(field_bytes(handles.shape, object_planes));
    if (problem.refines_positions()) set_frame_places(handles, problem, t);
    if (problem.varies_probe()) set_first_lights(handles, largest_batch(problem), num_frames);
    const auto slots = std::min(static_cast<std::size_t>(num_out_slots(problem.machine.num_workers())),
                                handles.batches.size());
    const std::size_t bytes = std::max({out_bytes(largest, problem.batch_probe_size(), planes),
                                        position_derivatives_bytes(problem.tiling.batch_size),
                                        found_places_bytes(problem.tiling.batch_size)});
    for (std::size_t slot = 0; slot < slots; ++slot) handles.out.emplace_back(bytes);
    return handles;
}

void set_slice_transfers(const Problem& problem, cfloat* to) {
    const ObjectConfig& object = problem.config.object;
    const auto transfers = slice_transfer_functions(
        slice_propagator(object.slice_propagation, problem.scan.geometry), problem.probe_shape,
        problem.scan.pixel_size_m,
        std::span(object.slice_spacings_m).first(static_cast<std::size_t>(problem.num_slice_transfers())));
    const float both_transforms = 1.0f / static_cast<float>(shape2(problem.probe_shape).area());
    for (std::ptrdiff_t i = 0; i < transfers.size(); ++i) to[i] = both_transforms * transfers[i];
}

// Of one ring for all tiles: what is under way follows the workers.
std::vector<StageWaves> make_stage_waves(const Problem& problem, const Handles& handles) {
    if (problem.config.runtime.operations == Operations::fused) return {};
    std::size_t num_batches = 0;
    for (const TileHandles& tile : handles.tiles) num_batches += tile.batches.size();
    std::vector<StageWaves> ring(
        std::min(static_cast<std::size_t>(num_out_slots(problem.machine.num_workers())), num_batches));
    const std::size_t bytes = residual_bytes(largest_batch(problem));
    for (StageWaves& waves : ring) {
        waves.here = Data(bytes);
        if (!problem.has_line_search()) continue;
        waves.along = Data(bytes);
        waves.along_twice = Data(bytes);
    }
    return ring;
}

Data make_detector(const Problem& problem) {
    const ScanInfo& scan = problem.scan;
    const Shape2 frame = shape2(scan.frame_shape);
    const BatchShape shape = largest_batch(problem);
    Data detector(detector_bytes(shape));
    if (!data_have_content()) return detector;
    auto* base = detector.before_tasks<std::byte>();
    const std::size_t map = aligned_bytes(frame.area() * sizeof(float));
    std::memcpy(base, scan.mask.data(), scan.mask.bytes());
    if (scan.background) std::memcpy(base + map, scan.background->data(), scan.background->bytes());
    if (problem.near_field()) {
        const auto transfer =
            fresnel_transfer_function(scan.frame_shape, scan.pixel_size_m, scan.geometry.wavelength_m,
                                      scan.geometry.effective_distance_m());
        auto* to = reinterpret_cast<cfloat*>(base + 2 * map);
        const float both_transforms = 1.0f / static_cast<float>(frame.area());
        for (std::ptrdiff_t i = 0; i < transfer.size(); ++i) to[i] = both_transforms * transfer[i];
    }
    if (problem.num_slices() > 1)
        set_slice_transfers(problem, reinterpret_cast<cfloat*>(base + slice_transfers_offset(shape)));
    if (shape.blur_radius > 0) {
        const auto taps = point_spread(problem.config.detector.blur_sigma_px);
        std::ranges::transform(taps, reinterpret_cast<float*>(base + blur_offset(shape)),
                               [](double tap) { return static_cast<float>(tap); });
    }
    return detector;
}

// What the scan says, else none.
Data first_background(const Problem& problem) {
    Data background(shape2(problem.scan.frame_shape).area() * sizeof(float));
    const auto& measured = problem.scan.background;
    if (measured) std::memcpy(background.before_tasks<float>(), measured->data(), measured->bytes());
    return background;
}

}  // namespace

FrameDestinations Handles::frame_memory(const Problem& problem) {
    struct Place {
        std::byte* memory = nullptr;
        bool is_own = false;
    };
    std::map<std::ptrdiff_t, Place> places;
    FrameDestinations destinations;
    const std::size_t bytes = static_cast<std::size_t>(problem.scan.frame_shape[0]) *
                              static_cast<std::size_t>(problem.scan.frame_shape[1]) *
                              bytes_per_count(problem.scan.pattern_type);
    for (const std::size_t t : own) {
        for (std::size_t b = 0; b < tiles[t].batches.size(); ++b) {
            auto* base = tiles[t].batches[b].patterns.before_tasks<std::byte>();
            const Batch& batch = problem.tiling.tiles[t].batches[b];
            for (const std::ptrdiff_t frame : batch.frames) {
                Place& place = places[frame];
                place.is_own = place.is_own || batch.is_own;
                if (base == nullptr) continue;  // does not stay
                if (place.memory != nullptr) destinations.copies.push_back({place.memory, base});
                if (place.memory == nullptr) place.memory = base;
                base += bytes;
            }
        }
    }
    for (const auto& [frame, place] : places) {
        destinations.frames.push_back(frame);
        destinations.memory.push_back(place.memory);
        destinations.are_own.push_back(place.is_own);
    }
    return destinations;
}

Handles make_handles(const Problem& problem, const Ranks& ranks, const FrameSource* source) {
    const PatternPlan& patterns = problem.patterns;
    TESSERA_EXPECT(source != nullptr || !patterns.reads_again());
    reserve_device_scratch(largest_batch(problem), problem.device_scratch_uses());
    Handles handles;
    handles.num_modes = problem.config.probe.num_modes;
    handles.num_planes = problem.num_planes();
    handles.num_slices = problem.num_slices();
    handles.num_object_modes = problem.config.object.num_modes;
    handles.num_frames = problem.scan.num_frames;
    handles.scan_moments = scan_moments_of(problem.placement);
    handles.max_shift_px = problem.placement.max_shift_px;
    handles.probe_shape = shape2(problem.probe_shape);
    handles.detector_shape = shape2(problem.scan.frame_shape);
    handles.probe_size = static_cast<std::size_t>(handles.num_modes) * handles.probe_shape.area();
    handles.owners = {&ranks, problem.owner_of_tile};
    for (std::size_t t = 0; t < problem.tiling.tiles.size(); ++t) {
        handles.tiles.push_back(handles.owners.is_mine(t) ? make_tile(problem, t) : TileHandles());
        if (handles.owners.is_mine(t)) handles.own.push_back(t);
    }
    if (patterns.reads_again())
        handles.stream = PatternStream(*source, patterns.num_buffers, patterns.buffer_bytes);
    handles.stage_waves = make_stage_waves(problem, handles);
    handles.halos =
        HaloExchange(problem.tiling, handles.owners, problem.config.tiling.exchange, handles.num_planes);
    if (problem.copies_voxels()) {
        handles.couplings = HaloExchange(problem.tiling, handles.owners, Exchange::voxels, handles.num_planes,
                                         Message::voxels);
    }
    if (problem.projects_waves()) {
        handles.overlap_halos = HaloExchange(problem.tiling, handles.owners, problem.config.tiling.exchange,
                                             num_overlap_planes(handles.num_object_modes), Message::overlap);
    }
    for (int m = 0; problem.has_minibatches() && m < problem.tiling.minibatches.count; ++m) {
        handles.frames_in_minibatch.push_back(static_cast<double>(problem.tiling.minibatches.size(m)));
    }
    handles.summed_probe_size = problem.summed_probe_size();
    handles.sums = TileSums(handles.owners, handles.summed_probe_size, Message::sums, Message::total);
    handles.trial_sums = TileSums(handles.owners, 0, Message::scalars, Message::scalar_total);
    handles.detector = make_detector(problem);
    handles.num_opr_modes = problem.config.probe.variable.num_opr_modes;
    handles.probe = Data(probe_bytes(largest_batch(problem)));
    if (problem.varies_probe()) handles.light_turn = Data(sizeof(LightTurn));
    if (problem.refines_background()) handles.background = first_background(problem);
    handles.probe_gradient = Data(handles.probe_size * sizeof(cfloat));
    handles.probe_gradient_previous = Data(handles.probe_size * sizeof(cfloat));
    handles.coverage = Data(weight_bytes(handles.probe_shape));
    if (problem.needs_momentum()) handles.probe_anchor = Data(handles.probe_size * sizeof(cfloat));
    handles.state = Data(sizeof(IterationState));
    for (int i = 0; i <= problem.config.runtime.submit_ahead; ++i)
        handles.records.emplace_back(sizeof(IterationState));
    return handles;
}

void set_object(Handles& handles, const Problem& problem, const std::filesystem::path& run_folder) {
    const InitialObjectMaker maker(problem, run_folder);
    for (const std::size_t t : handles.own) {
        maker.fill(problem.tiling.tiles[t].extended, handles.tiles[t].object.before_tasks<cfloat>());
    }
}

void set_frames(TileHandles& tile) {
    const auto* places = tile.places.before_tasks<FramePlace>();
    for (BatchHandles& batch : tile.batches) {
        auto* frames = batch.frames.before_tasks<FramePosition>();
        for (std::int32_t j = 0; j < batch.shape.num_frames; ++j)
            frames[j] = rules::position_of(places[batch.first_place + j], batch.shape.interpolation);
    }
}

void set_lights(TileHandles& tile) {
    for (BatchHandles& batch : tile.batches) {
        auto* lights = lights_of(batch.frames.before_tasks<std::byte>(), batch.shape);
        const std::size_t begin = lights_bytes(batch.first_place, batch.shape.num_opr_modes);
        std::memcpy(lights, tile.lights.before_tasks<std::byte>() + begin,
                    lights_bytes(batch.shape.num_frames, batch.shape.num_opr_modes));
    }
}

void set_background(Handles& handles) {
    std::memcpy(handles.detector.before_tasks<std::byte>() + background_offset(handles.detector_shape),
                handles.background.before_tasks<std::byte>(), handles.background.bytes());
}

void set_probe(Handles& handles, const Problem& problem, const Array<cfloat, 3>& probe) {
    TESSERA_EXPECT(static_cast<std::size_t>(probe.size()) == handles.probe_size);
    auto* base = handles.probe.before_tasks<std::byte>();
    std::memcpy(base, probe.data(), probe.bytes());
    const BatchShape shape = largest_batch(problem);
    if (shape.num_opr_modes == 0) return;
    const Array<cfloat, 3> modes =
        random_opr_modes(probe.slice(0), shape.num_opr_modes, problem.config.runtime.random_seed);
    std::memcpy(static_cast<void*>(opr_modes(base, shape)), modes.data(), modes.bytes());
}

}  // namespace tessera
