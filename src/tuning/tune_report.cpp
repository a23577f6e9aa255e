#include "tuning/tune_report.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/log.hpp"
#include "io/atomic_file.hpp"
#include "io/csv.hpp"
#include "io/html.hpp"

namespace tessera {
namespace {

const std::string& value_of(const TuneSpace& space, const TunePoint& point, std::size_t axis) {
    static const std::string own = "as in the run file";
    return point[axis] == 0 ? own : space.axes[axis].values[point[axis]];
}

std::string csv(const TuneReport& report) {
    std::string text;
    for (const TuneAxis& axis : report.space.axes) text += csv_field(axis.key) + ",";
    text += "median_s,least_s,most_s,repetitions,failure\n";
    for (const PointTime& time : report.times) {
        for (std::size_t a = 0; a < report.space.axes.size(); ++a)
            text += csv_field(value_of(report.space, time.point, a)) + ",";
        if (time.failure.empty()) {
            const auto [least, most] = std::ranges::minmax(time.run_s);
            text +=
                fmt::format("{:.6g},{:.6g},{:.6g},{},\n", time.median_s(), least, most, time.run_s.size());
        } else {
            text += fmt::format(",,,{},{}\n", time.run_s.size(), csv_field(time.failure));
        }
    }
    return text;
}

std::string json(const TuneReport& report) {
    std::vector<std::string> points;
    for (const PointTime& time : report.times) {
        std::vector<std::string> settings;
        for (std::size_t a = 0; a < report.space.axes.size(); ++a) {
            if (time.point[a] > 0) {
                settings.push_back(fmt::format("{}: {}", log::json_string(report.space.axes[a].key),
                                               log::json_string(report.space.axes[a].values[time.point[a]])));
            }
        }
        points.push_back(fmt::format(R"({{"settings": {{{}}}, "run_s": [{:.6g}], "failure": {}}})",
                                     fmt::join(settings, ", "), fmt::join(time.run_s, ", "),
                                     log::json_string(time.failure)));
    }
    return fmt::format(
        "{{\"complete\": {},\n \"best\": {},\n \"confirmed_ratios\": [{:.6g}],\n \"points\": [\n  {}\n ]}}\n",
        report.is_complete, log::json_string(report.space.name(report.best)), fmt::join(report.ratios, ", "),
        fmt::join(points, ",\n  "));
}

// Horizontal bars on a common scale, with what the repetitions span.
class BarChart {
  public:
    void add(const std::string& label, const std::vector<double>& seconds, bool is_own) {
        bars_.push_back({label, seconds, is_own});
        for (const double s : seconds) most_ = std::max(most_, s);
    }
    std::string svg() const {
        constexpr double left = 430, width = 560, row = 22;
        const double height = row * static_cast<double>(bars_.size()) + 8;
        std::string text = fmt::format(
            R"(<svg viewBox="0 0 1100 {0}" width="1100" height="{0}" font-size="13" font-family="system-ui">)",
            height);
        for (std::size_t i = 0; i < bars_.size(); ++i) {
            const Bar& bar = bars_[i];
            const double y = row * static_cast<double>(i) + 4, middle = median(bar.seconds);
            const auto x = [&](double s) { return left + width * s / most_; };
            const auto [least, most] = std::ranges::minmax(bar.seconds);
            text +=
                fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="end" fill="currentColor">{}</text>)",
                            left - 8, y + 13, html::escaped(bar.label));
            text += fmt::format(R"(<rect x="{}" y="{:.1f}" width="{:.1f}" height="14" fill="{}"/>)", left,
                                y + 2, x(middle) - left, bar.is_own ? "#c8843c" : "#4a7fb0");
            text += fmt::format(
                R"(<path d="M{0:.1f} {2:.1f}H{1:.1f}" stroke="currentColor" stroke-width="1.5"/>)", x(least),
                x(most), y + 9);
            text += fmt::format(R"(<text x="{:.1f}" y="{:.1f}" fill="currentColor">{:.4g} s</text>)",
                                x(most) + 6, y + 13, middle);
        }
        return text + "</svg>";
    }

  private:
    struct Bar {
        std::string label;
        std::vector<double> seconds;
        bool is_own;
    };
    std::vector<Bar> bars_;
    double most_ = std::numeric_limits<double>::min();
};

constexpr std::size_t max_bars = 30;

std::string fastest_points(const TuneReport& report) {
    BarChart chart;
    std::size_t shown = 0;
    for (const PointTime& time : report.times) {
        const bool is_own = time.point == report.space.as_in_the_run_file();
        if (!time.failure.empty() || (shown >= max_bars && !is_own)) continue;
        chart.add(report.space.name(time.point), time.run_s, is_own);
        ++shown;
    }
    return chart.svg();
}

// The best that was found with each value of a key.
std::string of_each_value(const TuneReport& report, std::size_t axis) {
    BarChart chart;
    for (std::size_t v = 0; v < report.space.axes[axis].values.size(); ++v) {
        const auto best = std::ranges::find_if(report.times, [&](const PointTime& time) {
            return time.point[axis] == v && time.failure.empty();
        });
        if (best != report.times.end())
            chart.add(value_of(report.space, best->point, axis), best->run_s, v == 0);
    }
    return chart.svg();
}

std::string page(const TuneReport& report) {
    html::Page page(report.title);
    page.paragraph(report.about);
    page.heading("Verdict");
    page.paragraph(report.verdict());
    page.paragraph("Best settings: " + report.space.name(report.best));
    page.heading("Settings by time");
    page.paragraph(
        fmt::format("What the whole run would take at the speed of {} iterations of each engine after {} to "
                    "warm up: the median of "
                    "the repetitions; the line is their span. Orange: the run file's own settings.",
                    report.tune.num_iter, report.tune.warm_up));
    page.add(fastest_points(report));
    for (std::size_t a = 0; a < report.space.axes.size(); ++a) {
        page.heading(fmt::format("The best with each {}", report.space.axes[a].key));
        page.add(of_each_value(report, a));
    }
    html::Table failures({"settings", "failure"});
    bool is_any = false;
    for (const PointTime& time : report.times) {
        if (time.failure.empty()) continue;
        failures.row({report.space.name(time.point), time.failure});
        is_any = true;
    }
    if (is_any) {
        page.heading("What did not run");
        page.add(failures.text());
    }
    return page.text();
}

}  // namespace

std::string TuneReport::verdict() const {
    if (!is_complete) return "The sweep was interrupted: the same command goes on with it.";
    if (best == space.as_in_the_run_file()) return "Nothing was faster than the run file's own settings.";
    if (ratios.empty()) return "The best settings failed when they were measured again.";
    const auto [least, most] = std::ranges::minmax(ratios);
    const std::string measured = fmt::format(
        "{:.3g} x as fast as the run file's own settings ({:.3g} to {:.3g} in {} pairs, measured "
        "again side by side)",
        median(ratios), least, most, ratios.size());
    return least > 1 ? measured : "No clear gain: " + measured;
}

void write_tune_report(const std::filesystem::path& folder, const TuneReport& report) {
    write_text_file(folder / "table.csv", csv(report));
    write_text_file(folder / "table.json", json(report));
    write_text_file(folder / "index.html", page(report));
}

}  // namespace tessera
