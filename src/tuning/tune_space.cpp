#include "tuning/tune_space.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>

#include "base/error.hpp"
#include "config/yaml_reader.hpp"

namespace tessera {
namespace {

// What is worth a try on any machine.
VariedKeys usual_keys() {
    return {{{"runtime.scheduler", {"lws", "eager", "prio"}},
             {"tiling.batch_size", {"5", "10", "20", "40"}},
             {"tiling.tiles", {"[1, 1]", "[2, 2]"}},
             {"runtime.waves", {"keep", "recompute"}},
             {"runtime.submit_ahead", {"1", "3", "6"}}}};
}

}  // namespace

std::size_t TuneSpace::num_points() const {
    std::size_t product = 1;
    for (const TuneAxis& axis : axes) {
        if (product > SIZE_MAX / axis.values.size()) return SIZE_MAX;
        product *= axis.values.size();
    }
    return product;
}

std::vector<TunePoint> TuneSpace::all_points() const {
    std::vector<TunePoint> points = {as_in_the_run_file()};
    for (std::size_t a = 0; a < axes.size(); ++a) {
        const std::size_t before = points.size();
        for (std::size_t v = 1; v < axes[a].values.size(); ++v) {
            for (std::size_t p = 0; p < before; ++p) {
                points.push_back(points[p]);
                points.back()[a] = v;
            }
        }
    }
    return points;
}

std::vector<std::string> TuneSpace::overrides(const TunePoint& point) const {
    std::vector<std::string> all;
    for (std::size_t a = 0; a < axes.size(); ++a) {
        if (point[a] > 0) all.push_back(fmt::format("{}={}", axes[a].key, axes[a].values[point[a]]));
    }
    return all;
}

std::string TuneSpace::name(const TunePoint& point) const {
    const auto set = overrides(point);
    return set.empty() ? "as in the run file" : fmt::format("{}", fmt::join(set, ", "));
}

TuneSpace tune_space(const std::filesystem::path& run_file, const std::vector<std::string>& overrides,
                     const TuneConfig& tune) {
    const VariedKeys varied = tune.vary.keys.empty() ? usual_keys() : tune.vary;
    std::vector<RunConfig> known = {read_run_config(run_file, overrides)};
    std::vector<std::string> complaints;
    TuneSpace space;
    for (const VariedKey& key : varied.keys) {
        TuneAxis axis{key.key, {""}};
        known.resize(1);
        for (const std::string& value : key.values) {
            auto all = overrides;
            all.push_back(fmt::format("{}={}", key.key, value));
            std::vector<ConfigProblem> problems;
            const RunConfig config = read_run_config(run_file, all, problems);
            for (const ConfigProblem& problem : problems)
                complaints.push_back(fmt::format("tune.vary: {}", problem.text()));
            if (!problems.empty() || std::ranges::find(known, config) != known.end()) continue;
            known.push_back(config);
            axis.values.push_back(value);
        }
        if (axis.values.size() > 1) space.axes.push_back(std::move(axis));
    }
    if (!complaints.empty()) throw usage_error("{}", fmt::join(complaints, "\n"));
    if (space.axes.empty())
        throw usage_error("{}: tune.vary: all values are the run file's own: there is nothing to compare",
                          run_file.string());
    return space;
}

}  // namespace tessera
