#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "io/job_file.hpp"

namespace tessera {

// One reconstruction of a batch.
struct BatchJob {
    std::string name;  // of its files: result NAME.h5, log NAME.log
    std::filesystem::path run_file;
    std::vector<std::string> overrides;  // "key=value"
    std::filesystem::path result;
};

struct BatchPlan {
    std::vector<BatchJob> jobs;
    int at_once = 1;
    std::optional<std::string> launcher;
};

// From a batch file, or from a folder: each run file in it (*.yaml, *.yml) is a job. `overrides` are for all
// jobs, results are in `output`. Names are the stems of run files or scans, with the varied keys where there
// are any; two jobs of one name are a usage Error. Whether run files can be read is not looked at: each job
// says that for itself.
BatchPlan batch_plan(const std::filesystem::path& file_or_folder, const std::vector<std::string>& overrides,
                     const std::filesystem::path& output);

// What an earlier run of a job has left to do, as its result and its job file say.
enum class Remaining {
    nothing,   // the result is there, made with these settings
    the_rest,  // it was stopped, killed or failed for reasons of the machine, and can be resumed
    all        // it has never run, with other settings, or failed for its input or settings
};
struct BatchJobBefore {
    Remaining remaining = Remaining::all;
    std::optional<JobStatus> status;  // how it ended
};
BatchJobBefore look_at_job_before(const BatchJob& job);

}  // namespace tessera
