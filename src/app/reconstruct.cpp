#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <numeric>

#include "app/about.hpp"
#include "app/commands.hpp"
#include "app/progress.hpp"
#include "base/log.hpp"
#include "codelets/runtime/gpus.hpp"
#include "config/yaml_reader.hpp"
#include "io/pictures.hpp"
#include "tasks/reconstruction.hpp"

namespace tessera::app {
namespace {

std::atomic<bool> stop_requested = false;

void request_stop(int) {
    stop_requested = true;
}

// The first signal ends the run in order; a second one ends the program.
void catch_signals() {
    struct sigaction action = {};
    action.sa_handler = request_stop;
    action.sa_flags = SA_RESETHAND;
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
}

class Stopwatch {
  public:
    double lap() {
        const auto now = std::chrono::steady_clock::now();
        const double seconds = std::chrono::duration<double>(now - last_).count();
        last_ = now;
        return seconds;
    }

  private:
    std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

// Before hours of computing: can the result be written at all?
void check_output_is_writable(const std::filesystem::path& file) {
    const auto refuse = [&](const std::string& why) -> Error {
        return runtime_failure("output.file: {} cannot be written ({})", file.string(), why);
    };
    if (std::filesystem::is_directory(file)) throw refuse("it is a folder");
    if (std::filesystem::exists(file) && !std::filesystem::is_regular_file(file))
        throw refuse("it is not a regular file");
    const auto folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
    std::error_code failed;
    std::filesystem::create_directories(folder, failed);
    if (failed) throw refuse(failed.message());
    const std::string trial = (folder / fmt::format(".tessera-{}", getpid())).string();
    const int descriptor = ::open(trial.c_str(), O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (descriptor < 0) throw refuse(std::generic_category().message(errno));
    ::close(descriptor);
    std::filesystem::remove(trial, failed);
}

// The result must not replace what it is made from.
void check_output_is_no_input(const ReconstructOptions& options, const RunConfig& config) {
    const auto folder = options.run_file.parent_path();
    const auto check = [&](const char* what, const std::filesystem::path& input) {
        std::error_code ignored;
        if (std::filesystem::equivalent(config.output.file, input, ignored)) {
            throw usage_error("output.file: {} is {} (choose another name)", config.output.file.string(),
                              what);
        }
    };
    check("the run file", options.run_file);
    check("scan.file", folder / config.scan.file);
    if (config.scan.mask.file) check("scan.mask.file", folder / *config.scan.mask.file);
}

std::filesystem::path picture_folder(const std::filesystem::path& result) {
    auto folder = result;
    return folder.replace_extension("").concat("_pictures");
}

void write_output(const std::filesystem::path& file, const Result& result, bool pictures) {
    write_result(file, result);
    if (!pictures) return;
    try {
        write_pictures(picture_folder(file), result);
    } catch (const Error& problem) {
        log::warning("{} (the result itself is written)", problem.what());
    }
}

void describe(const Problem& problem, const Runtime& runtime) {
    const ScanInfo& scan = problem.scan;
    for (const std::string& note : scan.notes) log::info("{}", note);
    log::info("{}: {}, {} frames of {} x {} ({}), object pixel {}", scan.file, scan.format, scan.num_frames,
              scan.frame_shape[0], scan.frame_shape[1], name(scan.pattern_type),
              length_text(scan.pixel_size_m));
    log::info(
        "object {} x {} pixels in {} x {} tiles, batches of {} frames, waves: {}; needs about {:.0f} MiB",
        problem.placement.object_shape[0], problem.placement.object_shape[1], problem.tiling.grid[0],
        problem.tiling.grid[1], problem.tiling.batch_size, problem.keep_waves ? "keep" : "recompute",
        static_cast<double>(problem.memory.total_bytes()) / (1 << 20));
    if (const std::string why = why_no_gpu(problem.config.runtime); !why.empty()) {
        log::info("no GPU to be had ({}): running on {} CPU worker{}", why, runtime.num_workers(),
                  runtime.num_workers() == 1 ? "" : "s");
    }
    log::info("{}", runtime.description());
}

void record_timings(Result& result, double read_s, double run_s) {
    result.timings_s["read"] = read_s;
    result.timings_s["run"] = run_s;
    for (const CodeletStatistics* codelet : codelet_statistics()) {
        if (codelet->tasks > 0) {
            result.timings_s[fmt::format("codelet_{}", codelet->name)] =
                static_cast<double>(codelet->nanoseconds) * 1e-9;
        }
    }
}

}  // namespace

ExitCode reconstruct(const ReconstructOptions& options) {
    Stopwatch watch;
    RunConfig config = read_run_config(options.run_file, options.overrides);
    if (options.output) config.output.file = *options.output;
    const auto folder = options.run_file.parent_path();
    const auto output = config.output.file;
    check_output_is_no_input(options, config);
    ScanReader reader(config.scan, folder);
    check_output_is_writable(output);

    const Runtime runtime(config.runtime);
    const Problem problem = make_problem(config, reader.info(), runtime.machine());
    describe(problem, runtime);
    Handles handles = make_handles(problem);
    const FrameStatistics statistics = read_all_frames(reader, problem, handles.frame_memory(problem));
    set_object(handles, problem, initial_object(problem, folder));
    set_probe(handles, initial_probe(problem, statistics, folder));
    const double read_s = watch.lap();

    const auto complete = [&](Result& result) {
        result.run = write_run_config(config);
        result.about = about_run(problem, runtime);
    };
    OutputThread writer;
    Progress progress(problem.scan.num_frames, static_cast<std::size_t>(problem.scan.num_frames) *
                                                   static_cast<std::size_t>(problem.scan.mask.size()) *
                                                   bytes_per_count(problem.scan.pattern_type));
    ReconstructionHooks hooks;
    hooks.stop_requested = &stop_requested;
    hooks.on_iteration = [&](const IterationReport& report) { progress.show(report); };
    hooks.on_snapshot = [&](Result result) {
        complete(result);
        writer.post([&output, &config, snapshot = std::make_shared<Result>(std::move(result))] {
            try {
                write_output(output, *snapshot, config.output.pictures);
            } catch (const Error& failure) {
                log::warning("{} (an intermediate result; the run goes on)", failure.what());
            }
        });
    };
    catch_signals();
    Reconstruction reconstruction(problem, handles, statistics, hooks);
    reconstruction.run();
    progress.close();
    Result result = reconstruction.result();
    complete(result);
    record_timings(result, read_s, watch.lap());
    writer.post([&] { write_output(output, result, config.output.pictures); });
    writer.finish();

    const std::string pictures =
        config.output.pictures ? ", pictures in " + picture_folder(output).string() : "";
    log::event("done",
               fmt::format(R"("file":{},"cost":{:.9g},"data_error":{:.9g},"iterations":{},"time_s":{:.3f})",
                           log::json_string(output.string()), result.final_cost, result.final_data_error,
                           result.cost.size(), result.timings_s["run"]),
               fmt::format("data error {:.4g}, cost {:.6g} after {} iterations in {:.1f} s: {}{}",
                           result.final_data_error, result.final_cost, result.cost.size(),
                           result.timings_s["run"], output.string(), pictures));
    if (!reconstruction.stopped_early()) return ExitCode::done;
    log::warning("stopped early ({}); the result so far is written",
                 stop_requested ? "signal" : "runtime.time_limit");
    return ExitCode::stopped;
}

}  // namespace tessera::app
