#include "tiling/forecast.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

#include <fmt/format.h>

#include "tiling/halo_moves.hpp"
#include "tiling/object_pieces.hpp"

namespace tessera {
namespace {

// Program, libraries and StarPU's own tables: the peak of a run on nine frames of 32 x 32, which hardly
// depends on the number of workers. The pieces in which frames come from the file.
constexpr std::size_t program_bytes = 93u << 20;
constexpr std::size_t reading_bytes = 8u << 20;
// Where only GPUs compute there is no scratch of workers yet to come, in which the threads that read the
// frames have room: what all of them have under way, and their sums (tasks/frame_statistics,
// io/frame_reader).
constexpr std::size_t most_reading_bytes = 64u << 20, most_reading_threads = 16;

// Every rank knows where all frames are and their counts: positions and indices in the file (twice: as read
// and as part of the problem), windows, batches, counts, errors. The first also has them as the result and as
// its file.
constexpr std::size_t bytes_per_frame = 88, more_per_frame_on_first = 80;

constexpr std::size_t complex_bytes = 8;
// Where positions are refined; a shift as it is gathered and as the result has it.
constexpr std::size_t bytes_per_place = 80, bytes_per_shift = 32;

constexpr std::size_t handles_per_tile = 7, handles_per_batch = 4, bytes_per_handle = 4096;

std::size_t area(std::array<int, 2> shape) {
    return static_cast<std::size_t>(shape[0]) * static_cast<std::size_t>(shape[1]);
}

std::size_t detector_pixels(const ForecastInput& in) {
    return area(in.frame_shape) / static_cast<std::size_t>(in.upsampling * in.upsampling);
}

// Per worker, beside what an object of one slice takes: what meets the further slices, two gradients between
// slices, a moved probe and a slice of the moved object, a slice of object and direction between pixels.
std::size_t slices_scratch_pixels(const ForecastInput& in) {
    if (in.num_slices == 1) return 0;
    const auto slices = static_cast<std::size_t>(in.num_slices),
               modes = static_cast<std::size_t>(in.num_modes);
    const std::size_t planes = slices * modes + 2 + 1;
    const std::size_t between_pixels = in.interpolation == Interpolation::bilinear ? 2 : 0;
    return (planes + between_pixels) * area(in.probe_shape);
}

// Per worker, of a frame whose window reaches beyond its tile: a slice of the object and of its direction
// with the vacuum around the tile, and of the gradient.
std::size_t padded_windows_pixels(const ForecastInput& in) {
    if (!in.is_truncated) return 0;
    const int beside = in.interpolation == Interpolation::bilinear ? 1 : 0;
    return 3 * area({in.probe_shape[0] + beside, in.probe_shape[1] + beside});
}

// Per worker, of a frame: far fields of the eigen-probes, their spectra, the first mode as it is lit.
std::size_t opr_scratch_pixels(const ForecastInput& in) {
    if (in.num_opr_modes == 0) return 0;
    const auto n = static_cast<std::size_t>(in.num_opr_modes);
    return n * (area(in.frame_shape) + area(in.probe_shape)) + 4 * area(in.probe_shape);
}

// Transfer functions from slices to the next: one where all ways are equal.
std::size_t slice_transfers_bytes(const ForecastInput& in) {
    return static_cast<std::size_t>(in.num_slice_transfers) * area(in.probe_shape) * complex_bytes;
}

// Planes of the object, and waves of a frame.
int num_planes(const ForecastInput& in) {
    return in.num_object_modes * in.num_slices;
}
std::size_t num_waves(const ForecastInput& in) {
    return static_cast<std::size_t>(in.num_object_modes) * static_cast<std::size_t>(in.num_modes);
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

// Of each tile: the last two, and what its own frames make of one, where tiles add theirs up.
std::size_t num_gradients(Exchange exchange) {
    return exchange == Exchange::voxels ? 2 : 3;
}

// What the tiles of a rank add up to; pixels of all planes, but of strips those of one.
struct OwnTiles {
    std::vector<std::size_t> which;
    std::size_t frames = 0, pixels = 0, interior_pixels = 0, strip_pixels = 0, coupled_strip_pixels = 0,
                handles = 0;
    std::size_t minibatch_frames = 0;  // of each tile's largest mini-batch
};

int num_ranks(const ForecastInput& in) {
    const auto& owners = in.owner_of_tile;
    return owners.empty() ? 1 : *std::max_element(owners.begin(), owners.end()) + 1;
}

// Of all ranks, in one pass over tiles and moves.
std::vector<OwnTiles> tiles_of_ranks(const ForecastInput& in, const Tiling& tiling) {
    const auto owner = [&](std::size_t tile) {
        return in.owner_of_tile.empty() ? 0U : static_cast<std::size_t>(in.owner_of_tile[tile]);
    };
    std::vector<OwnTiles> ranks(static_cast<std::size_t>(num_ranks(in)));
    const auto count_strips = [&](Exchange exchange, std::size_t OwnTiles::*strips) {
        for (const HaloMove& move : halo_moves(tiling, exchange)) {
            // Both sides of a message hold it.
            const auto pixels = static_cast<std::size_t>(move.rect.area());
            ranks[owner(move.from)].*strips += pixels;
            if (owner(move.to) != owner(move.from)) ranks[owner(move.to)].*strips += pixels;
        }
    };
    count_strips(in.exchange, &OwnTiles::strip_pixels);
    if (in.coupling_scratch_pixels > 0) count_strips(Exchange::voxels, &OwnTiles::coupled_strip_pixels);
    for (std::size_t t = 0; t < tiling.tiles.size(); ++t) {
        const Tile& tile = tiling.tiles[t];
        OwnTiles& own = ranks[owner(t)];
        own.which.push_back(t);
        own.frames += static_cast<std::size_t>(tile.num_frames());
        own.pixels += static_cast<std::size_t>(tile.extended.area() * num_planes(in));
        own.interior_pixels += static_cast<std::size_t>(tile.interior.area() * num_planes(in));
        own.handles += handles_per_tile + handles_per_batch * tile.batches.size() + tile.neighbours.size();
        if (!in.minibatches) continue;
        std::vector<std::size_t> frames(static_cast<std::size_t>(tiling.minibatches.count));
        for (const Batch& batch : tile.batches)
            frames[static_cast<std::size_t>(batch.minibatch)] += batch.frames.size();
        own.minibatch_frames += *std::max_element(frames.begin(), frames.end());
        own.handles += frames.size();
    }
    return ranks;
}

OwnTiles own_tiles(const ForecastInput& in, const Tiling& tiling) {
    return std::move(tiles_of_ranks(in, tiling)[static_cast<std::size_t>(in.rank)]);
}

// Of the first rank, for the file and one tile of another's.
std::size_t pieces_bytes(const ForecastInput& in, const Tiling& tiling) {
    const PieceMemory pixels = piece_memory(tiling, num_planes(in), num_ranks(in) > 1);
    return static_cast<std::size_t>(pixels.piece + pixels.tile) * complex_bytes;
}

// Values of the larger picture, of the projection or of all planes in rows, and their copy to be sorted or
// their colours (io/pictures.cpp).
std::size_t pictures_bytes(const Tiling& tiling, int num_planes) {
    constexpr int most_extent = 4096;
    constexpr std::size_t drawn_bytes = 11, together_bytes = 16;  // a pixel
    const auto pixels = [&](int images, int most) {
        const int longest = std::max(tiling.object_shape[0], tiling.object_shape[1]);
        const int block = (longest + most - 1) / most;
        const auto reduced = [&](int extent) { return (extent + block - 1) / block; };
        return static_cast<std::size_t>(images) *
               area({reduced(tiling.object_shape[0]), reduced(tiling.object_shape[1])});
    };
    const auto columns = static_cast<int>(std::ceil(std::sqrt(num_planes)));
    return std::max(pixels(1, most_extent) * (num_planes > 1 ? together_bytes : drawn_bytes),
                    pixels(num_planes, most_extent / columns) * drawn_bytes);
}

// Of an overlap projection: numerators of all modes, and a weight.
std::size_t overlap_planes(const ForecastInput& in) {
    return in.exit_waves ? static_cast<std::size_t>(in.num_object_modes) + 1 : 0;
}
// Of what batches of a tile add up to: a gradient, or those.
std::size_t planes_of_sums(const ForecastInput& in) {
    return std::max(static_cast<std::size_t>(num_planes(in)), overlap_planes(in));
}

// Strips of a gradient, and of an overlap projection.
std::size_t strip_planes(const ForecastInput& in) {
    return static_cast<std::size_t>(num_planes(in)) + overlap_planes(in);
}

// Gradients of the eigen-probes, the object's power, and moments of the weights.
std::size_t opr_part_pixels(const ForecastInput& in) {
    const auto n = static_cast<std::size_t>(in.num_opr_modes);
    return n == 0 ? 0 : (n + 1) * (area(in.probe_shape) + n);
}

// What stands in the place of the modes' part after an iteration: of eigen-probes, and two numbers of each of
// the background's pixels.
std::size_t beside_modes_pixels(const ForecastInput& in) {
    const auto num_object_modes = static_cast<std::size_t>(in.num_object_modes);
    return std::max({opr_part_pixels(in), in.refines_background ? detector_pixels(in) : 0,
                     num_object_modes > 1 ? num_object_modes * num_object_modes : 0});
}

// The probe part of what a batch adds up to: an overlap projection has a weight beside its numerators. In
// sums over tiles engines with mini-batches have their coverage there.
std::size_t batch_part_pixels(const ForecastInput& in) {
    return std::max(area(in.probe_shape) * static_cast<std::size_t>(in.num_modes + (in.exit_waves ? 1 : 0)),
                    beside_modes_pixels(in));
}
std::size_t sums_part_pixels(const ForecastInput& in) {
    const bool has_weight = in.exit_waves || in.minibatches;
    return std::max(area(in.probe_shape) * static_cast<std::size_t>(in.num_modes + (has_weight ? 1 : 0)),
                    beside_modes_pixels(in));
}

std::size_t opr_modes_pixels(const ForecastInput& in) {
    return static_cast<std::size_t>(in.num_opr_modes) * area(in.probe_shape);
}

// The probe and its sums, and what engines with mini-batches keep of one and for momentum.
template <class Add>
void add_probe_terms(const ForecastInput& in, const OwnTiles& own, const Add& add) {
    const auto modes = static_cast<std::size_t>(in.num_modes);
    const std::size_t probe = area(in.probe_shape) * modes;
    add("probe: value, direction, gradients, sums",
        (4 * probe + opr_modes_pixels(in) + own.which.size() * sums_part_pixels(in)) * complex_bytes);
    if (in.residuals)
        add("residuals of a mini-batch",
            own.minibatch_frames * area(in.frame_shape) * num_waves(in) * complex_bytes);
    if (in.momentum) add("momentum: what it is measured from", (own.pixels + probe) * complex_bytes);
}

// Of one of those sums, of tiles with so many pixels in all planes of the object.
std::size_t sums_pixels(const ForecastInput& in, std::size_t object_pixels) {
    return object_pixels / static_cast<std::size_t>(num_planes(in)) * planes_of_sums(in);
}

// Value, direction, gradient; illumination or coverage.
std::size_t checkpoint_bytes(const ForecastInput& in, std::size_t object_pixels, std::size_t probe_pixels) {
    return object_pixels * (2 * complex_bytes + 4) + sums_pixels(in, object_pixels) * complex_bytes +
           probe_pixels * (3 * complex_bytes + 4);
}

}  // namespace

int num_pattern_buffers(int num_workers) {
    return 4 * num_workers + 8;
}

namespace {

// As many batches as `staying_bytes` hold, spread evenly over the pass, and a ring for the others.
PatternPlan plan_with(const ForecastInput& in, const Tiling& tiling, const OwnTiles& own,
                      std::size_t staying_bytes) {
    const std::size_t frame = detector_pixels(in) * bytes_per_count(in.pattern_type);
    const auto for_each_batch = [&](const auto& visit) {
        for (const std::size_t t : own.which) {
            for (std::size_t b = 0; b < tiling.tiles[t].batches.size(); ++b)
                visit(t, b, tiling.tiles[t].batches[b].frames.size() * frame);
        }
    };
    std::size_t total = 0, seen = 0;
    for_each_batch([&](std::size_t, std::size_t, std::size_t bytes) { total += bytes; });
    const double share =
        staying_bytes >= total ? 1 : static_cast<double>(staying_bytes) / static_cast<double>(total);
    PatternPlan plan;
    plan.stays.resize(tiling.tiles.size());
    for (const std::size_t t : own.which) plan.stays[t].resize(tiling.tiles[t].batches.size());
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

// A, B and C, or the exit wave.
std::size_t fields_per_wave(const ForecastInput& in) {
    return in.keep_waves ? 3 : in.exit_waves ? 1 : 0;
}

std::size_t waves_bytes(const ForecastInput& in, const OwnTiles& own) {
    return fields_per_wave(in) * own.frames * area(in.frame_shape) * num_waves(in) * complex_bytes;
}

// One ring a rank, of batches with the far fields of a gradient, or those of a line search.
std::size_t stage_waves_bytes(const ForecastInput& in, const Tiling& tiling, const OwnTiles& own) {
    if (!in.is_staged) return 0;
    std::size_t num_batches = 0;
    for (const std::size_t t : own.which) num_batches += tiling.tiles[t].batches.size();
    const std::size_t frames =
        std::min(static_cast<std::size_t>(num_out_slots(in.machine.num_workers())), num_batches) *
        static_cast<std::size_t>(tiling.batch_size);
    return frames * (in.line_search ? 3 : 1) * area(in.frame_shape) * num_waves(in) * complex_bytes;
}

MemoryForecast forecast_of(const ForecastInput& in, const Tiling& tiling, const OwnTiles& own,
                           const PatternPlan& plan) {
    const auto modes = static_cast<std::size_t>(in.num_modes);
    const auto workers = static_cast<std::size_t>(in.machine.num_cpus);
    const std::size_t frame = area(in.frame_shape), probe = area(in.probe_shape) * modes;
    const auto slices = static_cast<std::size_t>(in.num_slices);
    const std::size_t window = area(tiling.largest_window());
    const std::size_t slots =
        static_cast<std::size_t>(num_out_slots(in.machine.num_workers())) * own.which.size();
    // At whole pixels positions are refined along the probe's derivative: spectrum, probe, derivative.
    const bool is_shifted_to_refine = in.refines_positions && in.interpolation == Interpolation::nearest;
    const std::size_t shifted = in.interpolation == Interpolation::fourier ? 5 * probe
                                : is_shifted_to_refine                     ? 3 * probe
                                                                           : 0;
    // Of a frame, as scratch: derivatives by the position need three, in the near field five.
    const std::size_t waves = in.refines_positions                           ? (in.near_field ? 5 : 3)
                              : in.varies_probe                              ? 3
                              : in.keep_waves || slices > 1 || !in.gradients ? 1
                                                                             : 3;
    // Five coefficients of a line search and the rows between, of real numbers.
    const std::size_t seen = in.sees_several_pixels ? 3 * frame : 0;
    const std::size_t patterns = plan.staying_bytes + plan.read_again_bytes;
    const std::size_t readers = !plan.reads_again() ? 0 : workers > 0 ? workers : num_reading_workers;

    MemoryForecast forecast;
    const auto add = [&](std::string what, std::size_t bytes) {
        forecast.terms.push_back({std::move(what), bytes});
    };
    add("program, libraries, StarPU's tables", program_bytes);
    const std::size_t threads_bytes =
        workers > 0 ? 0
                    : std::min(most_reading_bytes, patterns) + most_reading_threads * detector_pixels(in) * 8;
    add("frames on their way from the file", std::min(reading_bytes, patterns) + threads_bytes +
                                                 readers * std::min(reading_bytes, plan.buffer_bytes));
    add(plan.reads_again() ? "patterns that stay, as stored" : "patterns as stored", plan.staying_bytes);
    if (plan.reads_again())
        add("buffers for patterns that are read again", plan.memory_bytes() - plan.staying_bytes);
    add("object tiles: value, direction", 2 * own.pixels * complex_bytes);
    const std::size_t gradients = num_gradients(in.exchange);
    add(fmt::format("object tiles: {} gradients{}, illumination", gradients == 3 ? "three" : "two",
                    in.exit_waves ? " or overlap sums" : ""),
        gradients * sums_pixels(in, own.pixels) * complex_bytes + own.pixels * 4);
    add("strips between tiles", own.strip_pixels * strip_planes(in) * complex_bytes);
    add("StarPU's books on each piece of data", own.handles * bytes_per_handle);
    add("batch windows in flight",
        slots * (planes_of_sums(in) * window + batch_part_pixels(in)) * complex_bytes);
    if (in.is_staged) add("waves between the stages of operations", stage_waves_bytes(in, tiling, own));
    add_probe_terms(in, own, add);
    add("scratch of the workers",
        workers *
            (waves * frame * num_waves(in) + seen + shifted + probe + slices_scratch_pixels(in) +
             padded_windows_pixels(in) + opr_scratch_pixels(in)) *
            complex_bytes);
    if (in.keep_waves || in.exit_waves) {
        const std::size_t bytes = waves_bytes(in, own);
        const std::size_t here = std::min(in.waves_memory_bytes.value_or(bytes), bytes);
        add(fmt::format("{}{}", in.keep_waves ? "kept far fields" : "exit waves",
                        here < bytes ? ", beside those on the disk" : ""),
            here);
    }
    if (slices > 1) add("transfer functions between slices", slice_transfers_bytes(in));
    if (in.coupling_scratch_pixels > 0) {
        const std::size_t at_once = std::min(std::max<std::size_t>(workers, 1), own.which.size());
        add("slices coupled, object smoothed: scratch, strips between tiles",
            (at_once * in.coupling_scratch_pixels +
             own.coupled_strip_pixels * static_cast<std::size_t>(num_planes(in))) *
                complex_bytes);
    }
    add("copies for results", (own.interior_pixels + 3 * probe + 3 * opr_modes_pixels(in)) * complex_bytes);
    if (in.rank == 0) {
        add("the result's file: pieces of the object", pieces_bytes(in, tiling));
        if (in.pictures) add("pictures", pictures_bytes(tiling, num_planes(in)));
    }
    if (in.checkpoints)
        add("checkpoints: fields copied",
            checkpoint_bytes(in, own.pixels, probe) + opr_modes_pixels(in) * complex_bytes);
    if (in.checkpoints && in.exit_waves) {
        const auto batches = static_cast<std::size_t>(num_out_slots(in.machine.num_workers()));
        add("exit waves on their way to a checkpoint",
            std::min(batches * static_cast<std::size_t>(tiling.batch_size), own.frames) * frame *
                num_waves(in) * complex_bytes);
    }
    add("positions, counts and errors of all frames",
        static_cast<std::size_t>(tiling.num_frames()) *
            (bytes_per_frame + (in.rank == 0 ? more_per_frame_on_first : 0)));
    if (in.varies_probe) {
        const auto size = static_cast<std::size_t>(1 + 2 * in.num_opr_modes);
        add("lights of frames, their copies, weights of all frames",
            size * (own.frames * 4 * (in.checkpoints ? 4 : 3) +
                    static_cast<std::size_t>(tiling.num_frames()) * 16));
    }
    if (in.refines_background) {
        // Of the detector, noted, of results, of checkpoints; the file's.
        const std::size_t backgrounds = (in.checkpoints ? 4 : 3) + (in.rank == 0 ? 1 : 0);
        add("background: values, copies", backgrounds * detector_pixels(in) * sizeof(float));
    }
    if (in.refines_positions) {
        add("places of frames, their copies, shifts of all frames",
            own.frames * bytes_per_place * (in.checkpoints ? 3 : 2) +
                static_cast<std::size_t>(tiling.num_frames()) * bytes_per_shift);
    }
    return forecast;
}

PatternPlan plan_within(const ForecastInput& in, const Tiling& tiling, const OwnTiles& own,
                        std::size_t limit_bytes) {
    PatternPlan all = plan_with(in, tiling, own, SIZE_MAX);
    if (forecast_of(in, tiling, own, all).total_bytes() <= limit_bytes) return all;
    PatternPlan none = plan_with(in, tiling, own, 0);
    const std::size_t least = forecast_of(in, tiling, own, none).total_bytes();
    return limit_bytes > least ? plan_with(in, tiling, own, limit_bytes - least) : none;
}

}  // namespace

PatternPlan plan_patterns(const ForecastInput& in, const Tiling& tiling, std::size_t limit_bytes) {
    return plan_within(in, tiling, own_tiles(in, tiling), limit_bytes);
}

MemoryForecast forecast_memory(const ForecastInput& in, const Tiling& tiling, const PatternPlan& plan) {
    return forecast_of(in, tiling, own_tiles(in, tiling), plan);
}

MemoryForecast forecast_memory(const ForecastInput& in, const Tiling& tiling) {
    const OwnTiles own = own_tiles(in, tiling);
    return forecast_of(in, tiling, own, plan_with(in, tiling, own, SIZE_MAX));
}

std::vector<std::size_t> forecast_memory_of_ranks(const ForecastInput& input, const Tiling& tiling,
                                                  std::size_t limit_bytes) {
    std::vector<std::size_t> bytes;
    ForecastInput in = input;
    in.rank = 0;
    for (const OwnTiles& own : tiles_of_ranks(in, tiling)) {
        const PatternPlan plan = plan_within(in, tiling, own, limit_bytes);
        bytes.push_back(forecast_of(in, tiling, own, plan).total_bytes());
        ++in.rank;
    }
    return bytes;
}

std::size_t kept_waves_bytes(const ForecastInput& in, const Tiling& tiling) {
    return waves_bytes(in, own_tiles(in, tiling));
}

GpuForecast forecast_gpu_memory(const ForecastInput& in, const Tiling& tiling) {
    constexpr std::size_t batches_on_their_way = 4;
    const auto gpus = static_cast<std::size_t>(std::max(in.machine.num_gpus, 1));
    const std::size_t frame = area(in.frame_shape), modes = static_cast<std::size_t>(in.num_modes);
    const std::size_t probe = area(in.probe_shape) * modes;
    const OwnTiles own = own_tiles(in, tiling);
    const auto slices = static_cast<std::size_t>(in.num_slices);
    const std::size_t window = area(tiling.largest_window());
    const std::size_t slots =
        static_cast<std::size_t>(num_out_slots(in.machine.num_workers())) * own.which.size();
    const std::size_t pattern = detector_pixels(in) * bytes_per_count(in.pattern_type);
    const std::size_t wave = fields_per_wave(in) * frame * num_waves(in) * complex_bytes;
    const std::size_t patterns = own.frames * pattern / gpus, waves = own.frames * wave / gpus;

    GpuForecast forecast;
    const auto add = [&](std::string what, std::size_t bytes) {
        forecast.terms.push_back({std::move(what), bytes});
        forecast.least_bytes += bytes;
    };
    add("object tiles: value, direction, gradients, illumination",
        own.pixels * (2 * complex_bytes + 4) +
            num_gradients(in.exchange) * sums_pixels(in, own.pixels) * complex_bytes);
    add("strips between tiles", own.strip_pixels * strip_planes(in) * complex_bytes);
    add("batch windows in flight",
        slots * (planes_of_sums(in) * window + batch_part_pixels(in)) * complex_bytes);
    if (in.is_staged) add("waves between the stages of operations", stage_waves_bytes(in, tiling, own));
    add_probe_terms(in, own, add);
    add("mask, background, transfer function", frame * (2 * 4 + (in.near_field ? complex_bytes : 0)));
    add("scratch of the kernels and transforms", in.gpu_scratch_bytes);
    if (in.checkpoints)
        add("checkpoints: fields copied",
            checkpoint_bytes(in, own.pixels, probe) + opr_modes_pixels(in) * complex_bytes);
    if (in.coupling_scratch_pixels > 0) {
        add("slices coupled, object smoothed: scratch, strips between tiles",
            (2 * in.coupling_scratch_pixels +
             own.coupled_strip_pixels * static_cast<std::size_t>(num_planes(in))) *
                complex_bytes);
    }
    if (slices > 1) {
        add("transfer functions between slices, batch windows at trial steps",
            slice_transfers_bytes(in) + 3 * slices * window * complex_bytes);
    }
    forecast.terms.push_back({"patterns as stored, of this GPU's share", patterns});
    if (wave > 0) {
        const char* what = in.keep_waves ? "kept far fields" : "exit waves";
        forecast.terms.push_back({fmt::format("{}, of this GPU's share", what), waves});
    }
    forecast.least_bytes +=
        batches_on_their_way * static_cast<std::size_t>(tiling.batch_size) * (pattern + wave);
    const std::size_t passes = 1 + (in.line_search ? 1 : 0) + (in.refines_positions ? 1 : 0) +
                               (in.varies_probe ? 1 : 0) + (in.refines_background ? 1 : 0);
    forecast.streamed_bytes = passes * (patterns + 2 * waves);
    return forecast;
}

bool waves_fit(const ForecastInput& input, const Tiling& tiling, std::size_t budget_bytes) {
    ForecastInput kept = input;
    kept.keep_waves = true;
    const auto bytes = forecast_memory_of_ranks(kept, tiling, SIZE_MAX);
    return *std::max_element(bytes.begin(), bytes.end()) <= budget_bytes;
}

}  // namespace tessera
