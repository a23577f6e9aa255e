#include "trace/schedule_analysis.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

namespace tessera {

std::string text(IdleCause cause) {
    switch (cause) {
        case IdleCause::message:
            return "waiting for messages";
        case IdleCause::other_task:
            return "waiting for tasks of others";
        case IdleCause::submission:
            return "waiting for submission";
        case IdleCause::scheduling:
            return "scheduling";
        case IdleCause::end:
            return "nothing left to do";
    }
    return "";
}

namespace {

constexpr std::uint32_t nobody = std::numeric_limits<std::uint32_t>::max();

// What an event waited for longest.
std::uint32_t last_to_end(const Dependencies& all, std::uint32_t e) {
    std::uint32_t last = nobody;
    for (const std::uint32_t b : all.before(e)) {
        if (last == nobody || all.event(b).end_s > all.event(last).end_s) last = b;
    }
    return last;
}

class IdleCauses {
  public:
    IdleCauses(const Dependencies& all, WorkerTime& worker) : all_(all), worker_(worker) {}

    // The time [from, to), in which the worker had nothing to do before `next` began: from its end backwards
    // along the chain of what held it up.
    void explain(std::uint32_t next, double from, double to) {
        std::uint32_t e = next;
        cut(IdleCause::scheduling, -1, from, to, all_.event(e).ready_s);
        while (to > from) {
            const std::uint32_t last = last_to_end(all_, e);
            const double freed_s = last == nobody ? from : all_.event(last).end_s;
            if (all_.event(e).submitted_s > freed_s) cut(IdleCause::submission, -1, from, to, freed_s);
            if (last == nobody) break;
            const ScheduleEvent& held_up_by = all_.event(last);
            const bool is_task = held_up_by.kind == EventKind::task;
            cut(is_task ? IdleCause::other_task : IdleCause::message, held_up_by.name, from, to,
                is_task ? held_up_by.ready_s : could_begin_s(last));
            e = last;
        }
        add(IdleCause::submission, -1, from, to);
    }

    void add(IdleCause cause, std::int32_t name, double from, double to) {
        if (to <= from) return;
        worker_.idle.push_back({cause, name, from, to});
        worker_.idle_s[static_cast<std::size_t>(cause)] += to - from;
    }

  private:
    // Gives [at, to) to the cause.
    void cut(IdleCause cause, std::int32_t name, double from, double& to, double at) {
        const double begin = std::clamp(at, from, to);
        add(cause, name, begin, to);
        to = begin;
    }

    // A message sets off when its data is there.
    double could_begin_s(std::uint32_t message) const {
        const std::uint32_t last = last_to_end(all_, message);
        const double submitted_s = all_.event(message).submitted_s;
        return last == nobody ? submitted_s : std::max(submitted_s, all_.event(last).end_s);
    }

