#include "tasks/problem.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "codelets/device_scratch.hpp"
#include "io/result_file.hpp"
#include "scan/probe_guess.hpp"
#include "scan/random.hpp"

namespace tessera {
namespace {

// The probe's own array: what the run file says, else what the scan's probe has (padded far field: smaller
// than the frame), else the frame's.
std::array<int, 2> shape_of_probe(const RunConfig& config, const ScanInfo& scan) {
    std::array<int, 2> shape = scan.frame_shape;
    const bool from_scan =
        config.probe.initial == InitialProbe::automatic || config.probe.initial == InitialProbe::file;
    if (config.probe.size) {
        shape = *config.probe.size;
    } else if (from_scan && !config.probe.file && scan.probe) {
        shape = {static_cast<int>(scan.probe->extent(1)), static_cast<int>(scan.probe->extent(2))};
    }
    for (std::size_t axis = 0; axis < 2; ++axis) {
        if (shape[axis] > scan.frame_shape[axis]) {
            throw usage_error(
                "probe.size: {} x {} pixels do not fit frames of {} x {} (set probe.size to at most that)",
                shape[0], shape[1], scan.frame_shape[0], scan.frame_shape[1]);
        }
    }
    return shape;
}

std::size_t host_memory_bytes(const RunConfig& config) {
    if (config.runtime.memory_limit_host_bytes) return *config.runtime.memory_limit_host_bytes;
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGE_SIZE);
    return pages > 0 && page > 0 ? static_cast<std::size_t>(pages) * static_cast<std::size_t>(page)
                                 : SIZE_MAX;
}

bool has_line_search(const RunConfig& config) {
    return std::any_of(config.engines.begin(), config.engines.end(),
                       [](const EngineConfig& engine) { return engine.name == EngineName::CG; });
}

double sum_into(const void* counts, PatternType type, Array<double, 2>& sum) {
    double total = 0;
    const auto add = [&](const auto* values) {
        for (std::ptrdiff_t i = 0; i < sum.size(); ++i) {
            const double value = static_cast<double>(values[i]);
            if (value <= 0) continue;  // negative: a pixel that this frame ignores
            sum[i] += value;
            total += value;
        }
    };
    switch (type) {
        case PatternType::u8:
            add(static_cast<const std::uint8_t*>(counts));
            break;
        case PatternType::u16:
            add(static_cast<const std::uint16_t*>(counts));
            break;
        case PatternType::i32:
            add(static_cast<const std::int32_t*>(counts));
            break;
        case PatternType::f32:
            add(static_cast<const float*>(counts));
            break;
    }
    return total;
}

std::filesystem::path resolved(const std::filesystem::path& folder, const std::filesystem::path& file) {
    return file.is_absolute() ? file : folder / file;
}

void require_equal_pixels(const char* key, const std::filesystem::path& file, const Result& earlier,
                          const ScanInfo& scan) {
    for (std::size_t axis = 0; axis < 2; ++axis) {
        if (std::abs(earlier.pixel_size_m[axis] / scan.pixel_size_m[axis] - 1) < 1e-4) continue;
        throw data_error("{}: its object pixel is {:.6g} m, this scan's {:.6g} m ({} needs equal pixels)",
                         file.string(), earlier.pixel_size_m[axis], scan.pixel_size_m[axis], key);
    }
}

void require_possible_waves(const RunConfig& config) {
    if (config.runtime.waves != Waves::keep || config.object.num_slices == 1) return;
    throw usage_error(
        "runtime.waves: keep needs object.num_slices: 1, it is {}: the far fields of several slices do not "
        "follow a step as those of one do (use auto or recompute)",
        config.object.num_slices);
}

// The earlier result's object where it overlaps this one's array.
void copy_earlier_object(const Problem& problem, const std::filesystem::path& file,
                         Array<cfloat, 3>& object) {
    const Result earlier = read_result(file);
    require_equal_pixels("object.file", file, earlier, problem.scan);
    if (earlier.object.extent(0) != object.extent(0)) {
        throw data_error("{}: its object has {} slices, object.num_slices is {} (object.file needs as many)",
                         file.string(), earlier.object.extent(0), object.extent(0));
    }
    // Whole pixels between the two arrays' origins in scan coordinates.
    const auto offset = [&](std::size_t axis) {
        const double here_m = -problem.placement.shift_px[axis] * problem.scan.pixel_size_m[axis];
        return std::lround((here_m - earlier.origin_m[axis]) / problem.scan.pixel_size_m[axis]);
    };
    const auto from_y = offset(0), from_x = offset(1);
    for (std::ptrdiff_t slice = 0; slice < object.extent(0); ++slice) {
        for (std::ptrdiff_t y = 0; y < object.extent(1); ++y) {
            for (std::ptrdiff_t x = 0; x < object.extent(2); ++x) {
                const auto v = y + from_y, u = x + from_x;
                if (v < 0 || u < 0 || v >= earlier.object.extent(1) || u >= earlier.object.extent(2))
                    continue;
                object(slice, y, x) = earlier.object(slice, v, u);
            }
        }
    }
}

void require_gpu_memory(const Problem& problem) {
    const std::size_t limit = problem.machine.gpu_memory_bytes;
    if (limit == 0 || problem.gpu_memory.least_bytes <= limit) return;
    throw runtime_failure(
        "a GPU needs {:.2f} GiB at least and {:.2f} GiB are allowed (runtime.memory_limit.gpu, or the GPU's "
        "memory): a smaller tiling.batch_size or fewer probe.num_modes need less",
        static_cast<double>(problem.gpu_memory.least_bytes) / (1u << 30),
        static_cast<double>(limit) / (1u << 30));
}

}  // namespace

