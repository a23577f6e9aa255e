#include <algorithm>
#include <cmath>

#include "app/commands.hpp"
#include "base/log.hpp"
#include "codelets/cost_model.hpp"
#include "codelets/runtime/gpus.hpp"
#include "codelets/runtime/runtime.hpp"
#include "config/yaml_reader.hpp"
#include "io/scan_reader.hpp"
#include "tasks/engines.hpp"
#include "tasks/traffic.hpp"
#include "tasks/truncation.hpp"

namespace tessera::app {
namespace {

constexpr double mebibyte = 1 << 20;

void print_scan(const ScanInfo& scan, const Problem& problem) {
    fmt::print("\nscan\n  {}: {}\n", scan.file, scan.format);
    for (const std::string& note : scan.notes) fmt::print("  {}\n", note);
    fmt::print("  {} frames of {} x {} pixels ({}), {}, {} {:.6g} eV\n", scan.num_frames, scan.frame_shape[0],
               scan.frame_shape[1], name(scan.pattern_type),
               problem.near_field() ? "near field" : "far field",
               scan.geometry.radiation == Radiation::electrons ? "electrons of" : "energy",
               scan.geometry.energy_eV());
    const int object_modes = problem.config.object.num_modes;
    fmt::print("  object pixel {}, object {} x {} pixels{}, probe {} x {}, {} mode{}\n",
               length_text(scan.pixel_size_m), problem.placement.object_shape[0],
               problem.placement.object_shape[1],
               object_modes > 1 ? fmt::format(" in {} modes", object_modes) : "", problem.probe_shape[0],
               problem.probe_shape[1], problem.config.probe.num_modes,
               problem.config.probe.num_modes == 1 ? "" : "s");
}

// By all tiles / frames of the scan.
double frames_held(const Problem& problem) {
    return static_cast<double>(problem.tiling.num_frames()) / static_cast<double>(problem.scan.num_frames);
}

void print_plan(const Problem& problem, const std::filesystem::path& run_folder) {
    std::size_t batches = 0;
    for (const Tile& tile : problem.tiling.tiles) batches += tile.batches.size();
    const Machine& machine = problem.machine;
    const std::string workers = machine.num_gpus > 0
                                    ? fmt::format("{} GPUs ({})", machine.num_gpus, gpu_names())
                                    : fmt::format("{} workers", machine.num_cpus);
    fmt::print("\nplan\n  {} x {} tiles, {} batches of up to {} frames, {}, waves: {}\n",
               problem.tiling.grid[0], problem.tiling.grid[1], batches, problem.tiling.batch_size, workers,
               problem.keep_waves         ? "keep"
               : problem.projects_waves() ? "exit waves"
                                          : "recompute");
    if (problem.has_minibatches()) {
        const double count = problem.tiling.minibatches.count;
        fmt::print("  {} mini-batches of about {:.0f} frames: as many updates an iteration\n", count,
                   static_cast<double>(problem.scan.num_frames) / count);
    }
    if (problem.config.tiling.halo_m)
        fmt::print("  {}\n", halo_text(problem, probe_without_frames(problem, run_folder)));
    if (problem.config.tiling.exchange != Exchange::voxels) return;
    fmt::print("  exchange: voxels: tiles hold {:.2f} x the frames, and compute as many gradients\n",
               frames_held(problem));
}

void print_terms(const char* title, const std::vector<MemoryTerm>& terms, std::size_t total) {
    fmt::print("\n{}\n", title);
    for (const MemoryTerm& term : terms) {
        fmt::print("  {:9.1f} MiB  {}\n", static_cast<double>(term.bytes) / mebibyte, term.what);
    }
    fmt::print("  {:9.1f} MiB  in all\n", static_cast<double>(total) / mebibyte);
}

// Over the frames: a gradient, and a line search, derivatives by positions and background and lights where
// there are any. (A search for frames in wrong places is another, but rare.)
int passes_per_iteration(const Problem& problem) {
    const auto& engines = problem.config.engines;
    const bool searches = std::any_of(engines.begin(), engines.end(), [](const EngineConfig& engine) {
        return engine.name == EngineName::CG;
    });
    return 1 + (searches ? 1 : 0) + (problem.refines_positions() ? 1 : 0) + (problem.varies_probe() ? 1 : 0) +
           (problem.refines_background() ? 1 : 0);
}

// Writing them: far fields in each pass; exit waves once, and they are read twice more.
double passes_over_waves(const Problem& problem) {
    return problem.projects_waves() ? 2 : passes_per_iteration(problem);
}

// What a run that does not fit into memory reads and writes, beside its memory.
void print_streams(const Problem& problem) {
    constexpr double nominal_bytes_per_s = 2e9;  // a solid-state disk
    const auto in_time = [](double bytes) {
        return fmt::format("{:.1f} MiB per iteration, {:.3g} s at a nominal {:.0f} GB/s", bytes / mebibyte,
                           bytes / nominal_bytes_per_s, nominal_bytes_per_s * 1e-9);
    };
    const PatternPlan& plan = problem.patterns;
    const double passes = passes_per_iteration(problem);
    if (plan.reads_again()) {
        fmt::print("  of {} batches {} stay and {} are read again from the scan in each pass: {}\n",
                   plan.num_staying + plan.num_read_again, plan.num_staying, plan.num_read_again,
                   in_time(passes * static_cast<double>(plan.read_again_bytes)));
    }
    if (problem.waves_memory_bytes) {
        fmt::print("  of {:.1f} MiB of kept waves {:.1f} MiB stay, the others go to {} and back: {}\n",
                   static_cast<double>(problem.waves_bytes) / mebibyte,
                   static_cast<double>(*problem.waves_memory_bytes) / mebibyte,
                   problem.config.runtime.disk->string(),
                   in_time((passes + passes_over_waves(problem)) * static_cast<double>(problem.waves_bytes)));
    }
}

void print_memory(const Problem& problem) {
    print_terms("memory", problem.memory.terms, problem.memory.total_bytes());
    print_streams(problem);
    if (problem.machine.num_gpus == 0) return;
    const GpuForecast& gpu = problem.gpu_memory;
    print_terms("memory of each GPU", gpu.terms, gpu.total_bytes());
    const std::size_t limit = problem.machine.gpu_memory_bytes;
    if (gpu.total_bytes() <= limit) return;
    constexpr double nominal_bytes_per_s = 20e9;  // PCIe
    fmt::print(
        "  of {:.1f} MiB allowed: {:.1f} MiB are streamed in every iteration, {:.3g} s at a nominal {:.0f} "
        "GB/s\n",
        static_cast<double>(limit) / mebibyte, static_cast<double>(gpu.streamed_bytes) / mebibyte,
        static_cast<double>(gpu.streamed_bytes) / nominal_bytes_per_s, nominal_bytes_per_s * 1e-9);
}

// What each rank holds and sends. For many, those that stand for the rest.
void print_ranks(const Problem& problem, int num_ranks) {
    struct Row {
        int rank = 0;
        std::size_t tiles = 0;
        std::ptrdiff_t frames = 0;
        std::size_t memory = 0;
        Traffic traffic;
    };
    std::vector<Row> rows(static_cast<std::size_t>(num_ranks));
    const std::vector<std::size_t> memory = forecast_memory_of_ranks(problem);
    const std::vector<Traffic> traffic = traffic_of_ranks(problem);
    for (std::size_t rank = 0; rank < rows.size(); ++rank) {
        rows[rank].rank = static_cast<int>(rank);
        rows[rank].memory = memory[rank];
        rows[rank].traffic = traffic[rank];
    }
    for (std::size_t t = 0; t < problem.owner_of_tile.size(); ++t) {
        Row& row = rows[static_cast<std::size_t>(problem.owner_of_tile[t])];
        ++row.tiles;
        row.frames += problem.tiling.tiles[t].num_frames();
    }
    const std::size_t alone = forecast_memory_alone(problem).total_bytes();
    std::stable_sort(rows.begin(), rows.end(),
                     [](const Row& a, const Row& b) { return a.memory > b.memory; });
    fmt::print("\nranks\n  rank  tiles  frames  memory MiB  sends MiB an iteration\n");
    const auto engine = make_engine(settings_of(problem, problem.config.engines[0], 0));
    const auto print = [&](const Row& row) {
        fmt::print("  {:4}  {:5}  {:6}  {:10.1f}  {:.2f} (halos {:.2f})\n", row.rank, row.tiles, row.frames,
                   static_cast<double>(row.memory) / mebibyte,
                   static_cast<double>(row.traffic.of(engine->exchanges(1))) / mebibyte,
                   static_cast<double>(row.traffic.halo_bytes + row.traffic.voxel_bytes) / mebibyte);
    };
    constexpr std::size_t most_rows = 16;
    if (rows.size() <= most_rows) {
        for (const Row& row : rows) print(row);
    } else {
        fmt::print("  (the most, the median and the least memory of {})\n", num_ranks);
        for (const std::size_t i : {std::size_t{0}, rows.size() / 2, rows.size() - 1}) print(rows[i]);
    }
    fmt::print("  the largest needs {:.2f} x less than one rank alone ({:.1f} MiB)\n",
               static_cast<double>(alone) / static_cast<double>(rows.front().memory),
               static_cast<double>(alone) / mebibyte);
}

// Of lights: each mode and eigen-probe to the detector, and of eigen-probes one back.
double transforms_of_lights(const Problem& problem) {
    if (!problem.varies_probe()) return 0;
    const VariableProbeConfig& variable = problem.config.probe.variable;
    const double opr = variable.num_opr_modes, modes = problem.config.probe.num_modes;
    const bool is_fourier = problem.config.positions.interpolation == Interpolation::fourier;
    return (1 + (opr > 0 ? (opr + 1) / modes : 0)) * ((problem.near_field() ? 2 : 1) + (is_fourier ? 1 : 0)) /
           variable.interval;
}

// To the detector once more.
double transforms_of_background(const Problem& problem) {
    if (!problem.refines_background()) return 0;
    const bool is_fourier = problem.config.positions.interpolation == Interpolation::fourier;
    return ((problem.near_field() ? 2.0 : 1.0) + (is_fourier ? 1 : 0)) /
           problem.config.detector.refine_background->interval;
}

// Transforms per wave (of each mode of the probe with each of the object), frame and iteration (task-level
// costs: codelets/gradient.hpp, line_search.hpp).
double transforms_per_iteration(const EngineConfig& engine, const Problem& problem) {
    const bool is_fourier = problem.config.positions.interpolation == Interpolation::fourier;
    double refinement = 0;  // the wave and its derivatives along both axes
    if (engine.refine_positions) {
        refinement =
            ((problem.near_field() ? 10.0 : 3.0) + (is_fourier ? 3 : 0)) / engine.refine_positions->interval;
        // One for each frame; how many are tried elsewhere, nobody knows.
        if (engine.refine_positions->search)
            refinement += ((problem.near_field() ? 2.0 : 1.0) + (is_fourier ? 1 : 0)) /
                          engine.refine_positions->search->interval;
    }
    if (projects_waves(engine.name)) {
        // To the detector and back, and once more for the cost of P O; shifts of the probe, and of its sums.
        const double cost = engine.name == EngineName::AP ? 0 : 1.0 / engine.projection.cost_interval;
        return (2 + cost) * (problem.near_field() ? 2 : 1) + (is_fourier ? 3 : 0) + refinement +
               transforms_of_background(problem);
    }
    // Of the gradient and of the line search.
    const double gradients = frames_held(problem);
    const double searches = engine.name == EngineName::CG ? 1 : 0;
    const double propagations = 2 * gradients + (problem.keep_waves ? 1 : 3) * searches;
    const double steps = engine.name == EngineName::LSQML ? 1 : 0;  // of each frame, along both directions
    const double shifts = is_fourier ? 2 * (gradients + searches + steps) : 0;
    return propagations * (problem.near_field() ? 2 : 1) + shifts + refinement +
           transforms_of_lights(problem) + transforms_of_background(problem);
}

void print_time(const Problem& problem) {
    // A core with AVX2, a data centre's GPU; transforms and pixel work together.
    const bool on_gpus = problem.machine.num_gpus > 0;
    const double nominal_flops_per_s = on_gpus ? 2e12 : 12e9;
    const int workers = on_gpus ? problem.machine.num_gpus : problem.machine.num_cpus;
    const auto [height, width] = problem.far_field_shape();
    const double pixels = static_cast<double>(height) * width;
    const double transform = 5 * pixels * std::log2(pixels);
    double seconds = 0;
    for (const EngineConfig& engine : problem.config.engines) {
        seconds += engine.num_iter * transforms_per_iteration(engine, problem) * transform *
                   problem.config.probe.num_modes * problem.config.object.num_modes *
                   static_cast<double>(problem.scan.num_frames) / (nominal_flops_per_s * workers);
    }
    fmt::print("\ntime\n  about {:.0f} s at a nominal {:.0f} GFLOP/s a {} (the order of magnitude)\n",
               seconds, nominal_flops_per_s * 1e-9, on_gpus ? "GPU" : "core");
}

}  // namespace

ExitCode check(const CheckOptions& options) {
    std::vector<ConfigProblem> problems;
    const RunConfig config = read_run_config(options.run_file, options.overrides, problems);
    for (const ConfigProblem& problem : problems) log::error("{}", problem.text());
    if (!problems.empty()) return ExitCode::usage;

    const ScanReader reader(config.scan, options.run_file.parent_path());
    const Machine machine = machine_for(config.runtime, Ranks());
    const Problem problem = make_problem(config, reader.info(), machine, options.num_ranks);
    fmt::print("settings\n");
    const std::string resolved = write_run_config(config);
    for (std::size_t begin = 0; begin < resolved.size();) {
        const std::size_t end = std::min(resolved.find('\n', begin), resolved.size());
        fmt::print("  {}\n", resolved.substr(begin, end - begin));
        begin = end + 1;
    }
    print_scan(reader.info(), problem);
    print_plan(problem, options.run_file.parent_path());
    print_memory(problem);
    if (options.num_ranks > 1) print_ranks(problem, options.num_ranks);
    print_time(problem);
    return ExitCode::done;
}

}  // namespace tessera::app
