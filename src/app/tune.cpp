#include <algorithm>

#include "app/commands.hpp"
#include "app/stop_signals.hpp"
#include "app/trial_run.hpp"
#include "base/checksum.hpp"
#include "base/log.hpp"
#include "base/version.hpp"
#include "config/yaml_reader.hpp"
#include "io/atomic_file.hpp"
#include "tuning/tune_report.hpp"

namespace tessera::app {
namespace {

// What trials depend on: those of another program or run file are not to be mixed with these.
std::string fingerprint_of(const RunConfig& config, const TuneSpace& space) {
    std::string text = write_run_config(config) + version() + commit();
    for (const TuneAxis& axis : space.axes) {
        text += axis.key;
        for (const std::string& value : axis.values) text += "\n" + value;
    }
    text.resize((text.size() + 7) / 8 * 8);
    Checksum sum;
    sum.add(text.data(), text.size());
    return fmt::format("trials of {:016x}", sum.value());
}

std::string time_left(const TuneProgress& progress, const Trials& trials) {
    if (trials.size() == 0) return "";
    double wall_s = 0;
    for (const Trials::Done& done : trials.all()) wall_s += done.outcome.wall_s;
    const double left_s =
        wall_s / static_cast<double>(trials.size()) * static_cast<double>(progress.num_remaining);
    return left_s < 100 ? fmt::format(", about {:.0f} s left", left_s)
                        : fmt::format(", about {:.0f} min left", left_s / 60);
}

void tell(const Trial& trial, const TrialOutcome& outcome, const TuneSpace& space) {
    const std::string settings = space.name(trial.point);
    if (outcome.failed()) {
        log::warning("{}: {}", settings, outcome.failure);
    } else {
        log::info("  {:.4g} s  {}", outcome.run_s, settings);
    }
}

// Paths in a run file are relative to its folder: from another folder they are named anew.
RunConfig moved(RunConfig config, const std::filesystem::path& from, const std::filesystem::path& to) {
    const auto move = [&](std::filesystem::path& path) {
        path = std::filesystem::proximate(from / path, to.empty() ? "." : to);
    };
    move(config.scan.file);
    for (auto* file : {&config.scan.mask.file, &config.object.file, &config.probe.file}) {
        if (*file) move(**file);
    }
    return config;
}

void write_best_run_file(const TuneOptions& options, const TuneReport& report) {
    auto overrides = options.overrides;
    for (const std::string& key : report.space.overrides(report.best)) overrides.push_back(key);
    RunConfig config = read_run_config(options.run_file, overrides);
    config.tune.reset();
    write_text_file(options.output / "best.yaml",
                    fmt::format("# {}: {}\n", report.space.name(report.best), report.verdict()) +
                        write_run_config(moved(config, options.run_file.parent_path(), options.output)));
}

}  // namespace

ExitCode tune(const TuneOptions& options) {
    const RunConfig config = read_run_config(options.run_file, options.overrides);
    TuneReport report;
    report.tune = config.tune.value_or(TuneConfig{});
    report.space = tune_space(options.run_file, options.overrides, report.tune);
    report.title = fmt::format("Tuning {}", options.run_file.filename().string());
    std::error_code failed;
    std::filesystem::create_directories(options.output, failed);
    if (failed)
        throw runtime_failure("--output: {} cannot be made ({})", options.output.string(), failed.message());
    Trials trials(options.output / "trials.txt", fingerprint_of(config, report.space), report.space);
    if (trials.size() > 0) log::info("{} trials are done already", trials.size());

    const std::atomic<bool>& stop_requested = catch_stop_signals();
    const TrialRun run(options, config, report.tune);
    TuneProgress progress = tune_progress(report.space, report.tune, trials);
    while (progress.next && !stop_requested) {
        const Trial trial = *progress.next;
        log::info("trial {} of {}{}: {}", trials.size() + 1, trials.size() + progress.num_remaining,
                  time_left(progress, trials), report.space.name(trial.point));
        const TrialOutcome outcome = run(report.space.overrides(trial.point));
        if (stop_requested) break;
        trials.add(trial, outcome);
        tell(trial, outcome, report.space);
        progress = tune_progress(report.space, report.tune, trials);
    }
    report.is_complete = !progress.next;
    report.times = point_times(trials);
    report.best = progress.best;
    report.ratios = confirmed_ratios(progress.best, trials);
    report.about = fmt::format("{}; {} trials", run.machine(), trials.size());
    write_tune_report(options.output, report);
    if (!report.is_complete) {
        log::warning("interrupted after {} trials; the same command goes on", trials.size());
        return ExitCode::stopped;
    }
    const bool all_failed =
        std::ranges::all_of(report.times, [](const PointTime& time) { return !time.failure.empty(); });
    if (all_failed) throw runtime_failure("no trial has run: {}", report.times.front().failure);
    write_best_run_file(options, report);
    log::info("{}", report.verdict());
    log::info("{}: {}", (options.output / "best.yaml").string(), report.space.name(report.best));
    log::info("{}", (options.output / "index.html").string());
    return ExitCode::done;
}

}  // namespace tessera::app
