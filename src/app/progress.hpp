#pragma once

#include <chrono>
#include <string>

#include "tasks/reconstruction.hpp"

namespace tessera::app {

struct Rate {
    double seconds_left = 0;
    double frames_per_s = 0;
};
Rate rate_of(const IterationReport& report, std::ptrdiff_t num_frames);
std::string duration(double seconds);  // "1:02:03", "0:42"

// Tells people how a run goes. On a terminal one line that is redrawn: iteration, cost, data error, rate,
// time left. In a log a line now and then (every iteration at first, then every ten seconds and the last).
// With --log json an event for every iteration.
class Progress {
  public:
    Progress(std::ptrdiff_t num_frames, std::size_t pattern_bytes);
    ~Progress() { close(); }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    void show(const IterationReport& report);
    void close();  // ends the redrawn line

  private:
    void draw(const IterationReport& report);
    void log_line(const IterationReport& report);

    std::ptrdiff_t num_frames_;
    std::size_t pattern_bytes_;
    bool terminal_;
    bool line_open_ = false;
    std::chrono::steady_clock::time_point last_;
};

}  // namespace tessera::app
