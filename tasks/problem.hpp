#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "codelets/device_scratch.hpp"
#include "codelets/layout.hpp"
#include "codelets/runtime/runtime.hpp"
#include "codelets/support_probe.hpp"
#include "config/run_config.hpp"
#include "scan/positions.hpp"
#include "scan/scan.hpp"
#include "tiling/forecast.hpp"
#include "tiling/tiling.hpp"

namespace tessera {

// What grows with the whole scan, whichever part of it is a rank's.
struct WholeScan {
    ScanInfo info;
    Placement placement;
    Tiling tiling;
};

// Everything about a reconstruction that is known before its frames are read: the scan, where its windows
// fall, how the object is tiled, what will be kept. `check` stops here, `reconstruct` goes on. Copies share
// the whole scan.
struct Problem {
    explicit Problem(std::shared_ptr<const WholeScan> whole_scan) : whole(std::move(whole_scan)) {}

    RunConfig config;
    std::shared_ptr<const WholeScan> whole;
    const ScanInfo& scan = whole->info;
    const Placement& placement = whole->placement;
    const Tiling& tiling = whole->tiling;
    std::array<int, 2> probe_shape = {0, 0};
    HaloWidth halo_px = whole_window;  // tiling.halo_m in pixels, rounded up
    std::vector<int> owner_of_tile;    // the rank
    bool keep_waves = false;
    PatternPlan patterns;  // which of them stay in memory
    // Of kept waves in memory, when the others go to runtime.disk; null: none go.
    std::optional<std::size_t> waves_memory_bytes;
    std::size_t waves_bytes = 0;  // of this rank's kept waves
    Machine machine;
    MemoryForecast memory;
    GpuForecast gpu_memory;

    OutOfCoreNeeds out_of_core() const;
    int num_slices() const { return config.object.num_slices; }
    int num_planes() const { return config.object.num_modes * config.object.num_slices; }
    DeviceScratchUses device_scratch_uses() const;
    // Different transfer functions between slices: one where all ways are equally long.
    int num_slice_transfers() const;
    bool couples_slices() const { return config.object.regularize_layers > 0 && num_slices() > 1; }
    // Are interiors changed by what is around them, and told to the halos of others?
    bool copies_voxels() const { return couples_slices() || config.object.constraints.has_neighbours(); }
    ProbeSupport probe_support() const;  // in pixels
    // Is there something of the windows that tiles do not keep?
    bool is_truncated() const;
    // Does an engine of the run project exit waves, and another move along gradients?
    bool projects_waves() const;
    bool has_gradients() const;
    bool has_line_search() const;
    // Engines that update after each mini-batch; with LSQML residuals, and momentum in some.
    bool has_minibatches() const;
    bool needs_residuals() const;
    bool needs_momentum() const;
    bool refines_positions() const;
    bool varies_probe() const { return config.probe.variable.is_wanted(); }
    // Of the far field: the detector's, as many times finer as detector.upsampling says.
    std::array<int, 2> far_field_shape() const;
    bool refines_background() const { return config.detector.refine_background.has_value(); }
    // Of what batches of a tile add up to, as many as the engine with most of them needs; elements of the
    // probe part of a batch, and of sums over tiles, likewise.
    int planes_of_sums() const;
    std::size_t batch_probe_size() const;
    std::size_t summed_probe_size() const;
    bool near_field() const { return scan.geometry.propagation == Propagation::near_field; }
};

// Resolves every automatic choice. Throws usage and data Errors, and a runtime Error when the forecast does
// not fit into runtime.memory_limit. The number of workers only sizes the forecast; whether there are GPUs
// also chooses tiles and batches.
Problem make_problem(const RunConfig& config, const ScanInfo& scan, const Machine& machine, int num_ranks = 1,
                     int rank = 0);

// The same for another rank of that run, which shares the whole scan: what it keeps, on a machine of the same
// kind and memory. Throws as make_problem does where the forecast does not fit. Cost: O(tiles + batches).
Problem problem_of_rank(const Problem& problem, int rank);

// The run file with its choices of tiles, batches and waves made, as a checkpoint keeps it.
RunConfig resolved_config(const Problem& problem);

// The memory of each rank of problem.owner_of_tile, and of one rank that had all tiles and all memory.
std::vector<std::size_t> forecast_memory_of_ranks(const Problem& problem);
MemoryForecast forecast_memory_alone(const Problem& problem);

// What all batches have in common, with as many frames as the largest has; neither tile nor window.
BatchShape largest_batch(const Problem& problem);

}  // namespace tessera
