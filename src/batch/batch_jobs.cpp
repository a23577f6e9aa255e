#include "batch/batch_jobs.hpp"

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>

#include "base/error.hpp"
#include "config/key_values.hpp"
#include "config/same_run.hpp"
#include "config/yaml_reader.hpp"
#include "io/checkpoint_file.hpp"
#include "io/result_file.hpp"

namespace tessera {
namespace {

std::filesystem::path beside(const std::filesystem::path& file, const std::filesystem::path& path) {
    return (file.parent_path() / path).lexically_normal();
}

// For the name of a file: what shells and people read easily.
std::string readable(std::string_view text) {
    std::string name;
    for (const char c : text) {
        const bool stays = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '=' || c == '-' ||
                           c == '.' || static_cast<unsigned char>(c) >= 0x80;
        if (stays || (!name.empty() && name.back() != '_')) name += stays ? c : '_';
    }
    while (!name.empty() && name.back() == '_') name.pop_back();
    const std::size_t first = name.find_first_not_of('.');
    return first == std::string::npos ? "" : name.substr(first);
}

// "num_modes=2" of "probe.num_modes=2"; of a file the stem.
std::string short_name(const std::string& key, const std::string& value) {
    if (key == "scan.file") return readable(std::filesystem::path(value).stem().string());
    return readable(fmt::format("{}={}", key.substr(key.rfind('.') + 1), value));
}

std::vector<std::filesystem::path> files_matching(const std::filesystem::path& batch_file,
                                                  const std::string& pattern) {
    const std::string whole = std::filesystem::absolute(batch_file.parent_path() / pattern).string();
    glob_t found{};
    const int failed = glob(whole.c_str(), 0, nullptr, &found);
    std::vector<std::filesystem::path> files;
    for (std::size_t i = 0; failed == 0 && i < found.gl_pathc; ++i)
        files.push_back(std::filesystem::path(found.gl_pathv[i]).lexically_normal());
    globfree(&found);
    if (files.empty()) throw usage_error("{}: scans: no file matches {}", batch_file.string(), whole);
    return files;  // in alphabetical order
}

BatchJob job_of(const std::filesystem::path& batch_file, const BatchConfig& config,
                const BatchJobConfig& said) {
    BatchJob job;
    job.run_file = beside(batch_file, said.run ? *said.run : *config.run);
    job.overrides = said.set.settings;
    job.name = said.name.value_or("");
    if (!job.name.empty()) return job;
    for (const std::string& setting : said.set.settings) {
        const std::size_t equals = setting.find('=');
        const std::string part = short_name(setting.substr(0, equals), setting.substr(equals + 1));
        job.name += job.name.empty() ? part : fmt::format("_{}", part);
    }
    // Of run files that each job has itself, their names; the run file of all tells nobody apart.
    if (said.run || job.name.empty())
        job.name = readable(fmt::format("{}_{}", job.run_file.stem().string(), job.name));
    return job;
}

std::vector<BatchJob> jobs_before_varying(const std::filesystem::path& file, const BatchConfig& config) {
    std::vector<BatchJob> jobs;
    if (config.scans) {
        for (const auto& scan : files_matching(file, *config.scans)) {
            BatchJobConfig said;
            said.name = readable(scan.stem().string());
            said.set.settings = {fmt::format("scan.file={}", value_text(scan, Rule{}))};
            jobs.push_back(job_of(file, config, said));
        }
    } else if (config.jobs.empty()) {
        jobs.push_back(job_of(file, config, {}));
    }
    for (const BatchJobConfig& said : config.jobs) jobs.push_back(job_of(file, config, said));
    return jobs;
}

// Every combination, the last key varying fastest.
std::vector<BatchJob> varied(std::vector<BatchJob> jobs, const VariedKeys& vary) {
    for (const VariedKey& key : vary.keys) {
        std::vector<BatchJob> more;
        for (const BatchJob& job : jobs) {
            for (const std::string& value : key.values) {
                more.push_back(job);
                more.back().overrides.push_back(fmt::format("{}={}", key.key, value));
                more.back().name += fmt::format("_{}", short_name(key.key, value));
            }
        }
        jobs = std::move(more);
    }
    return jobs;
}

std::vector<BatchJob> jobs_of_folder(const std::filesystem::path& folder) {
    std::vector<BatchJob> jobs;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        const auto extension = entry.path().extension();
        if ((extension != ".yaml" && extension != ".yml") ||
            entry.path().filename().string().starts_with('.'))
            continue;
        jobs.push_back({readable(entry.path().stem().string()), entry.path(), {}, {}});
    }
    if (jobs.empty()) throw usage_error("{}: there is no run file in it (*.yaml)", folder.string());
    std::ranges::sort(jobs, {}, &BatchJob::run_file);
    return jobs;
}

void require_different_names(const std::vector<BatchJob>& jobs, const std::filesystem::path& file) {
    std::map<std::string_view, std::size_t> seen;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        const auto [other, is_new] = seen.emplace(jobs[i].name, i);
        if (!is_new) {
            throw usage_error("{}: jobs {} and {} would both write {} (give one of them another `name`)",
                              file.string(), other->second + 1, i + 1, jobs[i].result.string());
        }
    }
}

