#include "io/paje_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "io/atomic_file.hpp"

namespace tessera {
namespace {

// The events that are used, with the numbers by which they are called below.
constexpr const char* header = R"(%EventDef PajeDefineContainerType 1
% Alias string
% Type string
% Name string
%EndEventDef
%EventDef PajeDefineStateType 2
% Alias string
% Type string
% Name string
%EndEventDef
%EventDef PajeDefineEntityValue 3
% Alias string
% Type string
% Name string
% Color color
%EndEventDef
%EventDef PajeCreateContainer 4
% Time date
% Alias string
% Type string
% Container string
% Name string
%EndEventDef
%EventDef PajeDestroyContainer 5
% Time date
% Name string
% Type string
%EndEventDef
%EventDef PajeSetState 6
% Time date
% Type string
% Container string
% Value string
%EndEventDef
1 R 0 Rank
1 W R Worker
2 S W Task
)";

constexpr std::array<const char*, 8> colours = {"0.18 0.42 0.64", "0.85 0.44 0.17", "0.25 0.58 0.36",
                                                "0.73 0.25 0.32", "0.48 0.38 0.65", "0.55 0.41 0.30",
                                                "0.80 0.52 0.71", "0.66 0.63 0.20"};

}  // namespace

void write_paje_file(const std::filesystem::path& file, const Schedule& schedule,
                     const ScheduleAnalysis& analysis) {
    std::string text = header;
    const auto out = std::back_inserter(text);
    for (std::size_t n = 0; n < schedule.names.size(); ++n)
        fmt::format_to(out, "3 n{} S \"{}\" \"{}\"\n", n, schedule.names[n], colours[n % colours.size()]);
    text += "3 idle S \"idle\" \"0.93 0.93 0.93\"\n";

    struct Change {
        double time_s;
        std::string what;
    };
    std::vector<Change> changes;
    for (std::size_t r = 0; r < schedule.ranks.size(); ++r) {
        const RankSchedule& rank = schedule.ranks[r];
        fmt::format_to(out, "4 0 r{} R 0 \"rank {}\"\n", r, r);
        for (std::size_t w = 0; w < rank.workers.size(); ++w)
            fmt::format_to(out, "4 0 r{}w{} W r{} \"{}\"\n", r, w, r, rank.workers[w]);
        for (const ScheduleEvent& event : rank.events) {
            if (event.kind != EventKind::task) continue;
            changes.push_back({event.start_s, fmt::format("S r{}w{} n{}", r, event.worker, event.name)});
        }
    }
    for (const WorkerTime& worker : analysis.workers) {
        for (const IdleTime& idle : worker.idle)
            changes.push_back({idle.start_s, fmt::format("S r{}w{} idle", worker.rank, worker.worker)});
    }
    std::ranges::stable_sort(changes, {}, &Change::time_s);
    for (const Change& change : changes)
        fmt::format_to(out, "6 {:.9f} {}\n", change.time_s - analysis.start_s, change.what);
    for (std::size_t r = schedule.ranks.size(); r-- > 0;) {
        for (std::size_t w = 0; w < schedule.ranks[r].workers.size(); ++w)
            fmt::format_to(out, "5 {:.9f} r{}w{} W\n", analysis.makespan_s, r, w);
        fmt::format_to(out, "5 {:.9f} r{} R\n", analysis.makespan_s, r);
    }
    write_text_file(file, text);
}

}  // namespace tessera
