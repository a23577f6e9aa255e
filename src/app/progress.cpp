#include "app/progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/log.hpp"
#include "base/memory.hpp"

namespace tessera::app {
std::string duration(double seconds) {
    const auto whole = static_cast<long>(std::max(seconds, 0.0) + 0.5);
    if (whole >= 3600) return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
    return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

Rate rate_of(const IterationReport& report, std::ptrdiff_t num_frames) {
    const double done = report.overall + 1;
    const double per_iteration = report.time_s / done;
    return {per_iteration * (report.overall_num_iter - done),
            per_iteration > 0 ? static_cast<double>(num_frames) / per_iteration : 0};
}

Progress::Progress(std::ptrdiff_t num_frames, std::size_t pattern_bytes)
    : num_frames_(num_frames),
      pattern_bytes_(pattern_bytes),
      terminal_(isatty(STDERR_FILENO) != 0 && log::format() == log::Format::text) {}

void Progress::show(const IterationReport& report) {
    if (log::format() == log::Format::json) {
        log::event(
            "iteration",
            fmt::format(
                R"("engine":{},"iteration":{},"num_iter":{},"cost":{:.9g},"data_error":{:.9g},)"
                R"("step":{:.6g},"beta":{:.6g},"time_s":{:.6f},"frames_per_s":{:.6g},"memory_bytes":{})",
                log::json_string(report.engine), report.iteration + 1, report.num_iter, report.cost,
                report.data_error, report.step, report.beta, report.time_s,
                rate_of(report, num_frames_).frames_per_s, resident_bytes()),
            "");
    } else if (terminal_) {
        draw(report);
    } else {
        log_line(report);
    }
}

void Progress::draw(const IterationReport& report) {
    constexpr int width = 24;
    const int filled = width * (report.overall + 1) / std::max(report.overall_num_iter, 1);
    std::string bar;
    for (int i = 0; i < width; ++i) bar += i < filled ? "█" : "░";
    const Rate rate = rate_of(report, num_frames_);
    const double gigabytes_per_s =
        rate.frames_per_s * static_cast<double>(pattern_bytes_) / static_cast<double>(num_frames_) * 1e-9;
    fmt::print(stderr,
               "\r\033[K{} {} {}/{}  cost {:.4g}  error {:.4g}  {:.0f} frames/s ({:.2f} GB/s)  {} left",
               report.engine, bar, report.iteration + 1, report.num_iter, report.cost, report.data_error,
               rate.frames_per_s, gigabytes_per_s, duration(rate.seconds_left));
    std::fflush(stderr);
    line_open_ = true;
}

void Progress::log_line(const IterationReport& report) {
    const auto now = std::chrono::steady_clock::now();
    const bool last = report.iteration + 1 == report.num_iter;
    const bool due = report.iteration < 3 || last || now - last_ > std::chrono::seconds(10);
    if (!due) return;
    last_ = now;
    const Rate rate = rate_of(report, num_frames_);
    log::info(
        "{} iteration {}/{}  cost {:.6g}  data error {:.4g}  step {:.3g}  beta {:.2f}  {:.0f} frames/s  {} "
        "left",
        report.engine, report.iteration + 1, report.num_iter, report.cost, report.data_error, report.step,
        report.beta, rate.frames_per_s, duration(rate.seconds_left));
}

void Progress::close() {
    if (line_open_) fmt::print(stderr, "\n");
    line_open_ = false;
}

}  // namespace tessera::app
