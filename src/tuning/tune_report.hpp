#pragma once

#include <filesystem>
#include <string>

#include "tuning/tune_search.hpp"

namespace tessera {

// What a sweep has found so far.
struct TuneReport {
    std::string title;
    std::string about;  // machine and program
    TuneSpace space;
    TuneConfig tune;
    std::vector<PointTime> times;  // fastest first
    TunePoint best;
    std::vector<double> ratios;  // confirmed: as in the run file / best
    bool is_complete = false;

    // "1.21 x as fast as the run file's own settings (1.18 to 1.25 in 5 pairs, measured again side by side)"
    std::string verdict() const;
};

// table.csv, table.json and index.html (which needs nothing else) into the folder. Runtime error where they
// cannot be written.
void write_tune_report(const std::filesystem::path& folder, const TuneReport& report);

}  // namespace tessera
