#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "config/run_config.hpp"

namespace tessera {

// A key of the run file with the values to try. The first is the run file's own, written as "".
struct TuneAxis {
    std::string key;
    std::vector<std::string> values;  // YAML
};

// One choice for each axis: indices into their values. All zero: the run file as it is.
using TunePoint = std::vector<std::size_t>;

struct TuneSpace {
    std::vector<TuneAxis> axes;

    TunePoint as_in_the_run_file() const { return TunePoint(axes.size(), 0); }
    std::size_t num_points() const;  // SIZE_MAX where there are more
    std::vector<TunePoint> all_points() const;
    // "key=value", for each axis that is not as in the run file: what --set takes.
    std::vector<std::string> overrides(const TunePoint& point) const;
    // For people: "tiling.batch_size=10, runtime.cpus=2", or "as in the run file".
    std::string name(const TunePoint& point) const;
};

// From the run file's tune block (or a selection where it varies nothing). Values that come to the same
// configuration as the run file's own, or as one before, are left out, and so are keys without others. A
// usage Error names all values that the run file does not take.
TuneSpace tune_space(const std::filesystem::path& run_file, const std::vector<std::string>& overrides,
                     const TuneConfig& tune);

}  // namespace tessera
