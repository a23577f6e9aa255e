#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "scan/frame_source.hpp"
#include "scan/scan.hpp"

namespace tessera {

// Where frames go: by ascending index in the scan, each to frame_shape counts; null: nowhere.
struct FrameDestinations {
    struct Copy {
        const void* from;
        void* to;
    };
    std::vector<std::ptrdiff_t> frames;
    std::vector<void*> memory;
    std::vector<bool> are_own;  // false: read, but not among the sums
    std::vector<Copy> copies;   // of frames that are wanted in several places
};

// Of pixels that have a count.
struct FrameSums {
    std::vector<double> counts;         // of each frame of the scan; 0 where it is not own
    std::vector<std::int64_t> pattern;  // (y, x), of all own frames, in counts / counts_fraction
};
// Sums over frames are whole numbers of this fraction of a count, so that they do not depend on who adds up
// first.
constexpr double counts_fraction = 1024;

// Reads frames to their destinations and sums them up, on as many threads as are given. Each thread is the
// first to touch the memory that it fills. Each needs 8 bytes a pixel beside it, 1 MiB or one frame where
// frames do not stay, and what the source needs. Of several frames that cannot be read the first is the
// Error.
FrameSums read_frames(const FrameSource& source, const ScanInfo& scan, const FrameDestinations& destinations,
                      int num_threads);

}  // namespace tessera
