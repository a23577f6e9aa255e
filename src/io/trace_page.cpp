#include "io/trace_page.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "io/atomic_file.hpp"
#include "io/html.hpp"

namespace tessera {
namespace {

// Zoom with the wheel, drag to move, a double click shows all; what the mouse is on is told below.
constexpr const char* timeline_script = R"js(
"use strict";
const canvas = document.getElementById("timeline"), told = document.getElementById("told");
const rowHeight = 26, left = 110, top_ = 22;
canvas.style.height = top_ + rowHeight * T.rows.length + 8 + "px";
const hue = n => `hsl(${(n * 137.508 + 205) % 360} 52% ${46 + 10 * (n % 3)}%)`;
const idleColour = ["#c0392b", "#b9b2a3", "#8e6bbf", "#d9c77e", "#ececec"];
let t0 = 0, t1 = T.makespan;
const ink = getComputedStyle(document.body).color;
function time(us) {
  return us >= 1e6 ? (us / 1e6).toPrecision(4) + " s" : us >= 1e3 ? (us / 1e3).toPrecision(4) + " ms"
    : us.toPrecision(4) + " µs";
}
function draw() {
  const width = canvas.clientWidth, height = canvas.clientHeight, scale = devicePixelRatio || 1;
  canvas.width = width * scale; canvas.height = height * scale;
  const g = canvas.getContext("2d");
  g.scale(scale, scale); g.clearRect(0, 0, width, height);
  g.font = "12px system-ui, sans-serif"; g.textBaseline = "middle";
  const x = t => left + (t - t0) / (t1 - t0) * (width - left - 8);
  g.fillStyle = ink; g.strokeStyle = ink;
  const least = (t1 - t0) * 90 / width, ten = Math.pow(10, Math.floor(Math.log10(least)));
  const step = ten * [1, 2, 5, 10].find(n => n * ten >= least);
  for (let t = Math.ceil(t0 / step) * step; t <= t1; t += step) {
    g.globalAlpha = 0.15; g.fillRect(x(t), top_, 1, height - top_); g.globalAlpha = 1;
    if (x(t) < width - 60) g.fillText(time(t), x(t) + 3, 11);
  }
  T.rows.forEach((name, r) => g.fillText(name, 4, top_ + r * rowHeight + rowHeight / 2));
  g.save(); g.beginPath(); g.rect(left, 0, width - left, height); g.clip();
  const each = (list, size, paint) => {
    for (let i = 0; i < list.length; i += size) {
      const from = list[i + 1], to = from + list[i + 2];
      if (to < t0 || from > t1) continue;
      paint(i, x(from), Math.max(x(to) - x(from), 0.4), top_ + list[i] * rowHeight);
    }
  };
  each(T.idle, 4, (i, at, w, y) => {
    g.fillStyle = idleColour[T.idle[i + 3]]; g.globalAlpha = 0.45; g.fillRect(at, y + 9, w, rowHeight - 18);
  });
  g.globalAlpha = 1;
  each(T.tasks, 6, (i, at, w, y) => {
    g.fillStyle = hue(T.tasks[i + 3]); g.fillRect(at, y + 2, w, rowHeight - 5);
    if (T.tasks[i + 4]) { g.fillStyle = ink; g.fillRect(at, y + rowHeight - 4, w, 2); }
    if (w > 60) { g.fillStyle = "#fff"; g.fillText(T.names[T.tasks[i + 3]], at + 4, y + rowHeight / 2 - 1, w - 8); }
  });
  g.restore();
}
function at(event) {
  const box = canvas.getBoundingClientRect();
  return { t: t0 + (event.clientX - box.left - left) / (box.width - left - 8) * (t1 - t0),
           row: Math.floor((event.clientY - box.top - top_) / rowHeight) };
}
canvas.addEventListener("wheel", event => {
  event.preventDefault();
  const t = at(event).t, f = Math.exp(event.deltaY * 0.0015);
  t0 = Math.max(0, t - (t - t0) * f); t1 = Math.min(T.makespan, t + (t1 - t) * f); draw();
}, { passive: false });
let grabbed = null;
canvas.addEventListener("mousedown", event => { grabbed = { x: event.clientX, t0, t1 }; });
addEventListener("mouseup", () => { grabbed = null; });
canvas.addEventListener("dblclick", () => { t0 = 0; t1 = T.makespan; draw(); });
canvas.addEventListener("mousemove", event => {
  if (grabbed) {
    const d = (event.clientX - grabbed.x) / (canvas.clientWidth - left - 8) * (grabbed.t1 - grabbed.t0);
    const by = Math.min(Math.max(-d, -grabbed.t0), T.makespan - grabbed.t1);
    t0 = grabbed.t0 + by; t1 = grabbed.t1 + by; draw(); return;
  }
  const p = at(event);
  const find = (list, size) => {
    for (let i = 0; i < list.length; i += size)
      if (list[i] === p.row && list[i + 1] <= p.t && p.t < list[i + 1] + list[i + 2]) return i;
    return -1;
  };
  let i = find(T.tasks, 6);
  if (i >= 0) {
    told.textContent = `${T.rows[p.row]}: ${T.names[T.tasks[i + 3]]}, iteration ${T.tasks[i + 5]}, ` +
      `${time(T.tasks[i + 2])} from ${time(T.tasks[i + 1])}` + (T.tasks[i + 4] ? ", on the longest chain" : "");
    return;
  }
  i = find(T.idle, 4);
  told.textContent = i >= 0 ? `${T.rows[p.row]}: ${T.causes[T.idle[i + 3]]}, ${time(T.idle[i + 2])}` : "";
});
addEventListener("resize", draw);
draw();
)js";

std::string percent(double share) {
    return fmt::format("{:.1f} %", 100 * share);
}

std::string figures(const ScheduleAnalysis& analysis) {
    html::Table table({"figure", "value", "what it says"});
    table.row(
        {"time", fmt::format("{:.4g} s", analysis.makespan_s), "from the first task to the end of the last"});
    table.row({"busy", percent(analysis.busy_share()), "of the workers' time, in tasks"});
    for (std::size_t c = 0; c < num_idle_causes; ++c) {
        const auto cause = static_cast<IdleCause>(c);
        table.row({"idle", percent(analysis.idle_share(cause)), text(cause)});
    }
    table.row({"work", fmt::format("{:.4g} s", analysis.area_s),
               "for each worker, were all always busy: no schedule is shorter"});
    table.row({"longest chain", fmt::format("{:.4g} s", analysis.critical_path_s),
               "of tasks that wait for each other: no schedule is shorter, whatever the number of workers"});
    table.row({"bound", percent(analysis.of_the_best_possible()),
               "the larger of both, of the time taken: 100 % is the best possible"});
    table.row({"messages",
               fmt::format("{} of {:.4g} MiB together", analysis.num_messages,
                           static_cast<double>(analysis.message_bytes) / (1 << 20)),
               "between ranks"});
    for (const NameTime& message : analysis.messages) {
        table.row(
            {"", percent(analysis.waited_for_share(message)),
             fmt::format("of the workers' time waited for: {} ({} messages)", message.name, message.count)});
    }
    return table.text();
}

std::string tasks_by_name(const ScheduleAnalysis& analysis) {
    html::Table table({"operation", "tasks", "mean", "share of the work", "on the longest chain"});
    for (const NameTime& name : analysis.names) {
        table.row({name.name, fmt::format("{}", name.count),
                   fmt::format("{:.1f} µs", 1e6 * name.total_s / static_cast<double>(name.count)),
                   percent(name.total_s / std::max(analysis.work_s, 1e-12)),
                   percent(name.on_critical_path_s / std::max(analysis.critical_path_s, 1e-12))});
    }
    return table.text();
}

std::string joined(const std::vector<std::string>& texts) {
    std::vector<std::string> quoted;
    for (const std::string& text : texts) quoted.push_back(html::script_string(text));
    return fmt::format("[{}]", fmt::join(quoted, ","));
}

// Times in microseconds from the start; tasks as six numbers each, idle times as four.
std::string timeline_data(const Schedule& schedule, const Dependencies& dependencies,
                          const ScheduleAnalysis& analysis, std::size_t max_events) {
    std::vector<std::string> rows, causes;
    std::vector<std::size_t> first_row;
    for (std::size_t r = 0; r < schedule.ranks.size(); ++r) {
        first_row.push_back(rows.size());
        for (const std::string& worker : schedule.ranks[r].workers)
            rows.push_back(schedule.ranks.size() > 1 ? fmt::format("{}: {}", r, worker) : worker);
    }
    for (std::size_t c = 0; c < num_idle_causes; ++c) causes.push_back(text(static_cast<IdleCause>(c)));
    std::vector<bool> is_critical(dependencies.num_events());
    for (const std::uint32_t e : analysis.critical_path) is_critical[e] = true;

    std::vector<std::uint32_t> shown;
    for (std::uint32_t e = 0; e < dependencies.num_events(); ++e) {
        if (dependencies.event(e).kind == EventKind::task) shown.push_back(e);
    }
    std::ranges::sort(shown, {}, [&](std::uint32_t e) { return dependencies.event(e).start_s; });
    if (shown.size() > max_events)
        shown.erase(shown.begin(), shown.end() - static_cast<std::ptrdiff_t>(max_events));
    const double from_s = shown.empty() ? 0 : dependencies.event(shown.front()).start_s;
    std::string tasks, idle;
    for (const std::uint32_t e : shown) {
        const ScheduleEvent& event = dependencies.event(e);
        fmt::format_to(std::back_inserter(tasks), "{},{:.1f},{:.1f},{},{},{},",
                       first_row[dependencies.rank_of(e)] + static_cast<std::size_t>(event.worker),
                       1e6 * (event.start_s - analysis.start_s), 1e6 * (event.end_s - event.start_s),
                       event.name, is_critical[e] ? 1 : 0, event.iteration);
    }
    for (const WorkerTime& worker : analysis.workers) {
        for (const IdleTime& time : worker.idle) {
            if (time.end_s < from_s) continue;
            fmt::format_to(std::back_inserter(idle), "{},{:.1f},{:.1f},{},",
                           first_row[worker.rank] + worker.worker, 1e6 * (time.start_s - analysis.start_s),
                           1e6 * time.duration_s(), static_cast<int>(time.cause));
        }
    }
    return fmt::format("const T = {{rows:{},names:{},causes:{},makespan:{:.1f},tasks:[{}],idle:[{}]}};",
                       joined(rows), joined(schedule.names), joined(causes), 1e6 * analysis.makespan_s, tasks,
                       idle);
}

}  // namespace

void write_trace_page(const std::filesystem::path& file, const std::string& title, const Schedule& schedule,
                      const Dependencies& dependencies, const ScheduleAnalysis& analysis,
                      std::size_t max_events) {
    html::Page page(title);
    page.heading("Where the time went");
    page.add(figures(analysis));
    page.heading("Timelines of the workers");
    page.paragraph(
        "Each colour is an operation; underlined tasks are on the longest chain. Between tasks, why a worker "
        "was "
        "idle: red waiting for messages, grey for tasks of others, violet for submission, yellow scheduling. "
        "Wheel: "
        "zoom; drag: move; double click: all.");
    page.add("<canvas id=\"timeline\"></canvas><p id=\"told\"></p>");
    page.script(timeline_data(schedule, dependencies, analysis, max_events));
    page.script(timeline_script);
    page.heading("Operations");
    page.add(tasks_by_name(analysis));
    write_text_file(file, page.text());
}

}  // namespace tessera