BatchShape largest_batch(const Problem& problem) {
    BatchShape shape;
    shape.num_modes = problem.config.probe.num_modes;
    shape.num_slices = problem.num_slices();
    shape.frame = {problem.scan.frame_shape[0], problem.scan.frame_shape[1]};
    shape.probe = {problem.probe_shape[0], problem.probe_shape[1]};
    shape.num_frames = problem.tiling.batch_size;
    shape.pattern_type = problem.scan.pattern_type;
    shape.interpolation = problem.config.positions.interpolation;
    shape.near_field = problem.near_field();
    shape.has_background = problem.scan.background.has_value();
    shape.on_chip = problem.config.runtime.gpu_kernels == GpuKernels::on_chip;
    return shape;
}

Problem make_problem(const RunConfig& config, const ScanInfo& scan, const Machine& machine) {
    require_possible_waves(config);
    Problem problem;
    problem.config = config;
    problem.scan = scan;
    problem.machine = machine;
    problem.probe_shape = shape_of_probe(config, scan);
    problem.placement = place_windows(scan.positions_px, problem.probe_shape, config.object.margin_px,
                                      config.positions.interpolation);
    // Each further slice costs two transforms more where there was one.
    const int num_passes = config.probe.num_modes * (2 * config.object.num_slices - 1);
    const int batch_size = config.tiling.batch_size.value_or(
        automatic_batch_size(scan.frame_shape, num_passes, scan.num_frames, machine.kind()));
    problem.tiling = make_tiling(
        problem.placement, config.tiling.tiles.value_or(automatic_grid(problem.placement, machine.kind())),
        batch_size);

    ForecastInput input;
    input.frame_shape = scan.frame_shape;
    input.probe_shape = problem.probe_shape;
    input.num_modes = config.probe.num_modes;
    input.num_slices = config.object.num_slices;
    input.pattern_type = scan.pattern_type;
    input.interpolation = config.positions.interpolation;
    input.near_field = problem.near_field();
    input.machine = machine;
    input.line_search = has_line_search(config);
    input.gpu_scratch_bytes = nominal_device_scratch_bytes(largest_batch(problem));
    const std::size_t limit = host_memory_bytes(config);
    // Kept waves pay when they fit comfortably: never more than half of the machine. A GPU makes them again
    // faster than it would fetch them.
    const bool can_keep = has_line_search(config) && config.object.num_slices == 1;
    input.keep_waves = can_keep && (config.runtime.waves == Waves::keep ||
                                    (config.runtime.waves == Waves::automatic && machine.num_gpus == 0 &&
                                     waves_fit(input, problem.tiling, limit / 2)));
    problem.keep_waves = input.keep_waves;
    problem.memory = forecast_memory(input, problem.tiling);
    if (machine.num_gpus > 0) problem.gpu_memory = forecast_gpu_memory(input, problem.tiling);
    require_gpu_memory(problem);
    if (problem.memory.total_bytes() > limit) {
        throw runtime_failure(
            "this run needs {:.2f} GiB and {:.2f} GiB are allowed (runtime.memory_limit.host, or the "
            "machine's memory): "
            "fewer probe.num_modes, waves: recompute or fewer scan.frames need less",
            static_cast<double>(problem.memory.total_bytes()) / (1u << 30),
            static_cast<double>(limit) / (1u << 30));
    }
    return problem;
}

