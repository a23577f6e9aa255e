#include "batch/batch_table.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/log.hpp"
#include "io/atomic_file.hpp"
#include "io/csv.hpp"

namespace tessera {
namespace {

std::string_view word(BatchOutcome outcome) {
    switch (outcome) {
        case BatchOutcome::waiting:
            return "waiting";
        case BatchOutcome::running:
            return "running";
        case BatchOutcome::done:
            return "done";
        case BatchOutcome::done_before:
            return "done before";
        case BatchOutcome::failed:
            return "failed";
        case BatchOutcome::stopped:
            return "stopped";
    }
    return "";
}

// One description of the columns for both files: visit(name, text, is_text).
template <class Visit>
void for_each_column(const BatchEntry& entry, const Visit& visit) {
    const auto number = [](double value) { return fmt::format("{:.9g}", value); };
    const auto seconds = [](double value) { return fmt::format("{:.3f}", value); };
    visit("name", entry.job.name, true);
    visit("state", std::string(word(entry.outcome)), true);
    visit("exit_code", fmt::format("{}", entry.exit_code), false);
    visit("iterations", fmt::format("{}", entry.iterations), false);
    visit("cost", number(entry.cost), false);
    visit("data_error", number(entry.data_error), false);
    visit("begin_s", seconds(entry.begin_s), false);
    visit("compute_s", seconds(entry.compute_s), false);
    visit("end_s", seconds(entry.end_s), false);
    visit("run_file", entry.job.run_file.string(), true);
    visit("settings", fmt::format("{}", fmt::join(entry.job.overrides, "; ")), true);
    visit("result", entry.job.result.string(), true);
    visit("message", entry.message, true);
}

std::string csv(const std::vector<BatchEntry>& entries) {
    std::vector<std::string> names;
    for_each_column(BatchEntry{},
                    [&](const char* name, const std::string&, bool) { names.emplace_back(name); });
    std::string text = fmt::format("{}\n", fmt::join(names, ","));
    for (const BatchEntry& entry : entries) {
        std::vector<std::string> fields;
        for_each_column(
            entry, [&](const char*, const std::string& field, bool) { fields.push_back(csv_field(field)); });
        text += fmt::format("{}\n", fmt::join(fields, ","));
    }
    return text;
}

std::string json(const std::vector<BatchEntry>& entries) {
    std::vector<std::string> rows;
    for (const BatchEntry& entry : entries) {
        std::vector<std::string> fields;
        for_each_column(entry, [&](const char* name, const std::string& field, bool is_text) {
            const bool is_finite = field.find_first_of("in") == std::string::npos;  // neither inf nor nan
            fields.push_back(fmt::format(R"("{}": {})", name,
                                         is_text     ? log::json_string(field)
                                         : is_finite ? field
                                                     : std::string("null")));
        });
        rows.push_back(fmt::format("{{{}}}", fmt::join(fields, ", ")));
    }
    return fmt::format("[\n {}\n]\n", fmt::join(rows, ",\n "));
}

std::string first_line(const std::string& text) {
    return text.substr(0, text.find('\n'));
}

}  // namespace

void write_batch_table(const std::filesystem::path& folder, const std::vector<BatchEntry>& entries) {
    write_text_file(folder / "table.csv", csv(entries));
    write_text_file(folder / "table.json", json(entries));
}

std::vector<std::string> batch_table_lines(const std::vector<BatchEntry>& entries) {
    std::size_t width = 0;
    for (const BatchEntry& entry : entries) width = std::max(width, entry.job.name.size());
    std::vector<std::string> lines;
    for (const BatchEntry& entry : entries) {
        std::string line = fmt::format("{:<{}}  {:<11}", entry.job.name, width, word(entry.outcome));
        if (entry.iterations > 0)
            line += fmt::format("  {:>6} iterations, data error {:.4g}", entry.iterations, entry.data_error);
        if (entry.outcome == BatchOutcome::done)
            line += fmt::format(", {:.1f} s", entry.end_s - entry.begin_s);
        if (entry.outcome == BatchOutcome::failed)
            line += fmt::format("  exit code {}: {}", entry.exit_code, first_line(entry.message));
        lines.push_back(line);
    }
    return lines;
}

}  // namespace tessera
