#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "config/run_config.hpp"
#include "scan/positions.hpp"
#include "tiling/machine.hpp"
#include "tiling/minibatches.hpp"

namespace tessera {

// A half-open rectangle of object pixels: [y0, y1) x [x0, x1).
struct Rect {
    int y0 = 0, x0 = 0, y1 = 0, x1 = 0;

    int height() const { return y1 - y0; }
    int width() const { return x1 - x0; }
    std::ptrdiff_t area() const { return static_cast<std::ptrdiff_t>(height()) * width(); }
    bool empty() const { return y1 <= y0 || x1 <= x0; }
    bool contains(const Rect& inner) const;
    friend bool operator==(const Rect&, const Rect&) = default;
};

Rect intersection(const Rect& a, const Rect& b);
Rect bounding_box(const Rect& a, const Rect& b);  // an empty rectangle does not count

// Up to B frames of one tile, and the bounding box of their probe windows in it, wherever they may move to
// (object coordinates).
struct Batch {
    std::vector<std::ptrdiff_t> frames;  // indices into the placement, in summation order
    Rect window;
    bool reaches_neighbour = false;  // its sums go to other tiles
    bool is_own = true;              // false: frames of other tiles, computed here once more
    int minibatch = 0;               // that all of its frames are in
};

// A neighbour is another tile whose extended rectangle overlaps this one's.
struct Neighbour {
    int tile = 0;
    Rect overlap;
};

// A cell of the grid. Interiors partition the object; `extended` is what the tile keeps in memory: every
// window of its own frames, or as much of it as the halo keeps, lies inside.
struct Tile {
    Rect interior;
    Rect extended;
    std::vector<Batch> batches;         // those that reach a neighbour first, other tiles' frames last
    std::vector<Neighbour> neighbours;  // ascending tile index
    std::ptrdiff_t num_frames() const;  // that it holds and computes, its own or not
};

// How far tiles are extended beyond the centres of their frames on each side, in pixels of both axes.
using HaloWidth = std::array<int, 2>;
inline constexpr HaloWidth whole_window = {1 << 24, 1 << 24};  // as far as the windows reach

struct Tiling {
    std::array<int, 2> grid = {1, 1};  // (rows, columns)
    std::array<int, 2> object_shape = {0, 0};
    std::array<int, 2> window_shape = {0, 0};
    int batch_size = 1;
    std::vector<Tile> tiles;  // row-major
    Minibatches minibatches;

    // The largest batch window (height, width) of any tile.
    std::array<int, 2> largest_window() const;
    std::ptrdiff_t extended_area() const;  // summed over tiles
    std::ptrdiff_t num_frames() const;     // summed over tiles: more than the scan has with Exchange::voxels
};

// Cuts the object into grid[0] x grid[1] cells by common row and column cuts that balance the frames, extends
// each band as far as the windows of its frames reach (starts and ends made non-decreasing), and orders each
// tile's frames: by mini-batch, in each those whose windows reach another tile first, then along a Hilbert
// curve. A frame belongs to the tile whose interior holds the centre of its window. Cost: O(N log N). Throws
// a usage Error when the object has fewer rows or columns than the grid.
//
// A narrower halo than half a window keeps only so many pixels on each side of the pixel at the centre of a
// window; the rest may lie outside of the extended tile, where the tile's frames see vacuum (Wang et al.,
// SC22: a window of 1024 pixels around a probe of 120).
//
// With Exchange::voxels a tile also has batches of all other frames whose windows reach into its interior, so
// that its own frames and these give the whole gradient there, and it is extended to what all of their
// windows need: about a window beyond its interior instead of half of one. In that halo the gradient is
// incomplete, the more the farther out: frames that do not reach the interior are missing there. With a
// narrower halo it is what the halo keeps of a window that counts.
//
// Every tile is extended by `reach` pixels beyond its interior at least, or to the object's edge, whatever
// the windows.
Tiling make_tiling(const Placement& placement, std::array<int, 2> grid, int batch_size,
                   Exchange exchange = Exchange::neighbours, HaloWidth halo = whole_window,
                   Minibatches minibatches = {}, int reach = 0);

// Which rank owns each tile: compact rectangles of tiles, halved until each rank has one, with the frames
// balanced. The first tile is rank 0's. Throws a usage Error when there are fewer tiles than ranks.
std::vector<int> assign_owners(const Tiling& tiling, int num_ranks);

// The automatic choices: functions of the scan's shape, the number of modes and the kind of device alone,
// never of timings, workers or ranks, so that the same run file gives the same answer everywhere; nor of the
// exchange, which can do with any grid, so that its kinds can be compared.
//  - batch: about 6 ms of gradient on a nominal core (25 GFLOP/s of transforms), but 32 batches a scan where
//  that leaves 1.5 ms, else at least 16; on a GPU 256 frames of 128 x 128 pixels, a sixteenth of the scan
//  at most;
//  - grid: as many tiles as there are 64 frames for (on a GPU 512), while the extended tiles together stay
//  below 1.35 x the object.
int automatic_batch_size(std::array<int, 2> frame_shape, int num_modes, std::ptrdiff_t num_frames,
                         DeviceKind kind = DeviceKind::cpu);
std::array<int, 2> automatic_grid(const Placement& placement, DeviceKind kind = DeviceKind::cpu,
                                  HaloWidth halo = whole_window);

}  // namespace tessera