bool was_made_with(const std::filesystem::path& result, const RunConfig& config) {
    std::vector<ConfigProblem> problems;
    const RunConfig then =
        parse_run_config(ResultReader(result).without_object().run, result.string(), {}, problems);
    return problems.empty() && keys_of_another_result(then, with_choices_of(then, config)).empty();
}

std::optional<CheckpointManifest> newest_readable_manifest(const std::filesystem::path& folder) {
    for (const auto& path : find_manifests(folder)) {
        try {
            return read_manifest(path);
        } catch (const Error&) {
            continue;  // the run will pass it over as well
        }
    }
    return std::nullopt;
}

// Where there is no checkpoint a run begins again by itself.
bool can_go_on_with(const std::filesystem::path& result, const RunConfig& config) {
    const auto folder = checkpoint_folder(result);
    const auto manifest = newest_readable_manifest(folder);
    if (!manifest) return true;
    try {
        config_to_go_on(config, {manifest->run, folder.string(), manifest->engine, manifest->iteration});
        return true;
    } catch (const Error&) {
        return false;
    }
}

}  // namespace

BatchPlan batch_plan(const std::filesystem::path& file_or_folder, const std::vector<std::string>& overrides,
                     const std::filesystem::path& output) {
    BatchPlan plan;
    if (std::filesystem::is_directory(file_or_folder)) {
        plan.jobs = jobs_of_folder(file_or_folder);
    } else {
        const BatchConfig config = read_batch_config(file_or_folder);
        plan.jobs = varied(jobs_before_varying(file_or_folder, config), config.vary);
        plan.at_once = config.at_once;
        plan.launcher = config.launcher;
    }
    for (BatchJob& job : plan.jobs) {
        job.overrides.insert(job.overrides.begin(), overrides.begin(), overrides.end());
        job.result = output / fmt::format("{}.h5", job.name);
    }
    require_different_names(plan.jobs, file_or_folder);
    return plan;
}

BatchJobBefore look_at_job_before(const BatchJob& job) {
    BatchJobBefore before;
    try {
        const auto sighting = look_at_job(job_file(job.result));
        if (!sighting) return before;
        before.status = sighting->status;
        const JobStatus& status = sighting->status;
        const bool failed_for_its_input =
            status.state == JobState::failed && status.exit_code != static_cast<int>(ExitCode::runtime);
        if (failed_for_its_input) return before;
        if (status.state != JobState::done) before.remaining = Remaining::the_rest;
        const RunConfig config = read_run_config(job.run_file, job.overrides);
        if (status.state != JobState::done) {
            if (!can_go_on_with(job.result, config)) before.remaining = Remaining::all;
        } else if (was_made_with(job.result, config)) {
            before.remaining = Remaining::nothing;
        }
    } catch (const Error&) {
        // A run file, a result or a job file that cannot be read: the run will say so itself.
    }
    return before;
}

}  // namespace tessera
