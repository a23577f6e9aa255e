#include "tiling/forecast.hpp"

#include <algorithm>
#include <cstdint>
#include <numeric>

#include <fmt/format.h>

#include "tiling/halo_moves.hpp"

namespace tessera {
namespace {

// Program, libraries and StarPU's own tables: the peak of a run on nine frames of 32 x 32, which hardly
// depends on the number of workers. The pieces in which frames come from the file.
constexpr std::size_t program_bytes = 93u << 20;
constexpr std::size_t reading_bytes = 8u << 20;

constexpr std::size_t handles_per_tile = 7, handles_per_batch = 4, bytes_per_handle = 4096;

std::size_t area(std::array<int, 2> shape) {
    return static_cast<std::size_t>(shape[0]) * static_cast<std::size_t>(shape[1]);
}

// Per worker, beside what an object of one slice takes: what meets the further slices, two gradients between
// slices, a moved probe and object, the object between pixels.
std::size_t slices_scratch_pixels(const ForecastInput& in) {
    if (in.num_slices == 1) return 0;
    const auto slices = static_cast<std::size_t>(in.num_slices),
               modes = static_cast<std::size_t>(in.num_modes);
    const std::size_t planes = slices * modes + 2 + slices;
    const std::size_t between_pixels = in.interpolation == Interpolation::bilinear ? 2 * slices : 0;
    return (planes + between_pixels) * area(in.probe_shape);
}

// Transfer functions from each slice to the next.
std::size_t slice_transfers_bytes(const ForecastInput& in) {
    return static_cast<std::size_t>(in.num_slices - 1) * area(in.probe_shape) * 8;
}

std::size_t sum_of(const std::vector<MemoryTerm>& terms) {
    return std::accumulate(terms.begin(), terms.end(), std::size_t{0},
                           [](std::size_t sum, const MemoryTerm& term) { return sum + term.bytes; });
}

}  // namespace

std::size_t MemoryForecast::total_bytes() const {
    return sum_of(terms);
}

std::size_t GpuForecast::total_bytes() const {
    return sum_of(terms);
}

int num_out_slots(int num_workers) {
    return 2 * num_workers + 2;
}

namespace {

constexpr std::size_t complex_bytes = 8;

// Of each tile: the last two, and what its own frames make of one, where tiles add theirs up.
std::size_t num_gradients(Exchange exchange) {
    return exchange == Exchange::voxels ? 2 : 3;
}

// What the tiles of a rank add up to; pixels of all slices.
struct OwnTiles {
    std::size_t tiles = 0, frames = 0, pixels = 0, strip_pixels = 0, handles = 0;
};

OwnTiles own_tiles(const ForecastInput& in, const Tiling& tiling) {
    OwnTiles own;
    for (const HaloMove& move : halo_moves(tiling, in.exchange)) {
        // Both sides of a message hold it.
        if (in.owns(move.from) || in.owns(move.to))
            own.strip_pixels += static_cast<std::size_t>(move.rect.area() * in.num_slices);
    }
    for (std::size_t t = 0; t < tiling.tiles.size(); ++t) {
        const Tile& tile = tiling.tiles[t];
        if (!in.owns(t)) continue;
        ++own.tiles;
        own.frames += static_cast<std::size_t>(tile.num_frames());
        own.pixels += static_cast<std::size_t>(tile.extended.area() * in.num_slices);
        own.handles += handles_per_tile + handles_per_batch * tile.batches.size() + tile.neighbours.size();
    }
    return own;
}

// Of what batches of a tile add up to: an overlap projection has numerator and weight.
std::size_t planes_per_slice(const ForecastInput& in) {
    return in.exit_waves ? 2 : 1;
}

// Strips of a gradient, and of an overlap projection.
std::size_t strip_planes(const ForecastInput& in) {
    return 1 + (in.exit_waves ? 2 : 0);
}

// Value, direction, gradient; illumination or coverage.
std::size_t checkpoint_bytes(const ForecastInput& in, std::size_t object_pixels, std::size_t probe_pixels) {
    return object_pixels * ((2 + planes_per_slice(in)) * complex_bytes + 4) +
           probe_pixels * (3 * complex_bytes + 4);
}

}  // namespace

int num_pattern_buffers(int num_workers) {
    return 4 * num_workers + 8;
}

namespace {

// As many batches as `staying_bytes` hold, spread evenly over the pass, and a ring for the others.
PatternPlan plan_with(const ForecastInput& in, const Tiling& tiling, std::size_t staying_bytes) {
    const std::size_t frame = area(in.frame_shape) * bytes_per_count(in.pattern_type);
    const auto for_each_batch = [&](const auto& visit) {
        for (std::size_t t = 0; t < tiling.tiles.size(); ++t) {
            for (std::size_t b = 0; in.owns(t) && b < tiling.tiles[t].batches.size(); ++b)
                visit(t, b, tiling.tiles[t].batches[b].frames.size() * frame);
        }
    };
    std::size_t total = 0, seen = 0;
    for_each_batch([&](std::size_t, std::size_t, std::size_t bytes) { total += bytes; });
    const double share =
        staying_bytes >= total ? 1 : static_cast<double>(staying_bytes) / static_cast<double>(total);
    PatternPlan plan;
    for (std::size_t t = 0; t < tiling.tiles.size(); ++t)
        plan.stays.emplace_back(in.owns(t) ? tiling.tiles[t].batches.size() : 0, false);
    for_each_batch([&](std::size_t t, std::size_t b, std::size_t bytes) {
        seen += bytes;
        if (static_cast<double>(plan.staying_bytes + bytes) <= share * static_cast<double>(seen)) {
            plan.stays[t][b] = true;
            plan.staying_bytes += bytes;
            ++plan.num_staying;
        } else {
            plan.buffer_bytes = std::max(plan.buffer_bytes, bytes);
            plan.read_again_bytes += bytes;
            ++plan.num_read_again;
        }
    });
    plan.num_buffers = plan.reads_again() ? num_pattern_buffers(in.machine.num_workers()) : 0;
    return plan;
}

}  // namespace

PatternPlan plan_patterns(const ForecastInput& in, const Tiling& tiling, std::size_t limit_bytes) {
    const PatternPlan all = plan_with(in, tiling, SIZE_MAX);
    if (forecast_memory(in, tiling, all).total_bytes() <= limit_bytes) return all;
    const PatternPlan none = plan_with(in, tiling, 0);
    const std::size_t least = forecast_memory(in, tiling, none).total_bytes();
    return limit_bytes > least ? plan_with(in, tiling, limit_bytes - least) : none;
}

MemoryForecast forecast_memory(const ForecastInput& in, const Tiling& tiling) {
    return forecast_memory(in, tiling, plan_with(in, tiling, SIZE_MAX));
}

namespace {

// A, B and C, or the exit wave.
std::size_t waves_per_mode(const ForecastInput& in) {
    return in.keep_waves ? 3 : in.exit_waves ? 1 : 0;
}

}  // namespace

std::size_t kept_waves_bytes(const ForecastInput& in, const Tiling& tiling) {
    return waves_per_mode(in) * own_tiles(in, tiling).frames * area(in.frame_shape) *
           static_cast<std::size_t>(in.num_modes) * complex_bytes;
}

MemoryForecast forecast_memory(const ForecastInput& in, const Tiling& tiling, const PatternPlan& plan) {
    const auto modes = static_cast<std::size_t>(in.num_modes);
    const auto workers = static_cast<std::size_t>(in.machine.num_cpus);
    const std::size_t frame = area(in.frame_shape), probe = area(in.probe_shape) * modes;
    const OwnTiles own = own_tiles(in, tiling);
    const auto slices = static_cast<std::size_t>(in.num_slices);
    const std::size_t window = slices * area(tiling.largest_window());
    const std::size_t slots = static_cast<std::size_t>(num_out_slots(in.machine.num_workers())) * own.tiles;
    const std::size_t shifted = in.interpolation == Interpolation::fourier ? 5 * probe : 0;
    // Of a frame, as scratch.
    const std::size_t waves = in.keep_waves || slices > 1 || !in.gradients ? 1 : 3;
    const std::size_t patterns = plan.staying_bytes + plan.read_again_bytes;
    const std::size_t readers = !plan.reads_again() ? 0 : workers > 0 ? workers : num_reading_workers;

    MemoryForecast forecast;
    const auto add = [&](std::string what, std::size_t bytes) {
        forecast.terms.push_back({std::move(what), bytes});
    };
    add("program, libraries, StarPU's tables", program_bytes);
    add("frames on their way from the file",
        std::min(reading_bytes, patterns) + readers * std::min(reading_bytes, plan.buffer_bytes));
    add(plan.reads_again() ? "patterns that stay, as stored" : "patterns as stored", plan.staying_bytes);
    if (plan.reads_again())
        add("buffers for patterns that are read again", plan.memory_bytes() - plan.staying_bytes);
    add("object tiles: value, direction", 2 * own.pixels * complex_bytes);
    const std::size_t gradients = num_gradients(in.exchange);
    const std::size_t planes = planes_per_slice(in);
    add(fmt::format("object tiles: {} gradients{}, illumination", gradients == 3 ? "three" : "two",
                    in.exit_waves ? " or overlap sums" : ""),
        own.pixels * (gradients * planes * complex_bytes + 4));
    add("strips between tiles", own.strip_pixels * strip_planes(in) * complex_bytes);
    add("StarPU's books on each piece of data", own.handles * bytes_per_handle);
    const std::size_t part = probe + (in.exit_waves ? area(in.probe_shape) : 0);
    add("batch windows in flight", slots * (planes * window + part) * complex_bytes);
    add("probe: value, direction, gradients, sums", (4 * probe + own.tiles * part) * complex_bytes);
    add("scratch of the workers",
        workers * (waves * frame * modes + shifted + probe + slices_scratch_pixels(in)) * complex_bytes);
    if (in.keep_waves || in.exit_waves) {
        const std::size_t bytes = kept_waves_bytes(in, tiling);
        const std::size_t here = std::min(in.waves_memory_bytes.value_or(bytes), bytes);
        add(fmt::format("{}{}", in.keep_waves ? "kept far fields" : "exit waves",
                        here < bytes ? ", beside those on the disk" : ""),
            here);
    }
    if (slices > 1) add("transfer functions between slices", slice_transfers_bytes(in));
    // The first rank puts the object together and writes it.
    const std::size_t object = in.rank == 0 ? 2 * slices * area(tiling.object_shape) : 0;
    add("copies for results: from the tiles, put together, as a file",
        (own.pixels + object + 3 * probe) * complex_bytes);
    if (in.checkpoints)
        add("checkpoints: fields copied, and as a file", 2 * checkpoint_bytes(in, own.pixels, probe));
    if (in.checkpoints && in.exit_waves) {
        const auto batches = static_cast<std::size_t>(num_out_slots(in.machine.num_workers()));
        add("exit waves on their way to a checkpoint",
            std::min(batches * static_cast<std::size_t>(tiling.batch_size), own.frames) * frame * modes *
                complex_bytes);
    }
    return forecast;
}

GpuForecast forecast_gpu_memory(const ForecastInput& in, const Tiling& tiling) {
    constexpr std::size_t batches_on_their_way = 4;
    const auto gpus = static_cast<std::size_t>(std::max(in.machine.num_gpus, 1));
    const std::size_t frame = area(in.frame_shape), modes = static_cast<std::size_t>(in.num_modes);
    const std::size_t probe = area(in.probe_shape) * modes;
    const OwnTiles own = own_tiles(in, tiling);
    const auto slices = static_cast<std::size_t>(in.num_slices);
    const std::size_t window = slices * area(tiling.largest_window());
    const std::size_t slots = static_cast<std::size_t>(num_out_slots(in.machine.num_workers())) * own.tiles;
    const std::size_t pattern = frame * bytes_per_count(in.pattern_type);
    const std::size_t wave = waves_per_mode(in) * frame * modes * complex_bytes;
    const std::size_t planes = planes_per_slice(in);
    const std::size_t part = probe + (in.exit_waves ? area(in.probe_shape) : 0);
    const std::size_t patterns = own.frames * pattern / gpus, waves = own.frames * wave / gpus;

    GpuForecast forecast;
    const auto add = [&](std::string what, std::size_t bytes) {
        forecast.terms.push_back({std::move(what), bytes});
        forecast.least_bytes += bytes;
    };
    add("object tiles: value, direction, gradients, illumination",
        own.pixels * ((2 + num_gradients(in.exchange) * planes) * complex_bytes + 4));
    add("strips between tiles", own.strip_pixels * strip_planes(in) * complex_bytes);
    add("batch windows in flight", slots * (planes * window + part) * complex_bytes);
    add("probe: value, direction, gradients, sums", (4 * probe + own.tiles * part) * complex_bytes);
    add("mask, background, transfer function", frame * (2 * 4 + (in.near_field ? complex_bytes : 0)));
    add("scratch of the kernels and transforms", in.gpu_scratch_bytes);
    if (in.checkpoints) add("checkpoints: fields copied", checkpoint_bytes(in, own.pixels, probe));
    if (slices > 1) {
        add("transfer functions between slices, batch windows at trial steps",
            slice_transfers_bytes(in) + 3 * window * complex_bytes);
    }
    forecast.terms.push_back({"patterns as stored, of this GPU's share", patterns});
    if (wave > 0) {
        const char* what = in.keep_waves ? "kept far fields" : "exit waves";
        forecast.terms.push_back({fmt::format("{}, of this GPU's share", what), waves});
    }
    forecast.least_bytes +=
        batches_on_their_way * static_cast<std::size_t>(tiling.batch_size) * (pattern + wave);
    const std::size_t passes = in.line_search ? 2 : 1;
    forecast.streamed_bytes = passes * (patterns + 2 * waves);
    return forecast;
}

bool waves_fit(const ForecastInput& input, const Tiling& tiling, std::size_t budget_bytes) {
    ForecastInput kept = input;
    kept.keep_waves = true;
    const auto& owners = input.owner_of_tile;
    const int last_rank = owners.empty() ? 0 : *std::max_element(owners.begin(), owners.end());
    for (kept.rank = 0; kept.rank <= last_rank; ++kept.rank) {
        if (forecast_memory(kept, tiling).total_bytes() > budget_bytes) return false;
    }
    return true;
}

}  // namespace tessera