FrameStatistics read_all_frames(ScanReader& reader, const Problem& problem,
                                const std::vector<void*>& destinations) {
    const ScanInfo& scan = problem.scan;
    TESSERA_EXPECT(std::ssize(destinations) == scan.num_frames);
    std::vector<std::ptrdiff_t> all(destinations.size());
    std::iota(all.begin(), all.end(), 0);
    reader.read_frames(all, destinations);

    FrameStatistics statistics;
    const Extents<2> shape = {scan.frame_shape[0], scan.frame_shape[1]};
    Array<double, 2> sum(shape);
    for (void* frame : destinations) statistics.counts.push_back(sum_into(frame, scan.pattern_type, sum));
    statistics.total_counts = std::accumulate(statistics.counts.begin(), statistics.counts.end(), 0.0);
    if (!(statistics.total_counts > 0)) {
        throw data_error(
            "{}: no counts in any of the {} frames on the pixels in use (is the mask inverted? scan.mask)",
            scan.file, scan.num_frames);
    }
    statistics.mean_pattern = Array<float, 2>(shape);
    for (std::ptrdiff_t i = 0; i < sum.size(); ++i) {
        statistics.mean_pattern[i] = static_cast<float>(sum[i] / static_cast<double>(scan.num_frames));
    }
    return statistics;
}

Array<cfloat, 3> initial_object(const Problem& problem, const std::filesystem::path& run_folder) {
    const ObjectConfig& config = problem.config.object;
    const auto& shape = problem.placement.object_shape;
    Array<cfloat, 3> object({problem.num_slices(), shape[0], shape[1]}, {1, 0});
    if (config.initial == InitialObject::random) {
        Random random(problem.config.runtime.random_seed, 0);
        for (cfloat& pixel : object) {
            const double phase = 0.2 * random.normal();
            pixel = {static_cast<float>(std::cos(phase)), static_cast<float>(std::sin(phase))};
        }
    }
    if (config.initial == InitialObject::file) {
        copy_earlier_object(problem, resolved(run_folder, config.file.value()), object);
    }
    return object;
}

Array<cfloat, 3> initial_probe(const Problem& problem, const FrameStatistics& statistics,
                               const std::filesystem::path& run_folder) {
    ProbeConfig config = problem.config.probe;
    config.size = problem.probe_shape;
    if (!config.file) return make_probe(config, problem.scan, statistics.mean_pattern, nullptr);
    const auto file = resolved(run_folder, *config.file);
    const Result earlier = read_result(file);
    require_equal_pixels("probe.file", file, earlier, problem.scan);
    return make_probe(config, problem.scan, statistics.mean_pattern, &earlier.probe);
}

}  // namespace tessera
