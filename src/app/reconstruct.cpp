#include <fcntl.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <memory>
#include <numeric>
#include <optional>

#include "app/about.hpp"
#include "app/commands.hpp"
#include "app/progress.hpp"
#include "app/stop_signals.hpp"
#include "app/trace_files.hpp"
#include "app/turn.hpp"
#include "base/log.hpp"
#include "base/memory.hpp"
#include "codelets/runtime/gpus.hpp"
#include "codelets/runtime/trace_recorder.hpp"
#include "config/same_run.hpp"
#include "config/yaml_reader.hpp"
#include "io/job_file.hpp"
#include "io/pictures.hpp"
#include "io/scan_reader.hpp"
#include "scan/checked_frames.hpp"
#include "tasks/reconstruction.hpp"
#include "tasks/resume.hpp"
#include "tasks/starting_point.hpp"
#include "tasks/traffic.hpp"
#include "tasks/truncation.hpp"

namespace tessera::app {
namespace {

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

// On the output thread of every rank; only the first has a result.
void write_output(const OutputConfig& output, const Result& result, ObjectOnItsWay& object) {
    std::optional<ResultWriter> writer;
    object.hand_over([&](const Rect& rect, const View<const cfloat, 3>& pixels) {
        if (!writer) writer.emplace(output.file, result, object.shape());
        writer->write_object(rect.y0, rect.x0, pixels);
    });
    if (!writer) return;
    writer->finish();
    writer.reset();
    if (!output.pictures) return;
    try {
        write_pictures(picture_folder(output.file), output.file);
    } catch (const Error& problem) {
        log::warning("{} (the result itself is written)", problem.what());
    }
}

void describe(const Problem& problem, const Runtime& runtime, const Ranks& ranks) {
    const ScanInfo& scan = problem.scan;
    for (const std::string& note : scan.notes) log::info("{}", note);
    log::info("{}: {}, {} frames of {} x {} ({}), object pixel {}", scan.file, scan.format, scan.num_frames,
              scan.frame_shape[0], scan.frame_shape[1], name(scan.pattern_type),
              length_text(scan.pixel_size_m));
    log::info(
        "object {} x {} pixels in {} x {} tiles, batches of {} frames, waves: {}; needs about {:.0f} MiB",
        problem.placement.object_shape[0], problem.placement.object_shape[1], problem.tiling.grid[0],
        problem.tiling.grid[1], problem.tiling.batch_size,
        problem.keep_waves         ? "keep"
        : problem.projects_waves() ? "exit waves"
                                   : "recompute",
        static_cast<double>(problem.memory.total_bytes()) / (1 << 20));
    const PatternPlan& patterns = problem.patterns;
    if (patterns.reads_again()) {
        log::info("{} of {} batches do not fit into memory and are read again in each pass ({:.0f} MiB)",
                  patterns.num_read_again, patterns.num_read_again + patterns.num_staying,
                  static_cast<double>(patterns.read_again_bytes) / (1 << 20));
    }
    if (problem.waves_memory_bytes) {
        log::info("kept waves: {:.0f} of {:.0f} MiB in memory, the others on {}",
                  static_cast<double>(*problem.waves_memory_bytes) / (1 << 20),
                  static_cast<double>(problem.waves_bytes) / (1 << 20),
                  problem.config.runtime.disk->string());
    }
    if (const std::string why = why_no_gpu(problem.config.runtime); !why.empty()) {
        log::info("no GPU to be had ({}): running on {} CPU worker{}", why, runtime.num_workers(),
                  runtime.num_workers() == 1 ? "" : "s");
    }
    log::info("{}{}", ranks.are_several() ? fmt::format("{} ranks, each with ", ranks.size()) : "",
              runtime.description());
}

// Nominal times are what measured ones are compared with to forecast others: of one kind of worker.
void record_timings(Result& result, double read_s, double run_s, bool mixed) {
    result.timings_s["read"] = read_s;
    result.timings_s["run"] = run_s;
    for (const CodeletStatistics* codelet : codelet_statistics()) {
        // Also of tasks that all were left out, as the later turns of an overlap projection may be.
        if (codelet->nominal_us == 0) continue;
        result.timings_s[fmt::format("codelet_{}", codelet->name)] =
            static_cast<double>(codelet->nanoseconds) * 1e-9;
        if (!mixed) result.timings_s[fmt::format("nominal_{}", codelet->name)] = codelet->nominal_us * 1e-6;
    }
}

// What a rank held and sent, for whoever sizes the next job: one number per rank, in its order.
void record_ranks(Result& result, const Ranks& ranks, const Problem& problem, std::size_t bytes_sent) {
    const auto size = static_cast<std::size_t>(ranks.size()), rank = static_cast<std::size_t>(ranks.rank());
    std::vector<std::int64_t> peak(size), forecast(size), sent(size), forecast_sent(size);
    peak[rank] = static_cast<std::int64_t>(peak_resident_bytes());
    forecast[rank] = static_cast<std::int64_t>(problem.memory.total_bytes());
    sent[rank] = static_cast<std::int64_t>(bytes_sent);
    forecast_sent[rank] = static_cast<std::int64_t>(bytes_sent_in_run(problem, ranks.rank()));
    for (auto* numbers : {&peak, &forecast, &sent, &forecast_sent}) ranks.sum(*numbers);
    result.about["ranks"] = fmt::format("{}", ranks.size());
    result.about["peak_memory_bytes"] = fmt::format("{}", fmt::join(peak, " "));
    result.about["forecast_memory_bytes"] = fmt::format("{}", fmt::join(forecast, " "));
    result.about["sent_bytes"] = fmt::format("{}", fmt::join(sent, " "));
    result.about["forecast_sent_bytes"] = fmt::format("{}", fmt::join(forecast_sent, " "));
}

// Until tasks run, what fails on one rank is told once and ends all of them.
struct Prepared {
    RunConfig config;
    std::unique_ptr<ScanReader> reader;
    std::optional<Problem> problem;
    std::optional<CheckpointManifest> checkpoint;  // to go on from
    std::string checkpoint_name;
    std::unique_ptr<JobFile> job;  // of the first rank
    Turn turn;
};

// Of the run that wrote this result before, if it did not say how it ended.
void tell_of_the_run_before(const std::filesystem::path& result) {
    std::optional<JobSighting> before;
    try {
        before = look_at_job(job_file(result));
    } catch (const Error&) {
        return;  // somebody else's file
    }
    if (!before || !before->ended_without_a_word()) return;
    log::warning("the run before ended without a word after {} iterations ({})", before->status.iteration,
                 before->likely_end());
}

// --resume: what to go on from, and the settings that the run began with.
void find_where_to_go_on(Prepared& prepared, const Ranks& ranks) {
    const auto folder = checkpoint_folder(prepared.config.output.file);
    prepared.checkpoint = find_checkpoint(folder, ranks);
    if (!prepared.checkpoint) {
        log::info("{}: no checkpoint there; the run begins at the beginning", folder.string());
        return;
    }
    prepared.checkpoint_name = manifest_path(folder, prepared.checkpoint->num_iterations).string();
    ranks.agree([&] {
        const CheckpointManifest& manifest = *prepared.checkpoint;
        prepared.config = config_to_go_on(
            prepared.config, {manifest.run, prepared.checkpoint_name, manifest.engine, manifest.iteration});
    });
}

void prepare(const ReconstructOptions& options, const Ranks& ranks, Prepared& prepared) {
    ranks.agree([&] {
        prepared.config = read_run_config(options.run_file, options.overrides);
        if (options.output) prepared.config.output.file = *options.output;
        if (ranks.is_first()) check_output_is_no_input(options, prepared.config);
        prepared.reader = std::make_unique<ScanReader>(prepared.config.scan, options.run_file.parent_path());
        if (!ranks.is_first()) return;
        check_output_is_writable(prepared.config.output.file);
        if (options.resume) tell_of_the_run_before(prepared.config.output.file);
        prepared.job = std::make_unique<JobFile>(prepared.config.output.file, ranks.size());
    });
    ranks.require_equal(write_run_config(prepared.config), "the run file");
    ranks.require_equal(options.resume ? "given" : "not given", "--resume (given or not)");
    ranks.require_equal(fingerprint(prepared.reader->info()), "the scan (its positions, mask or geometry)");
    if (options.resume) find_where_to_go_on(prepared, ranks);
    Machine machine;
    // What is free of a GPU's memory is divided, of the host's what there is.
    const int num_gpus = prepared.config.runtime.gpus.value_or(num_usable_gpus());
    if (num_gpus > 0) prepared.turn.wait_to_set_up(0, num_gpus);
    ranks.agree([&] { machine = machine_for(prepared.config.runtime, ranks); });
    ranks.require_equal(machine.num_gpus > 0 ? "GPUs" : "CPUs", "what this rank runs on");
    machine.host_memory_bytes = ranks.least(machine.host_memory_bytes);
    ranks.agree([&] {
        prepared.problem.emplace(
            make_problem(prepared.config, prepared.reader->info(), machine, ranks.size(), ranks.rank()));
        if (prepared.checkpoint)
            require_same_scan(*prepared.checkpoint, prepared.checkpoint_name, *prepared.problem);
    });
    if (num_gpus == 0) prepared.turn.wait_to_set_up(prepared.problem->memory.total_bytes(), 0);
}

RunState begin(Handles& handles, const Problem& problem, const FrameStatistics& statistics,
               const std::filesystem::path& run_folder, const Ranks& ranks) {
    ranks.agree([&] { set_object(handles, problem, run_folder); });
    Array<cfloat, 3> probe({problem.config.probe.num_modes, problem.probe_shape[0], problem.probe_shape[1]});
    ranks.agree([&] {
        if (!ranks.is_first()) return;
        probe = initial_probe(problem, statistics, run_folder);
        if (problem.config.tiling.halo_m) log::info("{}", halo_text(problem, probe));
    });
    ranks.broadcast(probe.data(), probe.bytes());
    set_probe(handles, problem, probe);
    return {};
}

RunState go_on(Handles& handles, const Prepared& prepared, const FrameStatistics& statistics,
               const Ranks& ranks) {
    const CheckpointManifest& checkpoint = *prepared.checkpoint;
    RunState from;
    ranks.agree([&] {
        require_same_frames(checkpoint, prepared.checkpoint_name, statistics);
        from =
            restore(handles, *prepared.problem, checkpoint_folder(prepared.config.output.file), checkpoint);
    });
    const EngineConfig& engine = prepared.config.engines[checkpoint.engine];
    log::info("{}: the run goes on after {} iterations ({}, {} of {})", prepared.checkpoint_name,
              checkpoint.num_iterations, name(engine.name), checkpoint.iteration, engine.num_iter);
    return from;
}

void report_to_job(JobFile& job, const IterationReport& report, std::ptrdiff_t num_frames) {
    const Rate rate = rate_of(report, num_frames);
    job.update(
        [&](JobStatus& status) {
            status.state = JobState::running;
            status.engine = report.engine;
            status.iteration = report.overall + 1;
            status.num_iter = report.overall_num_iter;
            status.cost = report.cost;
            status.data_error = report.data_error;
            status.frames_per_s = rate.frames_per_s;
            status.seconds_left = rate.seconds_left;
        },
        JobFile::Pace::seldom);
}

Checkpoints::Setup checkpoint_setup(const Prepared& prepared, const FrameStatistics& statistics,
                                    Progress& progress) {
    Checkpoints::Setup setup;
    setup.folder = checkpoint_folder(prepared.config.output.file);
    setup.interval_s = prepared.config.output.checkpoint_interval_s;
    setup.scan = fingerprint(prepared.problem->scan);
    setup.frames = fingerprint(statistics);
    setup.began_with = prepared.checkpoint;
    setup.on_written = [&progress, job = prepared.job.get(),
                        folder = setup.folder](const CheckpointManifest& manifest) {
        const std::string file = manifest_path(folder, manifest.num_iterations).string();
        progress.close();
        log::event(
            "checkpoint",
            fmt::format(R"("file":{},"iterations":{})", log::json_string(file), manifest.num_iterations),
            fmt::format("checkpoint after {} iterations: {}", manifest.num_iterations, file));
        job->update([&](JobStatus& status) {
            status.checkpoint_iterations = static_cast<int>(manifest.num_iterations);
            status.checkpointed = std::time(nullptr);
        });
    };
    return setup;
}

void post_snapshot(OutputThread& writer, const OutputConfig& output, Result result,
                   std::shared_ptr<ObjectOnItsWay> object) {
    writer.post([&output, object, snapshot = std::make_shared<Result>(std::move(result))] {
        try {
            write_output(output, *snapshot, *object);
        } catch (const Error& failure) {
            log::warning("{} (an intermediate result; the run goes on)", failure.what());
        }
    });
}

// What refinement has done to them.
void tell_positions(const Result& result, int max_shift_px) {
    const Array<double, 2>& shifts = result.position_shifts_px;
    const std::ptrdiff_t num_frames = shifts.empty() ? 0 : shifts.extent(0);
    if (num_frames == 0) return;
    double squares = 0;
    std::ptrdiff_t num_at_limit = 0;
    for (std::ptrdiff_t i = 0; i < num_frames; ++i) {
        squares += shifts(i, 0) * shifts(i, 0) + shifts(i, 1) * shifts(i, 1);
        const double farthest = std::max(std::abs(shifts(i, 0)), std::abs(shifts(i, 1)));
        num_at_limit += farthest >= max_shift_px ? 1 : 0;
    }
    const auto& [scale, asymmetry, rotation_rad, shear_rad] = result.position_model;
    log::info(
        "positions: frames moved by {:.3g} px (rms); the scan as a whole: scale {:+.3f} %, asymmetry {:+.3f} "
        "%, "
        "rotation {:+.3g} mrad, shear {:+.3g} mrad",
        std::sqrt(squares / static_cast<double>(num_frames)), 100 * scale, 100 * asymmetry,
        1000 * rotation_rad, 1000 * shear_rad);
    if (num_at_limit > 0) {
        log::warning(
            "frames that have moved by positions.max_shift_px, {1} px: {0} (a larger one lets them go on)",
            num_at_limit, max_shift_px);
    }
}

// By how much the probe varies.
void tell_lights(const Result& result) {
    const std::vector<double>& scales = result.intensity_scale;
    if (scales.empty()) return;
    double squares = 0;
    for (const double scale : scales) squares += (scale - 1) * (scale - 1);
    log::info("probe: power varies by {:.3g} % (rms)",
              100 * std::sqrt(squares / static_cast<double>(scales.size())));
    if (result.opr_mode_powers.empty()) return;
    double first = 0;
    for (const cfloat value : result.probe.slice(0)) first += static_cast<double>(norm(value));
    std::vector<double> shares;
    for (const double power : result.opr_mode_powers) shares.push_back(100 * power / first);
    log::info("probe: eigen-probes have {:.3g} % of the first mode's power, on average",
              fmt::join(shares, ", "));
}

void tell_result(const OutputConfig& output, const Result& result) {
    const std::string pictures =
        output.pictures ? ", pictures in " + picture_folder(output.file).string() : "";
    const double run_s = result.timings_s.at("run");
    log::event("done",
               fmt::format(R"("file":{},"cost":{:.9g},"data_error":{:.9g},"iterations":{},"time_s":{:.3f})",
                           log::json_string(output.file.string()), result.final_cost, result.final_data_error,
                           result.cost.size(), run_s),
               fmt::format("data error {:.4g}, cost {:.6g} after {} iterations in {:.1f} s: {}{}",
                           result.final_data_error, result.final_cost, result.cost.size(), run_s,
                           output.file.string(), pictures));
}

ExitCode run_prepared(const ReconstructOptions& options, const Ranks& ranks, Prepared& prepared,
                      Stopwatch& watch) {
    const RunConfig& config = prepared.config;
    const Problem& problem = *prepared.problem;
    const auto folder = options.run_file.parent_path();

    const Runtime runtime(config.runtime, ranks, problem.out_of_core());
    describe(problem, runtime, ranks);
    std::optional<TraceRecorder> recorder;
    if (config.runtime.trace) recorder.emplace(ranks, name_of_tag);
    const CheckedFrames frames(*prepared.reader, problem.scan);
    std::optional<RestingWorkers> rest;
    // Workers that look for tasks would only keep the reading from its core.
    const bool may_rest = !ranks.are_several() && problem.machine.num_gpus == 0 && !config.runtime.disk;
    if (may_rest) rest.emplace();
    Handles handles = make_handles(problem, ranks, &frames);
    const FrameStatistics statistics = read_frames(frames, problem, handles.frame_memory(problem), ranks);
    const RunState from = prepared.checkpoint ? go_on(handles, prepared, statistics, ranks)
                                              : begin(handles, problem, statistics, folder, ranks);
    const double read_s = watch.lap();
    prepared.turn.wait_to_compute();
    rest.reset();
    watch.lap();

    const auto complete = [&](Result& result) {
        result.run = write_run_config(config);
        const auto about = about_run(problem, runtime);
        result.about.insert(about.begin(), about.end());
    };
    OutputThread writer;
    Progress progress(problem.scan.num_frames, static_cast<std::size_t>(problem.scan.num_frames) *
                                                   static_cast<std::size_t>(problem.scan.mask.size()) *
                                                   bytes_per_count(problem.scan.pattern_type));
    const std::atomic<bool>& stop_requested = catch_stop_signals();
    ReconstructionHooks hooks;
    hooks.stop_requested = &stop_requested;
    hooks.on_iteration = [&](const IterationReport& report) {
        if (!ranks.is_first()) return;
        progress.show(report);
        report_to_job(*prepared.job, report, problem.scan.num_frames);
    };
    hooks.on_snapshot = [&](Result result, std::shared_ptr<ObjectOnItsWay> object) {
        complete(result);
        post_snapshot(writer, config.output, std::move(result), std::move(object));
    };
    std::optional<Checkpoints> checkpoints;
    if (config.output.has_checkpoints()) {
        checkpoints.emplace(problem, handles, checkpoint_setup(prepared, statistics, progress), writer);
        hooks.checkpoints = &*checkpoints;
    }
    Reconstruction reconstruction(problem, handles, statistics, hooks);
    reconstruction.run(from);
    progress.close();
    const std::size_t bytes_sent = ranks.bytes_sent();
    Result result = reconstruction.result_without_object();
    complete(result);
    record_timings(result, read_s, watch.lap(), config.runtime.mixed);
    record_ranks(result, ranks, problem, bytes_sent);
    if (may_rest) rest.emplace();
    prepared.turn.say_computed();
    writer.post([&, object = reconstruction.object()] { write_output(config.output, result, *object); });
    writer.finish();
    if (recorder) {
        const Schedule schedule = recorder->collect();
        if (ranks.is_first()) write_trace_files(*config.runtime.trace, schedule);
    }
    const ExitCode code = reconstruction.stopped_early() ? ExitCode::stopped : ExitCode::done;
    if (!ranks.is_first()) return code;
    prepared.job->update([&](JobStatus& status) {
        status.state = code == ExitCode::done ? JobState::done : JobState::stopped;
        status.exit_code = static_cast<int>(code);
        status.iteration = static_cast<int>(result.cost.size());
        status.data_error = result.final_data_error;
        status.cost = result.final_cost;
        status.seconds_left = 0;
    });
    tell_positions(result, config.positions.max_shift_px);
    tell_lights(result);
    tell_result(config.output, result);
    if (reconstruction.stopped_early()) {
        log::warning("stopped early ({}); the result so far is written{}",
                     stop_requested ? "signal" : "runtime.time_limit",
                     checkpoints && checkpoints->is_any_on_disk() ? "; --resume goes on" : "");
    }
    return code;
}

void say_failed(JobFile& job, const Error& failure) {
    const bool has_words = *failure.what() != '\0';
    job.fail(static_cast<int>(failure.code()), has_words ? failure.what() : "another rank has said why");
}

}  // namespace

ExitCode reconstruct(const ReconstructOptions& options) {
    Stopwatch watch;
    const Ranks ranks;
    if (!ranks.is_first()) log::at_least(log::Level::warning);
    if (options.take_turns && ranks.are_several())
        throw usage_error("--take-turns: is for runs of one rank, this one has {}", ranks.size());
    Prepared prepared;
    if (options.take_turns) prepared.turn = Turn(catch_stop_signals());
    try {
        prepare(options, ranks, prepared);
    } catch (const std::exception& problem) {
        if (prepared.job) say_failed(*prepared.job, as_error(problem));
        throw;
    }
    // From here on ranks wait for each other's messages: what fails on one has to end them all.
    try {
        return run_prepared(options, ranks, prepared, watch);
    } catch (const std::exception& problem) {
        const Error failure = as_error(problem);
        if (prepared.job) say_failed(*prepared.job, failure);
        if (!ranks.are_several()) throw;
        ranks.end_all(failure);
    }
}

}  // namespace tessera::app
