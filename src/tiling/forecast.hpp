#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "config/run_config.hpp"
#include "scan/scan.hpp"
#include "tiling/tiling.hpp"

namespace tessera {

// One line of the forecast: what takes the memory.
struct MemoryTerm {
    std::string what;
    std::size_t bytes = 0;
};

struct MemoryForecast {
    std::vector<MemoryTerm> terms;
    std::size_t total_bytes() const;
};

// What a forecast depends on, all known before the frames are read.
struct ForecastInput {
    std::array<int, 2> frame_shape = {0, 0};  // of the far field
    std::array<int, 2> probe_shape = {0, 0};
    int upsampling = 1;  // of the far field, along each side of a detector's pixel
    int num_modes = 1;   // of the probe
    int num_object_modes = 1;
    int num_slices = 1;
    int num_slice_transfers = 0;  // different ways between slices
    PatternType pattern_type = PatternType::u16;
    Interpolation interpolation = Interpolation::fourier;
    bool near_field = false;
    bool keep_waves = false;
    bool exit_waves = false;                        // an engine projects them
    bool gradients = true;                          // an engine moves along them
    std::optional<std::size_t> waves_memory_bytes;  // for kept waves, the others on disk; null: all of them
    Exchange exchange = Exchange::neighbours;
    bool minibatches = false;  // engines with mini-batches; with their residuals, with momentum
    bool residuals = false, momentum = false;
    bool sees_several_pixels = false;  // a detector's pixel: a point spread, or upsampling
    bool refines_positions = false;
    bool varies_probe = false;  // each frame has a light, and the first mode deviates by eigen-probes
    int num_opr_modes = 0;
    bool refines_background = false;
    bool is_truncated = false;  // windows reach beyond their tiles
    std::size_t coupling_scratch_pixels =
        0;                    // of one that couples slices or smooths the object; 0: neither is done
    bool line_search = true;  // two passes over the frames an iteration, not one
    bool is_staged = false;   // waves of batches under way are data, between tasks
    Machine machine;
    bool checkpoints = false;
    bool pictures = false;
    std::size_t gpu_scratch_bytes = 0;
    std::vector<int> owner_of_tile;  // empty: all of them this rank's
    int rank = 0;
};

// Which batches of a rank keep their patterns in memory. The others are read from the scan again in every
// pass over the frames, into a ring of buffers.
struct PatternPlan {
    std::vector<std::vector<bool>> stays;  // of each batch of each tile; nothing for tiles of other ranks
    std::size_t num_staying = 0, num_read_again = 0;  // batches
    std::size_t staying_bytes = 0;
    std::size_t read_again_bytes = 0;  // in one pass
    int num_buffers = 0;               // 0: all stay
    std::size_t buffer_bytes = 0;      // of one

    bool reads_again() const { return num_read_again > 0; }
    std::size_t memory_bytes() const {
        return staying_bytes + static_cast<std::size_t>(num_buffers) * buffer_bytes;
    }
};

// The plan with which the whole run fits into `limit_bytes`: all patterns stay when they can, otherwise as
// many as fit beside the ring, spread evenly over the pass, so that reading and computing go hand in hand.
// Who stays is decided once: a cache that gives up what was used longest ago would lose, sweep after sweep,
// just what comes next. The forecast exceeds the limit when not even the ring fits.
PatternPlan plan_patterns(const ForecastInput& input, const Tiling& tiling, std::size_t limit_bytes);

// Buffers for patterns that are read again: enough to read ahead of every worker, also while one of them
// waits for its turn on a busy machine and the sums, which have an order, wait for it.
int num_pattern_buffers(int num_workers);

// The peak resident memory of one rank, term by term, in the sizes of codelets/layout.hpp.
MemoryForecast forecast_memory(const ForecastInput& input, const Tiling& tiling, const PatternPlan& patterns);
// In all of each rank, with the patterns that its plan within the limit lets stay.
std::vector<std::size_t> forecast_memory_of_ranks(const ForecastInput& input, const Tiling& tiling,
                                                  std::size_t limit_bytes);
std::size_t kept_waves_bytes(const ForecastInput& input, const Tiling& tiling);
// With all patterns in memory.
MemoryForecast forecast_memory(const ForecastInput& input, const Tiling& tiling);

// The memory of each GPU. Below the sum of the terms frames (and kept waves) are streamed: StarPU gives up
// what was used longest ago, which in sweeps over all batches is what comes next, so everything is fetched in
// every pass.
struct GpuForecast {
    std::vector<MemoryTerm> terms;
    std::size_t least_bytes = 0;     // what cannot be streamed, and a few batches on their way
    std::size_t streamed_bytes = 0;  // to and from each GPU per iteration, when it does stream
    std::size_t total_bytes() const;
};
GpuForecast forecast_gpu_memory(const ForecastInput& input, const Tiling& tiling);

// Slots for what batches add up to, per tile: enough that no worker waits for one. Does not change the
// answer.
int num_out_slots(int num_workers);

// Do the kept waves and everything else fit into `budget_bytes` of every rank? The ranks decide alike.
bool waves_fit(const ForecastInput& input, const Tiling& tiling, std::size_t budget_bytes);

}  // namespace tessera
