#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/child_process.hpp"

namespace tessera::app {

// The process of one job of a batch: where it is, as its log says, and when it may go on (app/turn.hpp).
class BatchRun {
  public:
    enum class Phase { begins, wants_to_set_up, sets_up, wants_to_compute, computes, writes, ended };

    // Its log is added to a file, which outlives this process and that one. `takes_turns`: it was started
    // with
    // --take-turns.
    BatchRun(const std::vector<std::string>& command, const std::filesystem::path& log_file,
             bool takes_turns);

    void listen();  // to what it has said since
    void let_go_on();
    void send_signal(int number) const { process_->send_signal(number); }

    Phase phase() const { return phase_; }
    bool holds_memory() const { return phase_ > Phase::wants_to_set_up && phase_ < Phase::ended; }
    std::size_t memory_bytes() const { return memory_bytes_; }  // as it forecasts
    int num_gpus() const { return num_gpus_; }

    int status() const { return status_; }                         // of waitpid, when it has ended
    const std::string& last_error() const { return last_error_; }  // or what it said at last
    std::vector<std::string> take_warnings();                      // those since the last call

  private:
    void hear(std::string_view line);
    void read_log();

    int log_ = -1;  // closed by the guard below
    struct CloseLog {
        int& descriptor;
        ~CloseLog();
    } close_log_{log_};
    std::optional<ChildProcess> process_;
    Pipe leave_;  // closed before the process is waited for: who waits for a turn then ends
    std::int64_t heard_bytes_ = 0;
    std::string unfinished_line_;
    Phase phase_;
    std::size_t memory_bytes_ = 0;
    int num_gpus_ = 0;
    int status_ = 0;
    std::string last_error_;
    bool has_said_error_ = false;
    std::vector<std::string> warnings_;
};

}  // namespace tessera::app