    const Dependencies& all_;
    WorkerTime& worker_;
};

// Tasks of every worker in the order in which they ran.
std::vector<std::vector<std::uint32_t>> tasks_of_workers(const Dependencies& all,
                                                         std::vector<WorkerTime>& workers,
                                                         const Schedule& schedule) {
    std::vector<std::size_t> first_of_rank;
    for (std::size_t r = 0; r < schedule.ranks.size(); ++r) {
        first_of_rank.push_back(workers.size());
        for (std::size_t w = 0; w < schedule.ranks[r].workers.size(); ++w)
            workers.push_back({r, w, 0, {}, {}});
    }
    std::vector<std::vector<std::uint32_t>> tasks(workers.size());
    for (std::uint32_t e = 0; e < all.num_events(); ++e) {
        if (all.event(e).kind != EventKind::task) continue;
        tasks[first_of_rank[all.rank_of(e)] + static_cast<std::size_t>(all.event(e).worker)].push_back(e);
    }
    for (auto& of_one : tasks) {
        std::ranges::sort(of_one, {}, [&](std::uint32_t e) { return all.event(e).start_s; });
    }
    return tasks;
}

double duration_of(const ScheduleEvent& event) {
    return event.kind == EventKind::task ? event.end_s - event.start_s : 0;
}

void find_critical_path(const Dependencies& all, ScheduleAnalysis& analysis) {
    std::vector<double> length(all.num_events());
    std::vector<std::uint32_t> via(all.num_events(), nobody);
    std::uint32_t end = nobody;
    for (const std::uint32_t e : all.order()) {
        double longest = 0;
        for (const std::uint32_t b : all.before(e)) {
            if (via[e] != nobody && length[b] <= longest) continue;
            longest = length[b];
            via[e] = b;
        }
        length[e] = longest + duration_of(all.event(e));
        if (end == nobody || length[e] > length[end]) end = e;
    }
    if (end == nobody) return;
    analysis.critical_path_s = length[end];
    for (std::uint32_t e = end; e != nobody; e = via[e]) analysis.critical_path.push_back(e);
    std::ranges::reverse(analysis.critical_path);
}

void count_names(const Schedule& schedule, const Dependencies& all, ScheduleAnalysis& analysis) {
    std::vector<NameTime> tasks(schedule.names.size());
    for (std::size_t n = 0; n < tasks.size(); ++n) tasks[n].name = schedule.names[n];
    std::vector<NameTime> messages = tasks;
    for (std::size_t e = 0; e < all.num_events(); ++e) {
        const ScheduleEvent& event = all.event(e);
        const auto n = static_cast<std::size_t>(event.name);
        if (event.kind == EventKind::receive) continue;
        NameTime& name = event.kind == EventKind::task ? tasks[n] : messages[n];
        ++name.count;
        name.total_s += duration_of(event);
        if (event.kind == EventKind::send) analysis.message_bytes += event.bytes;
    }
    for (const std::uint32_t e : analysis.critical_path)
        tasks[static_cast<std::size_t>(all.event(e).name)].on_critical_path_s += duration_of(all.event(e));
    for (const WorkerTime& worker : analysis.workers) {
        for (const IdleTime& idle : worker.idle) {
            if (idle.name < 0) continue;
            auto& names = idle.cause == IdleCause::message ? messages : tasks;
            names[static_cast<std::size_t>(idle.name)].waited_for_s += idle.duration_s();
        }
    }
    for (auto* names : {&tasks, &messages})
        std::erase_if(*names, [](const NameTime& name) { return name.count == 0; });
    for (const NameTime& message : messages) analysis.num_messages += message.count;
    std::ranges::sort(tasks, std::greater(), &NameTime::total_s);
    std::ranges::sort(messages, std::greater(), &NameTime::waited_for_s);
    analysis.names = std::move(tasks);
    analysis.messages = std::move(messages);
}

}  // namespace

double ScheduleAnalysis::share(double seconds) const {
    const double all = makespan_s * static_cast<double>(workers.size());
    return all > 0 ? seconds / all : 0;
}

double ScheduleAnalysis::idle_share(IdleCause cause) const {
    double seconds = 0;
    for (const WorkerTime& worker : workers) seconds += worker.idle_s[static_cast<std::size_t>(cause)];
    return share(seconds);
}

double ScheduleAnalysis::of_the_best_possible() const {
    return makespan_s > 0 ? std::max(area_s, critical_path_s) / makespan_s : 1;
}

ScheduleAnalysis analyse(const Schedule& schedule, const Dependencies& all) {
    ScheduleAnalysis analysis;
    const auto tasks = tasks_of_workers(all, analysis.workers, schedule);
    double start = std::numeric_limits<double>::infinity(), end = -start;
    for (const auto& of_one : tasks) {
        for (const std::uint32_t e : of_one) {
            start = std::min(start, all.event(e).start_s);
            end = std::max(end, all.event(e).end_s);
        }
    }
    if (end < start) return analysis;
    analysis.start_s = start;
    analysis.makespan_s = end - start;
    for (std::size_t w = 0; w < tasks.size(); ++w) {
        WorkerTime& worker = analysis.workers[w];
        IdleCauses causes(all, worker);
        double free_s = start;
        for (const std::uint32_t e : tasks[w]) {
            const ScheduleEvent& event = all.event(e);
            if (event.start_s > free_s) causes.explain(e, free_s, event.start_s);
            worker.busy_s += duration_of(event);
            free_s = std::max(free_s, event.end_s);
        }
        causes.add(IdleCause::end, -1, free_s, end);
        analysis.work_s += worker.busy_s;
    }
    analysis.area_s = analysis.work_s / static_cast<double>(std::max<std::size_t>(tasks.size(), 1));
    find_critical_path(all, analysis);
    count_names(schedule, all, analysis);
    return analysis;
}

std::string describe(const ScheduleAnalysis& analysis) {
    std::vector<std::string> idle, names, messages;
    for (std::size_t c = 0; c < num_idle_causes; ++c) {
        const auto cause = static_cast<IdleCause>(c);
        idle.push_back(fmt::format("{:.1f} % {}", 100 * analysis.idle_share(cause), text(cause)));
    }
    for (std::size_t n = 0; n < std::min<std::size_t>(analysis.names.size(), 5); ++n) {
        const double share = analysis.names[n].total_s / std::max(analysis.work_s, 1e-12);
        names.push_back(fmt::format("{} {:.1f} %", analysis.names[n].name, 100 * share));
    }
    for (const NameTime& message : analysis.messages)
        messages.push_back(
            fmt::format("{} {:.1f} %", message.name, 100 * analysis.waited_for_share(message)));
    return fmt::format(
        "workers were busy {:.1f} % of {:.3f} s ({}); idle: {}{}\n"
        "bounds: {:.3f} s of work for each worker, {:.3f} s on the longest chain of tasks: the best possible "
        "schedule takes at least {:.1f} % of this one's time",
        100 * analysis.busy_share(), analysis.makespan_s, fmt::join(names, ", "), fmt::join(idle, ", "),
        messages.empty() ? "" : fmt::format("; waited for: {}", fmt::join(messages, ", ")), analysis.area_s,
        analysis.critical_path_s, 100 * analysis.of_the_best_possible());
}

}  // namespace tessera
