#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"

// One function per subcommand, each in the file of its name. They throw tessera::Error; main() turns it into
// a message and an exit code.
namespace tessera::app {

struct ReconstructOptions {
    std::filesystem::path run_file;
    std::vector<std::string> overrides;           // --set key=value
    std::optional<std::filesystem::path> output;  // --output, before output.file of the run file
    bool resume = false;                          // go on from the last checkpoint, if there is one
    bool take_turns = false;                      // wait to be told to begin: app/turn.hpp
};
ExitCode reconstruct(const ReconstructOptions& options);

struct CheckOptions {
    std::filesystem::path run_file;
    std::vector<std::string> overrides;
    int num_ranks = 1;
};
ExitCode check(const CheckOptions& options);

struct ForecastOptions {
    std::filesystem::path run_file;
    std::vector<std::string> overrides;
    std::filesystem::path machine_file;
    std::vector<std::string> machine_overrides;
    std::optional<int> num_nodes;                // instead of the machine file's
    int num_iter = 6;                            // iterations to simulate; the first does not count
    std::optional<std::filesystem::path> trace;  // instead of runtime.trace
    bool model = false;                          // list the tasks instead of simulating them
};
ExitCode forecast(const ForecastOptions& options);

struct SimulateOptions {
    std::filesystem::path file;
    std::vector<std::string> overrides;
    std::optional<std::filesystem::path> output;
};
ExitCode simulate(const SimulateOptions& options);

struct TuneOptions {
    std::filesystem::path run_file;
    std::vector<std::string> overrides;
    std::filesystem::path output = "tune";  // a folder
};
ExitCode tune(const TuneOptions& options);

struct BatchOptions {
    std::filesystem::path jobs;  // a batch file, or a folder of run files
    std::vector<std::string> overrides;
    std::filesystem::path output = "batch";  // a folder
};
ExitCode batch(const BatchOptions& options);

ExitCode status(const std::filesystem::path& file);

ExitCode inspect(const std::filesystem::path& file);

struct CompareOptions {
    std::filesystem::path first, second;  // results, or scans with a truth
};
ExitCode compare(const CompareOptions& options);

}  // namespace tessera::app
