#pragma once

#include <string>
#include <vector>

#include "base/array.hpp"
#include "codelets/runtime/ranks.hpp"
#include "scan/frame_sums.hpp"
#include "tasks/problem.hpp"

namespace tessera {

// What is known once the frames are: their mean for the probe guess, and their sums.
struct FrameStatistics {
    Array<float, 2> mean_pattern;  // (y, x), transform order, ignored pixels as 0
    std::vector<double> counts;    // of each frame
    double total_counts = 0;
};

// The same for the same counts.
std::string fingerprint(const FrameStatistics& statistics);

// Reads this rank's frames, on as many threads as it has CPU workers, with GPUs on all cores it may use; the
// statistics are those of all ranks'
// frames, the same everywhere. A scan without counts is a data Error.
FrameStatistics read_frames(const FrameSource& source, const Problem& problem,
                            const FrameDestinations& destinations, const Ranks& ranks);

}  // namespace tessera
