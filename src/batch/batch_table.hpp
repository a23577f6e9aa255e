#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "batch/batch_jobs.hpp"

namespace tessera {

enum class BatchOutcome { waiting, running, done, done_before, failed, stopped };

// What became of a job.
struct BatchEntry {
    BatchJob job;
    BatchOutcome outcome = BatchOutcome::waiting;
    int exit_code = 0;  // of its process; 128 and the signal's number where one has ended it
    int iterations = 0;
    double cost = 0, data_error = 0;
    double begin_s = 0, compute_s = 0,
           end_s = 0;     // since the batch began: its process, its iterations, its end
    std::string message;  // why it failed

    bool has_result() const { return outcome == BatchOutcome::done || outcome == BatchOutcome::done_before; }
};

// table.csv and table.json in the folder: a row for each job.
void write_batch_table(const std::filesystem::path& folder, const std::vector<BatchEntry>& entries);

// For people, a line for each.
std::vector<std::string> batch_table_lines(const std::vector<BatchEntry>& entries);

}  // namespace tessera
