#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "config/run_config.hpp"
#include "scan/positions.hpp"

namespace tessera {

// The frames of the whole scan, dealt into mini-batches once in a run: object and probe are updated after
// each of them. A function of positions and settings alone: it knows neither tiles nor ranks, so tiles give
// the answer of the whole. Every mini-batch is spread over the scan, so that every tile has work in it.
struct Minibatches {
    int count = 1;
    std::vector<int> of_frame;  // in [0, count); empty: all frames in one

    int of(std::ptrdiff_t frame) const {
        return of_frame.empty() ? 0 : of_frame[static_cast<std::size_t>(frame)];
    }
    std::ptrdiff_t size(int minibatch) const;  // needs of_frame
};

struct MinibatchSettings {
    BatchingMode mode = BatchingMode::uniform;
    int size = 1;          // frames, about: they are dealt evenly
    int cluster_size = 1;  // compact: neighbours that stay together
    std::uint64_t random_seed = 0;
};

//  - uniform: along a space-filling curve in turn, so that neighbours come into different mini-batches;
//  - compact: the same with clusters of neighbours instead of frames;
//  - random: a random order, dealt in turn.
Minibatches deal_minibatches(const Placement& placement, const MinibatchSettings& settings);

// As many frames as auto takes: a sixteenth of the scan, 16 at least, 256 at most.
int automatic_minibatch_size(std::ptrdiff_t num_frames);

// The order in which an iteration takes them: random, the same for the same seed and iteration.
std::vector<int> minibatch_order(int count, std::uint64_t random_seed, int iteration);

}  // namespace tessera
