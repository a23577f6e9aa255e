#pragma once

#include <chrono>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>

#include "base/memory.hpp"

namespace tessera {

enum class JobState { preparing, running, done, stopped, failed };

// Where a run is, as it says itself.
struct JobStatus {
    JobState state = JobState::preparing;
    std::string host;
    int process = 0;
    int num_ranks = 1;
    std::int64_t started = 0, updated = 0;  // seconds since 1970
    std::string engine;
    int iteration = 0, num_iter = 0;  // of the whole run
    double cost = 0, data_error = 0;
    double frames_per_s = 0, seconds_left = 0;
    // Of the first rank; what it may use; and what all have in use that share this bound (base/memory.hpp).
    std::size_t memory_bytes = 0, memory_bound_bytes = 0, memory_in_use_bytes = 0;
    std::string memory_group;           // its control group
    std::int64_t num_memory_kills = 0;  // its processes that were ended for lack of memory before this run
    int checkpoint_iterations = -1;     // -1: there is none
    std::int64_t checkpointed = 0;
    int exit_code = 0;
    std::string message;  // how it ended
};

// "result.job" beside result.h5, or beside what that is a link to.
std::filesystem::path job_file(const std::filesystem::path& result);

// Says where a run is, and keeps others from writing the same result: it is locked while the run lives, so
// that a run that ended without a word can be told from one that goes on, on any machine that sees the file.
class JobFile {
  public:
    // Takes the lock. A usage Error names the run that has it. Where the file system knows no locks, or the
    // file cannot be written, there is none, and nothing is said of the run.
    JobFile(const std::filesystem::path& result, int num_ranks);
    ~JobFile();
    JobFile(const JobFile&) = delete;
    JobFile& operator=(const JobFile&) = delete;

    // Changes the status and writes it, from any thread. `seldom`: not if that was done within a second.
    enum class Pace { at_once, seldom };
    template <class Change>
    void update(const Change& change, Pace pace = Pace::at_once) {
        const std::lock_guard guard(lock_);
        change(status_);
        write(pace);
    }

    // Says that it failed, or was stopped before it computed. A run that had not begun to iterate leaves no
    // file where there was none.
    void fail(int exit_code, const std::string& message);

  private:
    void write(Pace pace);

    std::mutex lock_;
    JobStatus status_;
    std::filesystem::path file_;
    MemoryBound memory_bound_ = memory_bound();
    bool is_new_ = false;
    int descriptor_ = -1;
    std::chrono::steady_clock::time_point written_{};
};

std::string memory_text(std::size_t in_use, std::size_t bound);  // "7.9 of 8.0 GiB in use"

struct JobSighting {
    JobStatus status;
    bool is_alive = false;  // somebody holds the lock
    // Processes of its control group ended for lack of memory since it began, as far as this machine knows.
    std::int64_t num_killed_for_memory = 0;
    bool was_killed_for_memory() const;  // or most likely so
    // "killed, or its machine went away", "most likely killed for memory: 7.9 of 8.0 GiB in use"
    std::string likely_end() const;
    bool ended_without_a_word() const {
        return !is_alive && (status.state == JobState::preparing || status.state == JobState::running);
    }
};
// Nothing where there is no such file; a data Error where it is none of ours.
std::optional<JobSighting> look_at_job(const std::filesystem::path& job_file);

}  // namespace tessera
