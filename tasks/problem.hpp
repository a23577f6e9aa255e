#pragma once

#include <filesystem>
#include <vector>

#include "base/array.hpp"
#include "codelets/layout.hpp"
#include "config/run_config.hpp"
#include "io/scan_reader.hpp"
#include "math/complex.hpp"
#include "scan/positions.hpp"
#include "tiling/forecast.hpp"
#include "tiling/tiling.hpp"

namespace tessera {

// Everything about a reconstruction that is known before its frames are read: the scan, where its windows
// fall, how the object is tiled, what will be kept. `check` stops here, `reconstruct` goes on.
struct Problem {
    RunConfig config;
    ScanInfo scan;
    std::array<int, 2> probe_shape = {0, 0};
    Placement placement;
    Tiling tiling;
    bool keep_waves = false;
    Machine machine;
    MemoryForecast memory;
    GpuForecast gpu_memory;

    int num_slices() const { return config.object.num_slices; }
    bool near_field() const { return scan.geometry.propagation == Propagation::near_field; }
};

// Resolves every automatic choice. Throws usage and data Errors, and a runtime Error when the forecast does
// not fit into runtime.memory_limit. The number of workers only sizes the forecast; whether there are GPUs
// also chooses tiles and batches.
Problem make_problem(const RunConfig& config, const ScanInfo& scan, const Machine& machine);

// What all batches have in common, with as many frames as the largest has; neither tile nor window.
BatchShape largest_batch(const Problem& problem);

// What is known once the frames are: their mean for the probe guess, and their sums.
struct FrameStatistics {
    Array<float, 2> mean_pattern;  // (y, x), transform order, ignored pixels as 0
    std::vector<double> counts;    // of each frame
    double total_counts = 0;
};

// Where the frames go: one pointer per frame of the scan, each to frame_shape counts.
FrameStatistics read_all_frames(ScanReader& reader, const Problem& problem,
                                const std::vector<void*>& destinations);

// The starting point: object (slice, y, x), probe (mode, y, x). `run_folder`: where the run file is, for
// files named in it.
Array<cfloat, 3> initial_object(const Problem& problem, const std::filesystem::path& run_folder);
Array<cfloat, 3> initial_probe(const Problem& problem, const FrameStatistics& statistics,
                               const std::filesystem::path& run_folder);

}  // namespace tessera
