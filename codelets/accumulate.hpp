#pragma once

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

// Sums in a declared order: the engine submits these in the order in which they must add.

// target = 0, `bytes` of it. Buffers: target W.
struct ClearArgs {
    std::size_t bytes = 0;
    BufferBytes buffer_bytes() const { return {bytes}; }
};
extern const Codelet<ClearArgs> clear;

enum class BatchParts : std::int32_t { scalars, window, scalars_and_window };

// A batch's out into its tile: the window into `field` (an extended tile) at (window_y, window_x), plane by
// plane, the probe part and the BatchSums into `sums`. Buffers: out R, field RW, sums RW. With `scalars` only
// the BatchSums move and the field is not needed: Buffers of add_batch_scalars: out R, sums RW. With `window`
// only the window moves: Buffers of add_batch_window: out R, field RW.
struct AddBatchArgs {
    std::int32_t window_y = 0, window_x = 0;
    Shape2 window, tile;
    std::size_t probe_size = 0;
    BatchParts parts = BatchParts::scalars_and_window;
    std::int32_t num_planes = 1;
    BufferBytes buffer_bytes() const;
};
extern const Codelet<AddBatchArgs> add_batch;
extern const Codelet<AddBatchArgs> add_batch_scalars;
extern const Codelet<AddBatchArgs> add_batch_window;

// target += source, BatchSums and probe part: an edge of the tree over tiles. Buffers: target RW, source R.
struct AddSumsArgs {
    std::size_t probe_size = 0;
    BufferBytes buffer_bytes() const { return {sums_bytes(probe_size), sums_bytes(probe_size)}; }
};
extern const Codelet<AddSumsArgs> add_sums;

// A rectangle of an extended tile, in all its planes.
struct Strip {
    std::int32_t y = 0, x = 0;
    Shape2 shape;
};

// strip = field[rectangle], dense (plane, y, x). Buffers: field R, strip W.
struct CutStripArgs {
    Shape2 tile;
    Strip strip;
    std::int32_t num_planes = 1;
    BufferBytes buffer_bytes() const {
        return {field_bytes(tile, num_planes), field_bytes(strip.shape, num_planes)};
    }
};
extern const Codelet<CutStripArgs> cut_strip;

// field[rectangle] += strip. Buffers: strip R, field RW.
struct AddStripArgs {
    Shape2 tile;
    Strip strip;
    std::int32_t num_planes = 1;
    BufferBytes buffer_bytes() const {
        return {field_bytes(strip.shape, num_planes), field_bytes(tile, num_planes)};
    }
};
extern const Codelet<AddStripArgs> add_strip;

// field[rectangle] = strip. Buffers: strip R, field RW.
struct PasteStripArgs {
    Shape2 tile;
    Strip strip;
    std::int32_t num_planes = 1;
    BufferBytes buffer_bytes() const {
        return {field_bytes(strip.shape, num_planes), field_bytes(tile, num_planes)};
    }
};
extern const Codelet<PasteStripArgs> paste_strip;

// target[rectangle] = source[rectangle], two fields of one shape. Buffers: source R, target RW.
struct CopyRectangleArgs {
    Shape2 tile;
    Strip rectangle;
    std::int32_t num_planes = 1;
    BufferBytes buffer_bytes() const {
        return {field_bytes(tile, num_planes), field_bytes(tile, num_planes)};
    }
};
extern const Codelet<CopyRectangleArgs> copy_rectangle;

// target = source. Buffers: source R, target W.
struct CopyArgs {
    std::size_t bytes = 0;
    BufferBytes buffer_bytes() const { return {bytes, bytes}; }
};
extern const Codelet<CopyArgs> copy;

// On a device: accumulate.cu.
void clear_device(const ClearArgs&, const Buffers&, Device&);
void add_batch_device(const AddBatchArgs&, const Buffers&, Device&);
void add_batch_scalars_device(const AddBatchArgs&, const Buffers&, Device&);
void add_batch_window_device(const AddBatchArgs&, const Buffers&, Device&);
void add_sums_device(const AddSumsArgs&, const Buffers&, Device&);
void cut_strip_device(const CutStripArgs&, const Buffers&, Device&);
void add_strip_device(const AddStripArgs&, const Buffers&, Device&);
void paste_strip_device(const PasteStripArgs&, const Buffers&, Device&);
void copy_rectangle_device(const CopyRectangleArgs&, const Buffers&, Device&);
void copy_device(const CopyArgs&, const Buffers&, Device&);

}  // namespace tessera
