#include "tiling/tiling.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "base/error.hpp"
#include "tiling/space_filling_curve.hpp"

namespace tessera {
namespace {

// Wherever it may move to.
Rect window_of(const Placement& placement, std::ptrdiff_t frame) {
    const WindowPosition& window = placement.windows[static_cast<std::size_t>(frame)];
    const int slack = placement.max_shift_px;
    return {window.y - slack, window.x - slack, window.y + placement.window_shape[0] + slack,
            window.x + placement.window_shape[1] + slack};
}

std::array<int, 2> centre_of(const Placement& placement, std::ptrdiff_t frame) {
    const WindowPosition& window = placement.windows[static_cast<std::size_t>(frame)];
    return {window.y + placement.window_shape[0] / 2, window.x + placement.window_shape[1] / 2};
}

// What the halo keeps of a frame's window: at least the pixel at its centre.
Rect kept_of(const Placement& placement, std::ptrdiff_t frame, HaloWidth halo) {
    const auto [y, x] = centre_of(placement, frame);
    const int slack = placement.max_shift_px;
    return intersection(window_of(placement, frame), {y - halo[0] - slack, x - halo[1] - slack,
                                                      y + halo[0] + 1 + slack, x + halo[1] + 1 + slack});
}

// Cut points of one axis: 0 = cuts[0] < ... < cuts[n] = extent, with as many centres between any two cuts as
// possible.
std::vector<int> balanced_cuts(std::vector<int> centres, int num_cells, int extent) {
    std::sort(centres.begin(), centres.end());
    std::vector<int> cuts(static_cast<std::size_t>(num_cells) + 1);
    cuts.front() = 0;
    cuts.back() = extent;
    for (int cell = 1; cell < num_cells; ++cell) {
        const auto share =
            centres.size() * static_cast<std::size_t>(cell) / static_cast<std::size_t>(num_cells);
        const int wanted =
            centres.empty() ? extent * cell / num_cells : centres[std::min(share, centres.size() - 1)];
        // Strictly increasing, and room for the cells that follow.
        cuts[static_cast<std::size_t>(cell)] =
            std::clamp(wanted, cuts[static_cast<std::size_t>(cell) - 1] + 1, extent - (num_cells - cell));
    }
    return cuts;
}

int cell_of(const std::vector<int>& cuts, int centre) {
    const auto after = std::upper_bound(cuts.begin(), cuts.end() - 1, centre);
    return static_cast<int>(after - cuts.begin()) - 1;
}

// Where the interiors meet.
struct Cells {
    std::vector<int> cuts_y, cuts_x;

