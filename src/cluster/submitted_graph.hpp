#pragma once

#include <cstdint>
#include <vector>

#include "trace/schedule.hpp"

namespace tessera {

// What an event takes; messages: nothing but their bytes.
struct EventNeeds {
    double duration_s = 0;
    bool on_gpu = false;  // else on a core
};

// What a schedule does not say of one rank's part.
struct RankNeeds {
    std::vector<EventNeeds> of_events;
    std::vector<bool> reads;                // each use: does it look at what was there before?
    std::vector<std::int64_t> datum_bytes;  // of each datum; they are numbered from 0 in each rank
};

// All that ranks submit, in submission order, before any of it has run: without workers and times.
struct SubmittedGraph {
    Schedule schedule;
    std::vector<RankNeeds> needs;  // of each rank
};

}  // namespace tessera
