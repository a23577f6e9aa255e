#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "config/run_config.hpp"

// The file of `tessera batch`: which scans to reconstruct, and how. Like the run file one member per key.
namespace tessera {

// What --set takes, "key=value"; a map in the file.
struct KeySettings {
    std::vector<std::string> settings;
    bool operator==(const KeySettings&) const = default;
};

struct BatchJobConfig {
    std::optional<std::string> name;           // of its result; null: made from what tells it from others
    std::optional<std::filesystem::path> run;  // null: that of all
    KeySettings set;
    bool operator==(const BatchJobConfig&) const = default;
};

struct BatchConfig {
    std::optional<std::filesystem::path>
        run;                           // the run file; relative to the folder of this one, like all paths
    std::optional<std::string> scans;  // a pattern, "../scans/*.cxi": a job for each file
    std::vector<BatchJobConfig> jobs;  // or these
    VariedKeys vary;                   // every combination, for each of them
    int at_once = 1;                   // jobs that compute at the same time, each with its share of the cores
    std::optional<std::string> launcher;  // before the program, such as `mpirun -n 4`
    bool operator==(const BatchConfig&) const = default;
};

}  // namespace tessera