    Cells(const Placement& placement, std::array<int, 2> grid) {
        std::vector<int> centres_y, centres_x;
        for (std::ptrdiff_t frame = 0; frame < std::ssize(placement.windows); ++frame) {
            const auto [y, x] = centre_of(placement, frame);
            centres_y.push_back(y);
            centres_x.push_back(x);
        }
        cuts_y = balanced_cuts(std::move(centres_y), grid[0], placement.object_shape[0]);
        cuts_x = balanced_cuts(std::move(centres_x), grid[1], placement.object_shape[1]);
    }
    // The cells, as rows and columns of the grid, that a rectangle of the object reaches into.
    Rect reached_by(const Rect& rect) const {
        return {cell_of(cuts_y, rect.y0), cell_of(cuts_x, rect.x0), cell_of(cuts_y, rect.y1 - 1) + 1,
                cell_of(cuts_x, rect.x1 - 1) + 1};
    }
};

// The frames of each tile: with their centres in its interior, and, for voxels, others that reach into it.
struct Shares {
    std::vector<std::vector<std::ptrdiff_t>> own, others;
};

Shares share_out(const Placement& placement, const Cells& cells, std::array<int, 2> grid, Exchange exchange,
                 HaloWidth halo) {
    const auto num_tiles = static_cast<std::size_t>(grid[0]) * static_cast<std::size_t>(grid[1]);
    Shares shares{std::vector<std::vector<std::ptrdiff_t>>(num_tiles),
                  std::vector<std::vector<std::ptrdiff_t>>(num_tiles)};
    for (std::ptrdiff_t frame = 0; frame < std::ssize(placement.windows); ++frame) {
        const auto [y, x] = centre_of(placement, frame);
        const Rect owner = cells.reached_by({y, x, y + 1, x + 1});
        const Rect reached =
            exchange == Exchange::voxels ? cells.reached_by(kept_of(placement, frame, halo)) : owner;
        for (int row = reached.y0; row < reached.y1; ++row) {
            for (int column = reached.x0; column < reached.x1; ++column) {
                const bool is_own = row == owner.y0 && column == owner.x0;
                (is_own ? shares.own : shares.others)[static_cast<std::size_t>(row * grid[1] + column)]
                    .push_back(frame);
            }
        }
    }
    return shares;
}

// [start, end) of each band after growing it to the windows of its frames.
struct Bands {
    std::vector<int> start, end;
};

Bands make_bands(const std::vector<int>& cuts) {
    return {{cuts.begin(), cuts.end() - 1}, {cuts.begin() + 1, cuts.end()}};
}

void grow(Bands& bands, int cell, int start, int end) {
    auto& s = bands.start[static_cast<std::size_t>(cell)];
    auto& e = bands.end[static_cast<std::size_t>(cell)];
    s = std::min(s, start);
    e = std::max(e, end);
}

void make_monotone(Bands& bands) {
    for (std::size_t i = bands.start.size() - 1; i > 0; --i) {
        bands.start[i - 1] = std::min(bands.start[i - 1], bands.start[i]);
    }
    for (std::size_t i = 1; i < bands.end.size(); ++i)
        bands.end[i] = std::max(bands.end[i], bands.end[i - 1]);
}

struct OrderedFrame {
    std::ptrdiff_t frame;
    int minibatch;
    bool reaches_neighbour;
    std::uint64_t along_curve;
};

std::vector<Batch> make_batches(std::vector<OrderedFrame> frames, const Placement& placement,
                                const Rect& tile, int batch_size) {
    std::sort(frames.begin(), frames.end(), [](const OrderedFrame& a, const OrderedFrame& b) {
        if (a.minibatch != b.minibatch) return a.minibatch < b.minibatch;
        if (a.reaches_neighbour != b.reaches_neighbour) return a.reaches_neighbour;
        if (a.along_curve != b.along_curve) return a.along_curve < b.along_curve;
        return a.frame < b.frame;
    });
    std::vector<Batch> batches;
    for (const OrderedFrame& ordered : frames) {
        if (batches.empty() || std::ssize(batches.back().frames) == batch_size ||
            batches.back().minibatch != ordered.minibatch)
            batches.emplace_back().minibatch = ordered.minibatch;
        Batch& batch = batches.back();
        batch.frames.push_back(ordered.frame);
        batch.reaches_neighbour = batch.reaches_neighbour || ordered.reaches_neighbour;
        batch.window = bounding_box(batch.window, intersection(window_of(placement, ordered.frame), tile));
    }
    return batches;
}

std::vector<Neighbour> find_neighbours(const std::vector<Tile>& tiles, std::size_t of) {
    std::vector<Neighbour> neighbours;
    for (std::size_t other = 0; other < tiles.size(); ++other) {
        const Rect overlap = intersection(tiles[of].extended, tiles[other].extended);
        if (other != of && !overlap.empty()) neighbours.push_back({static_cast<int>(other), overlap});
    }
    return neighbours;
}

// The interior and so many pixels around it, as far as the object goes.
Rect reached_from(const Tiling& tiling, std::size_t t, int reach) {
    const Rect& interior = tiling.tiles[t].interior;
    return intersection({interior.y0 - reach, interior.x0 - reach, interior.y1 + reach, interior.x1 + reach},
                        {0, 0, tiling.object_shape[0], tiling.object_shape[1]});
}

// Rows of tiles share their row band, columns their column band.
void extend_bands(Tiling& tiling, const Placement& placement, const Cells& cells, const Shares& shares,
                  HaloWidth halo, int reach) {
    Bands rows = make_bands(cells.cuts_y), columns = make_bands(cells.cuts_x);
    for (std::size_t t = 0; t < tiling.tiles.size(); ++t) {
        const auto row = static_cast<int>(t) / tiling.grid[1], column = static_cast<int>(t) % tiling.grid[1];
        for (const std::ptrdiff_t frame : shares.own[t]) {
            const Rect kept = kept_of(placement, frame, halo);
            grow(rows, row, kept.y0, kept.y1);
            grow(columns, column, kept.x0, kept.x1);
        }
        const Rect reached = reached_from(tiling, t, reach);
        grow(rows, row, reached.y0, reached.y1);
        grow(columns, column, reached.x0, reached.x1);
    }
    make_monotone(rows);
    make_monotone(columns);
    const auto num_columns = static_cast<std::size_t>(tiling.grid[1]);
    for (std::size_t t = 0; t < tiling.tiles.size(); ++t) {
        const std::size_t row = t / num_columns, column = t % num_columns;
        tiling.tiles[t].extended = {rows.start[row], columns.start[column], rows.end[row],
                                    columns.end[column]};
    }
}

void extend_each(Tiling& tiling, const Placement& placement, const Shares& shares, HaloWidth halo,
                 int reach) {
    for (std::size_t t = 0; t < tiling.tiles.size(); ++t) {
        Tile& tile = tiling.tiles[t];
        tile.extended = reached_from(tiling, t, reach);
        for (const auto* frames : {&shares.own[t], &shares.others[t]}) {
            for (const std::ptrdiff_t frame : *frames)
                tile.extended = bounding_box(tile.extended, kept_of(placement, frame, halo));
        }
    }
}

std::vector<OrderedFrame> ordered(const Placement& placement, const std::vector<std::ptrdiff_t>& frames,
                                  const std::vector<Neighbour>& told_to, const Minibatches& minibatches) {
    std::vector<OrderedFrame> ordered;
    for (const std::ptrdiff_t frame : frames) {
        const Rect window = window_of(placement, frame);
        const bool reaches = std::any_of(told_to.begin(), told_to.end(), [&](const Neighbour& n) {
            return !intersection(window, n.overlap).empty();
        });
        ordered.push_back({frame, minibatches.of(frame), reaches, along_curve(placement, frame)});
    }
    return ordered;
}

void require_room(const Placement& placement, std::array<int, 2> grid) {
    for (std::size_t axis = 0; axis < 2; ++axis) {
        if (grid[axis] <= placement.object_shape[axis]) continue;
        throw usage_error("tiling.tiles: {} {} do not fit an object of {} x {} pixels", grid[axis],
                          axis == 0 ? "rows" : "columns", placement.object_shape[0],
                          placement.object_shape[1]);
    }
}

}  // namespace

bool Rect::contains(const Rect& inner) const {
    return inner.y0 >= y0 && inner.y1 <= y1 && inner.x0 >= x0 && inner.x1 <= x1;
}

Rect intersection(const Rect& a, const Rect& b) {
    return {std::max(a.y0, b.y0), std::max(a.x0, b.x0), std::min(a.y1, b.y1), std::min(a.x1, b.x1)};
}

Rect bounding_box(const Rect& a, const Rect& b) {
    if (a.empty()) return b;
    if (b.empty()) return a;
    return {std::min(a.y0, b.y0), std::min(a.x0, b.x0), std::max(a.y1, b.y1), std::max(a.x1, b.x1)};
}

std::ptrdiff_t Tile::num_frames() const {
    std::ptrdiff_t count = 0;
    for (const Batch& batch : batches) count += std::ssize(batch.frames);
    return count;
}

std::array<int, 2> Tiling::largest_window() const {
    std::array<int, 2> largest = {0, 0};
    for (const Tile& tile : tiles) {
        for (const Batch& batch : tile.batches) {
            largest[0] = std::max(largest[0], batch.window.height());
            largest[1] = std::max(largest[1], batch.window.width());
        }
    }
    return largest;
}

std::ptrdiff_t Tiling::extended_area() const {
    return std::accumulate(tiles.begin(), tiles.end(), std::ptrdiff_t{0},
                           [](std::ptrdiff_t sum, const Tile& tile) { return sum + tile.extended.area(); });
}

std::ptrdiff_t Tiling::num_frames() const {
    return std::accumulate(tiles.begin(), tiles.end(), std::ptrdiff_t{0},
                           [](std::ptrdiff_t sum, const Tile& tile) { return sum + tile.num_frames(); });
}

Tiling make_tiling(const Placement& placement, std::array<int, 2> grid, int batch_size, Exchange exchange,
                   HaloWidth halo, Minibatches minibatches, int reach) {
    TESSERA_EXPECT(batch_size > 0 && grid[0] > 0 && grid[1] > 0 && halo[0] >= 0 && halo[1] >= 0);
    require_room(placement, grid);
    const Cells cells(placement, grid);
    const Shares shares = share_out(placement, cells, grid, exchange, halo);
    Tiling tiling{grid, placement.object_shape, placement.window_shape, batch_size,
                  {},   std::move(minibatches)};
    for (std::size_t r = 0; r < static_cast<std::size_t>(grid[0]); ++r) {
        for (std::size_t c = 0; c < static_cast<std::size_t>(grid[1]); ++c) {
            tiling.tiles.emplace_back().interior = {cells.cuts_y[r], cells.cuts_x[c], cells.cuts_y[r + 1],
                                                    cells.cuts_x[c + 1]};
        }
    }
    if (exchange == Exchange::voxels) {
        extend_each(tiling, placement, shares, halo, reach);
    } else {
        extend_bands(tiling, placement, cells, shares, halo, reach);
    }
    for (std::size_t t = 0; t < tiling.tiles.size(); ++t) {
        Tile& tile = tiling.tiles[t];
        tile.neighbours = find_neighbours(tiling.tiles, t);
        const auto told_to = exchange == Exchange::voxels ? std::vector<Neighbour>() : tile.neighbours;
        const auto batches_of = [&](const std::vector<std::ptrdiff_t>& frames,
                                    const std::vector<Neighbour>& neighbours) {
            return make_batches(ordered(placement, frames, neighbours, tiling.minibatches), placement,
                                tile.extended, batch_size);
        };
        tile.batches = batches_of(shares.own[t], told_to);
        for (Batch& batch : batches_of(shares.others[t], {})) {
            batch.is_own = false;
            tile.batches.push_back(std::move(batch));
        }
    }
    return tiling;
}

int automatic_batch_size(std::array<int, 2> frame_shape, int num_modes, std::ptrdiff_t num_frames,
                         DeviceKind kind) {
    const double pixels = static_cast<double>(frame_shape[0]) * frame_shape[1];
    const auto sixteenth = static_cast<double>(std::max<std::ptrdiff_t>(num_frames / 16, 1));
    if (kind == DeviceKind::gpu) {
        // A task should keep every multiprocessor busy for about a millisecond.
        const double frames = std::round(256.0 * 128 * 128 / (pixels * num_modes));
        return static_cast<int>(std::clamp(std::min(frames, sixteenth), 1.0, 4096.0));
    }
    constexpr double short_task_s = 1.5e-3, long_task_s = 6e-3;
    constexpr double nominal_flops_per_s = 25e9, share_of_transforms = 0.6;
    const double transform_s = 5 * pixels * std::log2(std::max(pixels, 2.0)) / nominal_flops_per_s;
    const double frame_s = 2 * num_modes * transform_s / share_of_transforms;
    // Every batch clears and adds sums for the probe and its window of the object: the more frames share them
    // the better. Scans too small for many long tasks have shorter ones, so that they still spread out.
    const double in_many_tasks = static_cast<double>(std::max<std::ptrdiff_t>(num_frames / 32, 1));
    const double in_short_tasks = std::min(std::round(short_task_s / frame_s), sixteenth);
    const double frames =
        std::min(std::round(long_task_s / frame_s), std::max(in_many_tasks, in_short_tasks));
    return static_cast<int>(std::clamp(frames, 1.0, 256.0));
}

std::array<int, 2> automatic_grid(const Placement& placement, DeviceKind kind, HaloWidth halo) {
    const std::ptrdiff_t frames_per_tile = kind == DeviceKind::gpu ? 512 : 64;
    constexpr double most_overhead = 1.35;
    const auto most_tiles = std::max<std::ptrdiff_t>(std::ssize(placement.windows) / frames_per_tile, 1);
    const double object_area = static_cast<double>(placement.object_shape[0]) * placement.object_shape[1];
    const int slack = 2 * placement.max_shift_px;
    std::array<int, 2> best = {1, 1};
    for (int rows = 1; rows <= 64 && rows <= placement.object_shape[0]; ++rows) {
        for (int columns = 1; columns <= 64 && columns <= placement.object_shape[1]; ++columns) {
            const int tiles = rows * columns;
            if (tiles > most_tiles || tiles <= best[0] * best[1]) continue;
            // An inner cell is extended by about half a window on each side, or by the halo.
            const int beyond_y = std::min(placement.window_shape[0], 2 * halo[0] + 1) + slack,
                      beyond_x = std::min(placement.window_shape[1], 2 * halo[1] + 1) + slack;
            const double height = static_cast<double>(placement.object_shape[0]) + (rows - 1) * beyond_y;
            const double width = static_cast<double>(placement.object_shape[1]) + (columns - 1) * beyond_x;
            if (height * width <= most_overhead * object_area) best = {rows, columns};
        }
    }
    return best;
}

}  // namespace tessera
