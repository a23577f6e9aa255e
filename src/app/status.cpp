#include <ctime>

#include "app/commands.hpp"
#include "app/progress.hpp"
#include "base/log.hpp"
#include "config/yaml_reader.hpp"
#include "io/job_file.hpp"

namespace tessera::app {
namespace {

std::filesystem::path job_file_of(const std::filesystem::path& file) {
    if (file.extension() == ".yaml" || file.extension() == ".yml")
        return job_file(read_run_config(file).output.file);
    return file.extension() == ".job" ? file : job_file(file);
}

std::string ago(std::int64_t time) {
    return duration(static_cast<double>(std::time(nullptr) - time)) + " ago";
}

std::string clock_text(std::int64_t time) {
    const auto seconds = static_cast<std::time_t>(time);
    char text[32] = "";
    std::tm local{};
    localtime_r(&seconds, &local);
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local);
    return text;
}

std::string how_it_stands(const JobSighting& job) {
    const JobStatus& status = job.status;
    if (job.is_alive && status.state == JobState::preparing) return "reads and prepares";
    if (job.is_alive) return "runs";
    switch (status.state) {
        case JobState::done:
            return "is done";
        case JobState::stopped:
            return "was stopped; reconstruct --resume goes on";
        case JobState::failed:
            return fmt::format("failed with exit code {}: {}", status.exit_code, status.message);
        case JobState::preparing:
        case JobState::running:
            break;
    }
    return fmt::format("ended without a word {} ({}){}", ago(status.updated), job.likely_end(),
                       status.checkpoint_iterations >= 0 ? "; reconstruct --resume goes on" : "");
}

void print(const std::filesystem::path& file, const JobSighting& job) {
    const JobStatus& status = job.status;
    fmt::print("{}: {}\n", file.string(), how_it_stands(job));
    fmt::print("  process {} on {}{}, since {}, last sign of life {}\n", status.process, status.host,
               status.num_ranks > 1 ? fmt::format(", {} ranks", status.num_ranks) : "",
               clock_text(status.started), ago(status.updated));
    if (status.iteration > 0) {
        fmt::print("  iteration {} of {} ({}), cost {:.6g}, data error {:.4g}\n", status.iteration,
                   status.num_iter, status.engine, status.cost, status.data_error);
    }
    if (job.is_alive && status.iteration > 0) {
        fmt::print("  {:.0f} frames/s, {} left, {}\n", status.frames_per_s, duration(status.seconds_left),
                   memory_text(status.memory_bytes, status.memory_bound_bytes));
    }
    if (status.checkpoint_iterations >= 0)
        fmt::print("  checkpoint after {} iterations, {}\n", status.checkpoint_iterations,
                   ago(status.checkpointed));
}

}  // namespace

ExitCode status(const std::filesystem::path& file) {
    const auto found = job_file_of(file);
    const auto job = look_at_job(found);
    if (!job)
        throw data_error("{}: there is no such file: no run has begun to write this result", found.string());
    print(file, *job);
    return ExitCode::done;
}

}  // namespace tessera::app
