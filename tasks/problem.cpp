#include "tasks/problem.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include "codelets/couple_slices.hpp"
#include "codelets/device_scratch.hpp"
#include "codelets/smooth_object.hpp"
#include "codelets/variable_probe.hpp"
#include "scan/point_spread.hpp"
#include "tasks/probe_support.hpp"
#include "tasks/ramp_removal.hpp"
#include "tasks/set_tiling.hpp"

namespace tessera {
namespace {

std::array<int, 2> far_field_shape_of(const RunConfig& config, const ScanInfo& scan) {
    const int factor = config.detector.upsampling;
    return {factor * scan.frame_shape[0], factor * scan.frame_shape[1]};
}

// The probe's own array: what the run file says, else what the scan's probe has (padded far field: smaller
// than the frame), else the frame's.
std::array<int, 2> shape_of_probe(const RunConfig& config, const ScanInfo& scan) {
    const std::array<int, 2> most = far_field_shape_of(config, scan);
    std::array<int, 2> shape = most;
    const bool from_scan =
        config.probe.initial == InitialProbe::automatic || config.probe.initial == InitialProbe::file;
    if (config.probe.size) {
        shape = *config.probe.size;
    } else if (from_scan && !config.probe.file && scan.probe && config.detector.upsampling == 1) {
        shape = {static_cast<int>(scan.probe->extent(1)), static_cast<int>(scan.probe->extent(2))};
    }
    for (std::size_t axis = 0; axis < 2; ++axis) {
        if (shape[axis] > most[axis]) {
            throw usage_error(
                "probe.size: {} x {} pixels do not fit {} of {} x {} (set probe.size to at most that)",
                shape[0], shape[1], config.detector.upsampling == 1 ? "frames" : "frames, upsampled,",
                most[0], most[1]);
        }
    }
    return shape;
}

template <class Condition>
bool any_engine(const RunConfig& config, const Condition& condition) {
    return std::any_of(config.engines.begin(), config.engines.end(), condition);
}

void require_possible_waves(const RunConfig& config) {
    if (config.runtime.waves != Waves::keep) return;
    if (config.tiling.exchange == Exchange::voxels) {
        throw usage_error(
            "runtime.waves: keep does not go with tiling.exchange: voxels: kept far fields follow the "
            "steps of their tile, not what is copied into its halo (use auto or recompute)");
    }
    if (config.object.num_slices == 1) return;
    throw usage_error(
        "runtime.waves: keep needs object.num_slices: 1, it is {}: the far fields of several slices do not "
        "follow a step as those of one do (use auto or recompute)",
        config.object.num_slices);
}

void require_possible_upsampling(const Problem& problem) {
    if (problem.config.detector.upsampling == 1 || !problem.near_field()) return;
    throw usage_error(
        "detector.upsampling: {} is for the far field, where a finer one is that of a larger window; the "
        "near field is as fine as the object (use 1)",
        problem.config.detector.upsampling);
}

// Elsewhere a probe can be anywhere: only its amplitudes on the detector count.
void require_possible_centering(const Problem& problem) {
    for (std::size_t i = 0; i < problem.config.engines.size(); ++i) {
        if (!problem.near_field() || !problem.config.engines[i].projection.probe_center_tol) continue;
        throw usage_error(
            "engines[{}].probe_center_tol: is for the far field; in the near field the frames say where the "
            "probe is (leave it out)",
            i);
    }
}

void require_gpu_memory(const Problem& problem) {
    const std::size_t limit = problem.machine.gpu_memory_bytes;
    if (limit == 0 || problem.gpu_memory.least_bytes <= limit) return;
    throw runtime_failure(
        "a GPU needs {:.2f} GiB at least and {:.2f} GiB are allowed (runtime.memory_limit.gpu, or the GPU's "
        "memory): {}a smaller tiling.batch_size or fewer probe.num_modes need less",
        static_cast<double>(problem.gpu_memory.least_bytes) / (1u << 30),
        static_cast<double>(limit) / (1u << 30),
        problem.config.runtime.operations == Operations::staged ? "runtime.operations: fused, " : "");
}

void require_host_memory(const Problem& problem, std::size_t limit) {
    const std::size_t needed = problem.memory.total_bytes();
    if (needed <= limit) return;
    const bool has_exit_waves = problem.projects_waves() && !problem.waves_memory_bytes;
    const bool keeps_waves_here = problem.keep_waves && !problem.waves_memory_bytes;
    throw runtime_failure(
        "this run needs {:.3f} GiB at least, with patterns read from the scan again and again, and "
        "{:.3f} GiB are allowed (runtime.memory_limit.host, or the machine's memory): {}",
        static_cast<double>(needed) / (1u << 30), static_cast<double>(limit) / (1u << 30),
        has_exit_waves
            ? "the exit waves of DM, RAAR and AP are most of it: a runtime.disk for them, more ranks, or an "
              "engine that keeps none (CG, GD)"
        : problem.config.runtime.operations == Operations::staged
            ? "runtime.operations: fused has no waves between tasks"
        : keeps_waves_here
            ? "waves: recompute needs less, or a runtime.disk for the kept waves"
            : "fewer probe.num_modes, a smaller tiling.batch_size or fewer runtime.cpus need less");
}

// Patterns that do not fit are read again and again; only then kept waves go to the disk, of which there are
// many times as many.
void plan_memory(Problem& problem, ForecastInput input, std::size_t limit) {
    const auto plan = [&] {
        problem.patterns = plan_patterns(input, problem.tiling, limit);
        problem.memory = forecast_memory(input, problem.tiling, problem.patterns);
    };
    plan();
    if (!input.keep_waves && !input.exit_waves) return;
    problem.waves_bytes = kept_waves_bytes(input, problem.tiling);
    if (problem.memory.total_bytes() <= limit || !problem.config.runtime.disk) return;
    if (problem.machine.num_gpus > 0)
        throw usage_error("runtime.disk: is for CPU workers only (waves: recompute is faster on a GPU)");
    const BatchShape batch = largest_batch(problem);
    const auto least_batches = static_cast<std::size_t>(2 * problem.machine.num_workers() + 8);
    problem.waves_memory_bytes = std::min(
        least_batches * (input.keep_waves ? wave_bytes(batch) : exit_wave_bytes(batch)), problem.waves_bytes);
    input.waves_memory_bytes = problem.waves_memory_bytes;
    plan();
    const std::size_t needed = problem.memory.total_bytes();
    *problem.waves_memory_bytes += limit > needed ? limit - needed : 0;
    input.waves_memory_bytes = problem.waves_memory_bytes;
    problem.memory = forecast_memory(input, problem.tiling, problem.patterns);
}

}  // namespace

std::array<int, 2> Problem::far_field_shape() const {
    return far_field_shape_of(config, scan);
}

bool Problem::is_truncated() const {
    return 2 * halo_px[0] + 1 < placement.window_shape[0] || 2 * halo_px[1] + 1 < placement.window_shape[1];
}

bool Problem::projects_waves() const {
    return any_engine(config, [](const EngineConfig& e) { return tessera::projects_waves(e.name); });
}

bool Problem::has_gradients() const {
    return any_engine(config, [](const EngineConfig& e) { return !tessera::projects_waves(e.name); });
}

bool Problem::has_line_search() const {
    return any_engine(config, [](const EngineConfig& e) { return e.name == EngineName::CG; });
}

bool Problem::has_minibatches() const {
    return any_engine(config, [](const EngineConfig& e) { return tessera::has_minibatches(e.name); });
}

bool Problem::needs_residuals() const {
    return any_engine(config, [](const EngineConfig& e) { return e.name == EngineName::LSQML; });
}

bool Problem::needs_momentum() const {
    return any_engine(config, [](const EngineConfig& e) {
        return e.name == EngineName::mPIE ||
               (e.name == EngineName::LSQML && e.momentum_acceleration_gain > 0);
    });
}

bool Problem::refines_positions() const {
    return any_engine(config, [](const EngineConfig& e) { return e.refine_positions.has_value(); });
}

int Problem::planes_of_sums() const {
    return projects_waves() ? std::max(num_planes(), num_overlap_planes(config.object.num_modes))
                            : num_planes();
}

std::size_t Problem::batch_probe_size() const {
    const BatchShape shape = largest_batch(*this);
    return std::max({projects_waves() ? overlap_probe_size(shape) : shape.probe_size(),
                     opr_sums_size(shape.num_opr_modes, shape.probe),
                     refines_background() ? static_cast<std::size_t>(scan.mask.size()) : 0});
}

std::size_t Problem::summed_probe_size() const {
    const BatchShape shape = largest_batch(*this);
    const auto modes = static_cast<std::size_t>(shape.num_object_modes);
    if (!has_minibatches()) return std::max(batch_probe_size(), modes * modes);  // of ModeTurn
    // Gradients of all modes, then the coverage.
    return std::max(shape.probe_size() + shape.probe.area(), batch_probe_size());
}

OutOfCoreNeeds Problem::out_of_core() const {
    OutOfCoreNeeds needs;
    needs.reads_frames = patterns.reads_again();
    if (waves_memory_bytes) needs.disk = {*config.runtime.disk, waves_bytes, *waves_memory_bytes};
    return needs;
}

RunConfig resolved_config(const Problem& problem) {
    RunConfig config = problem.config;
    config.tiling.tiles = problem.tiling.grid;
    config.tiling.batch_size = problem.tiling.batch_size;
    config.runtime.waves = problem.keep_waves ? Waves::keep : Waves::recompute;
    return config;
}

DeviceScratchUses Problem::device_scratch_uses() const {
    return {refines_positions(), config.probe.num_modes > 1 && config.probe.orthogonalize_interval > 0,
            config.probe.support.fourier_radius.has_value(), varies_probe()};
}

int Problem::num_slice_transfers() const {
    const std::vector<double>& spacings_m = config.object.slice_spacings_m;
    const bool all_equal = std::ranges::adjacent_find(spacings_m, std::not_equal_to<>()) == spacings_m.end();
    return all_equal ? std::min(num_slices() - 1, 1) : num_slices() - 1;
}

BatchShape largest_batch(const Problem& problem) {
    BatchShape shape;
    shape.num_modes = problem.config.probe.num_modes;
    shape.num_object_modes = problem.config.object.num_modes;
    shape.num_slices = problem.num_slices();
    shape.num_slice_transfers = problem.num_slice_transfers();
    shape.num_opr_modes = problem.config.probe.variable.num_opr_modes;
    shape.has_lights = problem.varies_probe();
    shape.frame = {problem.far_field_shape()[0], problem.far_field_shape()[1]};
    shape.upsampling = problem.config.detector.upsampling;
    shape.probe = {problem.probe_shape[0], problem.probe_shape[1]};
    shape.num_frames = problem.tiling.batch_size;
    shape.pattern_type = problem.scan.pattern_type;
    shape.interpolation = problem.config.positions.interpolation;
    shape.near_field = problem.near_field();
    shape.has_background = problem.scan.background.has_value() || problem.refines_background();
    shape.saturated_from = problem.scan.saturated_from;
    if (problem.config.detector.blur_sigma_px > 0)
        shape.blur_radius = point_spread_radius(problem.config.detector.blur_sigma_px);
    shape.on_chip = problem.config.runtime.gpu_kernels == GpuKernels::on_chip;
    return shape;
}

namespace {

std::size_t host_limit(const Problem& problem) {
    return problem.config.runtime.memory_limit_host_bytes.value_or(problem.machine.host_memory_bytes);
}

// Of rank 0; keep_waves as far as it is known.
ForecastInput forecast_input(const Problem& problem) {
    ForecastInput input;
    input.owner_of_tile = problem.owner_of_tile;
    input.frame_shape = problem.far_field_shape();
    input.upsampling = problem.config.detector.upsampling;
    input.probe_shape = problem.probe_shape;
    input.num_modes = problem.config.probe.num_modes;
    input.num_object_modes = problem.config.object.num_modes;
    input.num_slices = problem.num_slices();
    input.num_slice_transfers = problem.num_slice_transfers();
    input.pattern_type = problem.scan.pattern_type;
    input.interpolation = problem.config.positions.interpolation;
    input.near_field = problem.near_field();
    input.machine = problem.machine;
    input.keep_waves = problem.keep_waves;
    input.exit_waves = problem.projects_waves();
    input.gradients = problem.has_gradients();
    input.waves_memory_bytes = problem.waves_memory_bytes;
    input.exchange = problem.config.tiling.exchange;
    input.is_truncated = problem.is_truncated();
    for (const Tile& tile : problem.tiling.tiles) {
        const Shape2 shape = {tile.extended.height(), tile.extended.width()};
        std::size_t& pixels = input.coupling_scratch_pixels;
        if (problem.couples_slices())
            pixels = std::max(pixels, couple_slices_scratch(shape, problem.num_slices()));
        if (problem.config.object.constraints.has_neighbours())
            pixels = std::max(pixels, smooth_object_scratch(shape));
    }
    input.line_search = problem.has_line_search();
    input.is_staged = problem.config.runtime.operations == Operations::staged;
    input.minibatches = problem.has_minibatches();
    input.residuals = problem.needs_residuals();
    input.momentum = problem.needs_momentum();
    input.sees_several_pixels = sees_several_pixels(largest_batch(problem));
    input.refines_positions = problem.refines_positions();
    input.varies_probe = problem.varies_probe();
    input.refines_background = problem.refines_background();
    input.num_opr_modes = problem.config.probe.variable.num_opr_modes;
    input.pictures = problem.config.output.pictures;
    input.checkpoints = problem.config.output.has_checkpoints();
    input.gpu_scratch_bytes =
        nominal_device_scratch_bytes(largest_batch(problem), problem.device_scratch_uses());
    return input;
}

// What the rank keeps, and whether it has room for it.
void plan_for(Problem& problem, int rank) {
    problem.waves_memory_bytes.reset();
    problem.waves_bytes = 0;
    problem.keep_waves = false;
    ForecastInput input = forecast_input(problem);
    input.rank = rank;
    const std::size_t limit = host_limit(problem);
    // Kept waves pay when they fit comfortably: never more than half of the machine. A GPU makes them again
    // faster than it would fetch them.
    const bool can_keep = problem.has_line_search() && problem.config.object.num_slices == 1 &&
                          problem.config.tiling.exchange != Exchange::voxels;
    input.keep_waves =
        can_keep && (problem.config.runtime.waves == Waves::keep ||
                     (problem.config.runtime.waves == Waves::automatic && problem.machine.num_gpus == 0 &&
                      waves_fit(input, problem.tiling, limit / 2)));
    problem.keep_waves = input.keep_waves;
    plan_memory(problem, input, limit);
    if (problem.machine.num_gpus > 0) problem.gpu_memory = forecast_gpu_memory(input, problem.tiling);
    require_gpu_memory(problem);
    require_host_memory(problem, limit);
}

}  // namespace

std::vector<std::size_t> forecast_memory_of_ranks(const Problem& problem) {
    return forecast_memory_of_ranks(forecast_input(problem), problem.tiling, host_limit(problem));
}

MemoryForecast forecast_memory_alone(const Problem& problem) {
    ForecastInput input = forecast_input(problem);
    input.owner_of_tile.clear();
    return forecast_memory(input, problem.tiling);
}

Problem make_problem(const RunConfig& config, const ScanInfo& scan, const Machine& machine, int num_ranks,
                     int rank) {
    require_possible_waves(config);
    const auto whole = std::make_shared<WholeScan>();
    whole->info = scan;
    Problem problem(whole);
    problem.config = config;
    problem.machine = machine;
    require_possible_centering(problem);
    require_possible_upsampling(problem);
    problem.probe_shape = shape_of_probe(config, scan);
    whole->placement = place_windows(scan.positions_px, problem.probe_shape, config.object.margin_px,
                                     config.positions.interpolation, config.positions.max_shift_px);
    require_possible_flat_region(problem);
    set_tiling(problem, whole->tiling);
    problem.owner_of_tile = assign_owners(problem.tiling, num_ranks);
    plan_for(problem, rank);
    return problem;
}

Problem problem_of_rank(const Problem& problem, int rank) {
    Problem of_rank = problem;
    plan_for(of_rank, rank);
    return of_rank;
}

}  // namespace tessera
