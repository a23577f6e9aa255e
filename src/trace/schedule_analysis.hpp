#pragma once

#include <array>
#include <string>
#include <vector>

#include "trace/schedule.hpp"

namespace tessera {

// Why a worker had nothing to do.
enum class IdleCause : std::int8_t {
    message,     // what its next task depends on was on its way from another rank
    other_task,  // a task that its next one depends on, here or on another rank, was running or in a queue
    submission,  // its next task was not yet submitted
    scheduling,  // its next task was ready: the scheduler's and the data's part
    end,         // there was no next task
};
inline constexpr std::size_t num_idle_causes = 5;
std::string text(IdleCause cause);

struct IdleTime {
    IdleCause cause = IdleCause::end;
    std::int32_t name = -1;  // of the message or task that was waited for; -1: none
    double start_s = 0, end_s = 0;
    double duration_s() const { return end_s - start_s; }
};

struct WorkerTime {
    std::size_t rank = 0;
    std::size_t worker = 0;
    double busy_s = 0;
    std::array<double, num_idle_causes> idle_s{};  // by cause
    std::vector<IdleTime> idle;
};

struct NameTime {
    std::string name;
    std::size_t count = 0;
    double total_s = 0, on_critical_path_s = 0;
    double waited_for_s = 0;  // by idle workers
};

// How a schedule spent its time, and how far it is from the best possible one. `area_s`: the work divided by
// the workers; `critical_path_s`: the longest chain of tasks, messages for nothing. No schedule of these
// tasks is shorter than either. Cost O(events + dependencies).
struct ScheduleAnalysis {
    double start_s = 0, makespan_s = 0;  // from the first start of a task to the last end
    double work_s = 0, area_s = 0, critical_path_s = 0;
    std::vector<WorkerTime> workers;
    std::vector<NameTime> names;               // of tasks, by falling total
    std::vector<NameTime> messages;            // as sent, by falling time waited for
    std::vector<std::uint32_t> critical_path;  // events, as numbered by Dependencies
    std::int64_t message_bytes = 0;
    std::size_t num_messages = 0;

    // Of all workers' time; 1: as good as it gets.
    double busy_share() const { return share(work_s); }
    double idle_share(IdleCause cause) const;
    double waited_for_share(const NameTime& name) const { return share(name.waited_for_s); }
    // max(area, critical path) / makespan
    double of_the_best_possible() const;

  private:
    double share(double seconds) const;
};

ScheduleAnalysis analyse(const Schedule& schedule, const Dependencies& dependencies);

// The figures as a few lines for people.
std::string describe(const ScheduleAnalysis& analysis);

}  // namespace tessera
