#include "tasks/set_tiling.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.hpp"
#include "codelets/smooth_object.hpp"
#include "tasks/tile_sums.hpp"

namespace tessera {
namespace {

// Each strip between tiles is a message of its own, told apart by its number.
void require_few_strips(const Tiling& tiling, Exchange exchange) {
    if (exchange == Exchange::passes) return;
    std::size_t strips = 0;
    for (const Tile& tile : tiling.tiles) strips += tile.neighbours.size();
    if (strips <= tags_per_kind) return;
    throw usage_error(
        "tiling.exchange: {} strips between {} x {} tiles are too many, {} are allowed (fewer tiling.tiles, "
        "or exchange: passes)",
        strips, tiling.grid[0], tiling.grid[1], tags_per_kind);
}

HaloWidth halo_of(const RunConfig& config, const ScanInfo& scan) {
    if (!config.tiling.halo_m) return whole_window;
    const double halo_m = *config.tiling.halo_m;
    HaloWidth halo = whole_window;
    for (std::size_t axis = 0; axis < 2; ++axis) {
        const double pixels = halo_m / scan.pixel_size_m[axis];
        if (pixels < 1) {
            throw usage_error(
                "tiling.halo_m: {:.6g} m is less than an object pixel, {:.6g} m (a pixel at least is "
                "allowed; without the key tiles keep whole windows)",
                halo_m, scan.pixel_size_m[axis]);
        }
        // What is a whole number but for rounding is that number.
        halo[axis] = static_cast<int>(std::ceil(std::min<double>(pixels, whole_window[axis]) * (1 - 1e-9)));
    }
    return halo;
}

}  // namespace

void set_tiling(Problem& problem, Tiling& tiling) {
    const RunConfig& config = problem.config;
    const ScanInfo& scan = problem.scan;
    const DeviceKind kind = problem.machine.kind();
    const auto engine = std::find_if(config.engines.begin(), config.engines.end(),
                                     [](const EngineConfig& e) { return has_minibatches(e.name); });
    const bool has_minibatches = engine != config.engines.end();
    const std::ptrdiff_t frames_between_updates =
        has_minibatches
            ? std::min<std::ptrdiff_t>(
                  engine->minibatch_size.value_or(automatic_minibatch_size(scan.num_frames)), scan.num_frames)
            : scan.num_frames;
    // Small passes are cut into fewer tasks: each has its window of the tile to clear and to add.
    const std::ptrdiff_t frames_to_spread = (has_minibatches ? 2 : 1) * frames_between_updates;
    // Each further slice costs two transforms more where there was one.
    const int num_passes =
        config.probe.num_modes * config.object.num_modes * (2 * config.object.num_slices - 1);
    const int batch_size = config.tiling.batch_size.value_or(
        automatic_batch_size(problem.far_field_shape(), num_passes, frames_to_spread, kind));
    Minibatches minibatches;
    if (has_minibatches) {
        minibatches = deal_minibatches(
            problem.placement, {engine->batching_mode, static_cast<int>(frames_between_updates), batch_size,
                                config.runtime.random_seed});
    }
    problem.halo_px = halo_of(config, scan);
    const auto automatic = automatic_grid(problem.placement, kind, problem.halo_px);
    const ObjectConstraintsConfig& constraints = config.object.constraints;
    tiling = make_tiling(problem.placement, config.tiling.tiles.value_or(automatic), batch_size,
                         config.tiling.exchange, problem.halo_px, std::move(minibatches),
                         smoothing_reach(constraints.total_variation > 0, constraints.smoothing > 0));
    require_few_strips(tiling, config.tiling.exchange);
}

}  // namespace tessera
