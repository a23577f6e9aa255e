#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <list>
#include <thread>

#include "app/batch_run.hpp"
#include "app/commands.hpp"
#include "app/stop_signals.hpp"
#include "base/log.hpp"
#include "base/memory.hpp"
#include "batch/batch_table.hpp"
#include "codelets/runtime/ranks.hpp"
#include "codelets/runtime/runtime.hpp"
#include "config/yaml_reader.hpp"

namespace tessera::app {
namespace {

using Phase = BatchRun::Phase;

// Jobs one after the other, each in a process and with a StarPU of its own, whatever goes wrong in it. While
// one computes the next reads its frames, and the one before writes its result: they take turns
// (app/turn.hpp).
class Batch {
  public:
    Batch(const BatchOptions& options, BatchPlan plan);
    ExitCode run();

  private:
    struct Running {
        std::size_t i_entry;
        BatchRun run;
        Running(std::size_t entry, const std::vector<std::string>& command, const std::filesystem::path& log,
                bool takes_turns)
            : i_entry(entry), run(command, log, takes_turns) {}
    };

    void look_back();
    void start_what_may_start();
    void start(std::size_t i_entry);
    std::vector<std::string> command_of(const BatchEntry& entry) const;
    void let_go_on();
    bool may_set_up(const BatchRun& run) const;
    void listen();
    void end(const Running& running);
    void judge(BatchEntry& entry, const BatchRun& run) const;
    void tell(const BatchEntry& entry) const;
    void pass_stop_on();
    ExitCode exit_code() const;

    std::ptrdiff_t count(Phase phase) const {
        return std::ranges::count_if(running_, [&](const Running& r) { return r.run.phase() == phase; });
    }
    double now_s() const {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
    }
    bool takes_turns() const { return !plan_.launcher; }

