#include "app/forecast_report.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <numeric>
#include <utility>

#include "base/log.hpp"
#include "tasks/engines.hpp"

namespace tessera::app {
namespace {

constexpr double mebibyte = 1 << 20;

// When the iteration was over everywhere: its record is the last that depends on all ranks.
double end_of(const Schedule& schedule, int iteration) {
    double end_s = 0;
    for (const RankSchedule& rank : schedule.ranks) {
        for (const ScheduleEvent& event : rank.events) {
            const bool is_record = event.kind == EventKind::task &&
                                   schedule.names[static_cast<std::size_t>(event.name)] == "record";
            if (is_record && event.iteration == iteration) end_s = std::max(end_s, event.end_s);
        }
    }
    return end_s;
}

bool is_strip(const std::string& message) {
    return message == "halo strip" || message == "overlap strip" || message == "coupled voxels";
}

// The part of a schedule that counts. Iterations overlap: tasks of the next begin before the last is over.
struct Window {
    int first_iteration = 0;  // of which tasks and messages are counted
    double start_s = 0, end_s = 0;

    double part_of(const IdleTime& idle) const {
        return std::max(std::min(idle.end_s, end_s) - std::max(idle.start_s, start_s), 0.0);
    }
};

struct Figures {
    double iteration_s = 0;
    double busy = 0, strips = 0, other_messages = 0;
    std::array<double, num_idle_causes> idle{};
    std::vector<std::pair<double, std::string>> tasks_waited_for;  // by falling share
    double mean_sent = 0, most_sent = 0;                           // bytes of a rank in an iteration
    double network_share = 0;                                      // of the busiest node's link
    std::size_t num_tasks = 0, num_messages = 0;                   // in all
};

void count_time(const Window& window, const Schedule& schedule, const ScheduleAnalysis& analysis,
                Figures& f) {
    const double all_s = (window.end_s - window.start_s) * static_cast<double>(analysis.workers.size());
    f.busy = 1;
    std::map<std::int32_t, double> tasks;
    for (const WorkerTime& worker : analysis.workers) {
        for (const IdleTime& idle : worker.idle) {
            const double share = window.part_of(idle) / all_s;
            f.busy -= share;
            f.idle[static_cast<std::size_t>(idle.cause)] += share;
            if (idle.cause == IdleCause::other_task) tasks[idle.name] += share;
            if (idle.cause != IdleCause::message) continue;
            (is_strip(schedule.names[static_cast<std::size_t>(idle.name)]) ? f.strips : f.other_messages) +=
                share;
        }
    }
    for (const auto& [name, share] : tasks)
        f.tasks_waited_for.emplace_back(share, schedule.names[static_cast<std::size_t>(name)]);
    std::ranges::sort(f.tasks_waited_for, std::greater());
}

void count_bytes(const Window& window, const Schedule& schedule, int num_iter, Figures& f) {
    std::vector<double> sent(schedule.ranks.size());
    for (std::size_t r = 0; r < sent.size(); ++r) {
        for (const ScheduleEvent& event : schedule.ranks[r].events) {
            ++(event.kind == EventKind::task ? f.num_tasks : f.num_messages);
            if (event.kind != EventKind::send || event.iteration < window.first_iteration) continue;
            sent[r] += static_cast<double>(event.bytes) / num_iter;
        }
    }
    f.num_messages /= 2;
    f.mean_sent = std::accumulate(sent.begin(), sent.end(), 0.0) / static_cast<double>(sent.size());
    f.most_sent = *std::max_element(sent.begin(), sent.end());
}

Figures figures_of(const ForecastRun& run, const Schedule& schedule) {
    const ScheduleAnalysis analysis = analyse(schedule, Dependencies(schedule));
    const int num_iter = run.num_iter - 1;
    const Window window = {1, end_of(schedule, 0), end_of(schedule, num_iter)};
    Figures f;
    f.iteration_s = (window.end_s - window.start_s) / num_iter;
    count_time(window, schedule, analysis, f);
    count_bytes(window, schedule, num_iter, f);
    f.network_share = f.most_sent / (run.machine.network.gb_per_s * 1e9) / f.iteration_s;
    return f;
}

double idle(const Figures& f, IdleCause cause) {
    return f.idle[static_cast<std::size_t>(cause)];
}

std::string tasks_for_programs(const Figures& f) {
    std::vector<std::string> fields;
    for (const auto& [share, task] : f.tasks_waited_for)
        fields.push_back(fmt::format("{}:{:.6f}", log::json_string(task), share));
    return fmt::format("{{{}}}", fmt::join(fields, ","));
}

std::string for_programs(const ForecastRun& run, const Figures& f) {
    return fmt::format(
        R"("model":{},"ranks":{},"iteration_s":{:.9g},"busy":{:.6f},"waiting_for_strips":{:.6f},)"
        R"("waiting_for_other_messages":{:.6f},"waiting_for_tasks":{:.6f},"waiting_for_submission":{:.6f},)"
        R"("scheduling":{:.6f},"nothing_left":{:.6f},"sent_bytes_mean":{:.0f},"sent_bytes_most":{:.0f},)"
        R"("memory_bytes":{},"gpu_memory_bytes":{},"tasks":{},"messages":{},"waited_for":{})",
        run.is_modelled, run.machine.nodes, f.iteration_s, f.busy, f.strips, f.other_messages,
        idle(f, IdleCause::other_task), idle(f, IdleCause::submission), idle(f, IdleCause::scheduling),
        idle(f, IdleCause::end), f.mean_sent, f.most_sent, run.problem.memory.total_bytes(),
        run.problem.gpu_memory.total_bytes(), f.num_tasks, f.num_messages, tasks_for_programs(f));
}

std::string link_lines(const ForecastRun& run) {
    constexpr std::array<const char*, 3> names = {"host to GPUs", "GPUs to host", "between GPUs"};
    std::string text;
    for (std::size_t kind = 0; kind < names.size(); ++kind) {
        double all = 0, most = 0;
        for (const LinkTraffic& link : run.links) {
            if (link.kind != static_cast<LinkKind>(kind)) continue;
            all += link.bytes;
            most = std::max(most, link.bytes);
        }
        if (all == 0) continue;
        text += fmt::format("\n  {:10} {:.2f} MiB in all {} iterations, {:.2f} over the busiest link",
                            names[kind], all / mebibyte, run.num_iter, most / mebibyte);
    }
    return text;
}

std::string memory_line(const Problem& problem, int num_ranks) {
    const std::vector<std::size_t> ranks =
        num_ranks > 1 ? forecast_memory_of_ranks(problem) : std::vector{problem.memory.total_bytes()};
    std::string text =
        fmt::format("memory     a rank needs {:.0f} MiB at most",
                    static_cast<double>(*std::max_element(ranks.begin(), ranks.end())) / mebibyte);
    if (problem.machine.num_gpus > 0) {
        text += fmt::format(", a GPU {:.0f} MiB of {:.0f}",
                            static_cast<double>(problem.gpu_memory.total_bytes()) / mebibyte,
                            static_cast<double>(problem.machine.gpu_memory_bytes) / mebibyte);
    }
    return text;
}

std::string tasks_waited_for(const Figures& f) {
    std::string text;
    for (std::size_t i = 0; i < std::min<std::size_t>(f.tasks_waited_for.size(), 3); ++i) {
        const auto& [share, task] = f.tasks_waited_for[i];
        if (share > 0.001) text += fmt::format("{}{} {:.2f}", text.empty() ? " (" : ", ", task, 100 * share);
    }
    return text.empty() ? text : text + ")";
}

std::string for_people(const ForecastRun& run, const Figures& f) {
    const auto percent = [](double share) { return 100 * share; };
    const int nodes = run.machine.nodes;
    const char* engine = name(run.problem.config.engines[0].name);
    return fmt::format(
        "{}, not computed: {} on {} node{} of '{}'\n"
        "  time       {:.3f} ms an iteration\n"
        "  workers    {}{}\n"
        "  busy       {:.1f} %\n"
        "  idle       {:.2f} % waiting for strips of neighbours, {:.2f} % for other messages,\n"
        "             {:.2f} % for tasks of others{},\n"
        "             {:.2f} % for submission, {:.2f} % scheduling and copies, {:.2f} % nothing left to do\n"
        "  network    a node sends {:.3f} MiB an iteration, {:.3f} at most, which is {:.2f} % of what its "
        "link "
        "can{}\n"
        "  {}\n"
        "  durations  {}\n"
        "  left out   reading the scan, results, checkpoints; {}",
        run.is_modelled ? "modelled" : "simulated", engine, nodes, nodes == 1 ? "" : "s", run.machine.name,
        1e3 * f.iteration_s, nodes > 1 ? "each of the ranks: " : "", run.workers, percent(f.busy),
        percent(f.strips), percent(f.other_messages), percent(idle(f, IdleCause::other_task)),
        tasks_waited_for(f), percent(idle(f, IdleCause::submission)), percent(idle(f, IdleCause::scheduling)),
        percent(idle(f, IdleCause::end)), f.mean_sent / mebibyte, f.most_sent / mebibyte,
        percent(f.network_share), link_lines(run), memory_line(run.problem, nodes),
        fmt::join(run.durations, "\n             "),
        run.is_modelled ? "the program's own time; limits of a GPU's memory"
                        : "the program's own time but for StarPU's model of it");
}

}  // namespace

void report(const ForecastRun& run, const Schedule& schedule) {
    const Figures figures = figures_of(run, schedule);
    log::event("forecast", for_programs(run, figures), for_people(run, figures));
}

}  // namespace tessera::app