    const BatchOptions& options_;
    BatchPlan plan_;
    std::vector<BatchEntry> entries_;
    std::vector<Remaining> remaining_;
    std::size_t next_ = 0;  // the first that has not been started
    std::list<Running> running_;
    const std::atomic<bool>& stop_requested_;
    bool stop_is_passed_on_ = false;
    std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

Batch::Batch(const BatchOptions& options, BatchPlan plan)
    : options_(options), plan_(std::move(plan)), stop_requested_(catch_stop_signals()) {
    for (const BatchJob& job : plan_.jobs) entries_.push_back({job, {}, 0, 0, 0, 0, 0, 0, 0, {}});
    std::signal(SIGPIPE, SIG_IGN);  // of a run that ended before it was told to go on
    // Workers of runs side by side would all be bound to the same first cores.
    if (plan_.at_once > 1) setenv("STARPU_WORKERS_NOBIND", "1", 0);
}

void Batch::look_back() {
    std::size_t num_done = 0;
    for (BatchEntry& entry : entries_) {
        const BatchJobBefore before = look_at_job_before(entry.job);
        remaining_.push_back(before.remaining);
        if (before.remaining != Remaining::nothing) continue;
        entry.outcome = BatchOutcome::done_before;
        entry.iterations = before.status->iteration;
        entry.cost = before.status->cost;
        entry.data_error = before.status->data_error;
        ++num_done;
    }
    log::info("{} jobs{}", entries_.size(),
              num_done > 0 ? fmt::format(", {} of them done before", num_done) : "");
}

std::vector<std::string> Batch::command_of(const BatchEntry& entry) const {
    const BatchJob& job = entry.job;
    std::vector<std::string> words = {
        "--log", "json", "reconstruct", job.run_file.string(), "--output", job.result.string()};
    const auto set = [&](const std::string& text) { words.insert(words.end(), {"--set", text}); };
    if (plan_.at_once > 1 && takes_turns()) {
        std::vector<ConfigProblem> problems;  // which the run itself will tell
        const bool is_named = read_run_config(job.run_file, job.overrides, problems).runtime.cpus.has_value();
        if (!is_named) set(fmt::format("runtime.cpus={}", std::max(num_usable_cores() / plan_.at_once, 1)));
    }
    for (const std::string& text : job.overrides) set(text);
    const auto i_entry = static_cast<std::size_t>(&entry - entries_.data());
    if (remaining_[i_entry] == Remaining::the_rest) words.emplace_back("--resume");
    if (takes_turns()) words.emplace_back("--take-turns");
    return command_of_this_program(plan_.launcher, words);
}

void Batch::start(std::size_t i_entry) {
    BatchEntry& entry = entries_[i_entry];
    auto log_file = entry.job.result;
    log_file.replace_extension(".log");
    entry.begin_s = entry.compute_s = now_s();
    try {
        running_.emplace_back(i_entry, command_of(entry), log_file, takes_turns());
    } catch (const Error& error) {  // no log, no process: the others go on
        entry.end_s = now_s();
        entry.outcome = BatchOutcome::failed;
        entry.exit_code = static_cast<int>(error.code());
        entry.message = error.what();
        tell(entry);
        return;
    }
    entry.outcome = BatchOutcome::running;
    log::info("{} ({} of {}){}", entry.job.name, i_entry + 1, entries_.size(),
              remaining_[i_entry] == Remaining::the_rest ? ": goes on" : "");
}

// One at a time gets ready, and one may still write behind those that compute. Ranks of a launcher that wait
// would keep their cores busy: nothing is ahead of them.
void Batch::start_what_may_start() {
    while (next_ < entries_.size() && !stop_requested_) {
        if (remaining_[next_] == Remaining::nothing) {
            ++next_;
            continue;
        }
        const std::ptrdiff_t at_once = plan_.at_once, num_alive = std::ssize(running_);
        const bool is_one_getting_ready = count(Phase::computes) + count(Phase::writes) < num_alive;
        const bool may_start =
            takes_turns() ? !is_one_getting_ready && num_alive < at_once + 2 : num_alive < at_once;
        if (!may_start) return;
        start(next_++);
    }
}

// Two scans in memory at the same time must fit. What a run may have of a GPU it takes from what is free of
// it.
bool Batch::may_set_up(const BatchRun& run) const {
    std::size_t bytes = run.memory_bytes(), num_others = 0;
    for (const Running& other : running_) {
        if (!other.run.holds_memory()) continue;
        ++num_others;
        bytes += other.run.memory_bytes();
    }
    return num_others == 0 || (run.num_gpus() == 0 && bytes <= memory_bound().bytes / 10 * 9);
}

// In the order of the jobs.
void Batch::let_go_on() {
    for (Running& running : running_) {
        const Phase phase = running.run.phase();
        if (phase == Phase::wants_to_set_up && may_set_up(running.run)) running.run.let_go_on();
        if (phase == Phase::wants_to_compute && count(Phase::computes) < plan_.at_once) {
            entries_[running.i_entry].compute_s = now_s();
            running.run.let_go_on();
        }
    }
}

void Batch::judge(BatchEntry& entry, const BatchRun& run) const {
    std::optional<JobSighting> sighting;
    try {
        sighting = look_at_job(job_file(entry.job.result));
    } catch (const Error&) {
        // Another file of that name, of which the run has warned.
    }
    if (sighting) {
        entry.iterations = sighting->status.iteration;
        entry.cost = sighting->status.cost;
        entry.data_error = sighting->status.data_error;
    }
    const int status = run.status();
    entry.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    if (entry.exit_code == static_cast<int>(ExitCode::done)) {
        entry.outcome = BatchOutcome::done;
    } else if (stop_requested_ || entry.exit_code == static_cast<int>(ExitCode::stopped)) {
        entry.outcome = BatchOutcome::stopped;
    } else {
        entry.outcome = BatchOutcome::failed;
        entry.message =
            WIFSIGNALED(status) ? fmt::format("ended by signal {}", WTERMSIG(status)) : run.last_error();
        const bool was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        if (was_killed && sighting && sighting->was_killed_for_memory())
            entry.message += ", " + sighting->likely_end();
    }
}

void Batch::tell(const BatchEntry& entry) const {
    const std::string& name = entry.job.name;
    const std::string fields =
        fmt::format(R"("name":{},"exit_code":{},"iterations":{},"data_error":{:.9g},"message":{})",
                    log::json_string(name), entry.exit_code, entry.iterations, entry.data_error,
                    log::json_string(entry.message));
    switch (entry.outcome) {
        case BatchOutcome::done:
            return log::event("job", fields,
                              fmt::format("{}: done in {:.1f} s, {} iterations, data error {:.4g}", name,
                                          entry.end_s - entry.begin_s, entry.iterations, entry.data_error));
        case BatchOutcome::stopped:
            return log::event("job", fields, fmt::format("{}: stopped", name));
        default:
            log::event("job", fields, "");
            log::error("{}: {}", name, entry.message);
    }
}

void Batch::end(const Running& running) {
    BatchEntry& entry = entries_[running.i_entry];
    entry.end_s = now_s();
    judge(entry, running.run);
    tell(entry);
    try {
        write_batch_table(options_.output, entries_);
    } catch (const Error& error) {  // it is written again with the next end, and at the end of all
        log::warning("{}", error.what());
    }
}

void Batch::listen() {
    for (Running& running : running_) {
        running.run.listen();
        for (const std::string& warning : running.run.take_warnings())
            log::warning("{}: {}", entries_[running.i_entry].job.name, warning);
        if (running.run.phase() == Phase::ended) end(running);
    }
    running_.remove_if([](const Running& running) { return running.run.phase() == Phase::ended; });
}

// Open MPI's mpirun hands only SIGUSR2 on in time.
void Batch::pass_stop_on() {
    if (stop_is_passed_on_ || !stop_requested_) return;
    stop_is_passed_on_ = true;
    for (const Running& running : running_) running.run.send_signal(plan_.launcher ? SIGUSR2 : SIGTERM);
}

// Of what failed, where all failed alike.
ExitCode Batch::exit_code() const {
    if (stop_requested_) return ExitCode::stopped;
    auto code = ExitCode::done;
    for (const BatchEntry& entry : entries_) {
        if (entry.outcome == BatchOutcome::stopped && code == ExitCode::done) code = ExitCode::stopped;
        if (entry.outcome != BatchOutcome::failed) continue;
        const bool is_known = entry.exit_code >= 2 && entry.exit_code <= 5;
        const auto its_code = is_known ? static_cast<ExitCode>(entry.exit_code) : ExitCode::runtime;
        const bool is_first = code == ExitCode::done || code == ExitCode::stopped;
        code = is_first || code == its_code ? its_code : ExitCode::runtime;
    }
    return code;
}

ExitCode Batch::run() {
    using namespace std::chrono_literals;
    look_back();
    write_batch_table(options_.output, entries_);
    for (start_what_may_start(); !running_.empty(); start_what_may_start()) {
        pass_stop_on();
        listen();
        let_go_on();
        std::this_thread::sleep_for(20ms);
    }
    write_batch_table(options_.output, entries_);
    for (const std::string& line : batch_table_lines(entries_)) log::info("{}", line);
    const auto num_left =
        std::ranges::count_if(entries_, [](const BatchEntry& e) { return !e.has_result(); });
    log::info("{} of {} jobs have a result{}: {}", std::ssize(entries_) - num_left, entries_.size(),
              num_left > 0 ? "; the same command does what is left" : "",
              (options_.output / "table.csv").string());
    return exit_code();
}

}  // namespace

ExitCode batch(const BatchOptions& options) {
    if (is_started_with_others())
        throw usage_error(
            "tessera batch starts the runs itself and cannot be started by mpirun or srun --mpi: "
            "the batch file's `launcher` is for runs of several ranks");
    BatchPlan plan = batch_plan(options.jobs, options.overrides, options.output);
    std::error_code failed;
    std::filesystem::create_directories(options.output, failed);
    if (failed)
        throw runtime_failure("--output: {} cannot be made ({})", options.output.string(), failed.message());
    return Batch(options, std::move(plan)).run();
}

}  // namespace tessera::app
