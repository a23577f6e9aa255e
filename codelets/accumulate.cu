#include "codelets/accumulate.hpp"

#include "codelets/device/device.hpp"

namespace tessera {
namespace {

struct AddFields {
    cfloat* to;
    const cfloat* from;
    TESSERA_HD void operator()(std::int32_t i, std::int32_t, std::int32_t) const { to[i] = to[i] + from[i]; }
};

// Row by row between arrays of different width. x, y: of the rectangle.
struct AddRectangle {
    cfloat* to;
    std::ptrdiff_t to_width;
    const cfloat* from;
    std::ptrdiff_t from_width;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t) const {
        cfloat& target = to[y * to_width + x];
        target = target + from[y * from_width + x];
    }
};

struct CopyRectangle {
    cfloat* to;
    std::ptrdiff_t to_width;
    const cfloat* from;
    std::ptrdiff_t from_width;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t) const {
        to[y * to_width + x] = from[y * from_width + x];
    }
};

struct AddBatchScalars {
    BatchSums* to;
    const BatchSums* from;
    TESSERA_HD void operator()() const { add(*to, *from); }
};

template <class Value>
Value* pixel_of(Value* field, Shape2 shape, std::int32_t y, std::int32_t x) {
    return field + static_cast<std::ptrdiff_t>(y) * shape.x + x;
}

void add_probe_and_scalars(std::byte* to, const std::byte* from, std::size_t probe_size, Device& device) {
    device.for_each({static_cast<std::int32_t>(probe_size)}, AddFields{probe_part(to), probe_part(from)});
    device.once(AddBatchScalars{batch_sums(to), batch_sums(from)});
}

}  // namespace

void clear_device(const ClearArgs& args, const Buffers& buffers, Device& device) {
    device.clear(buffers.get<std::byte>(0), args.bytes);
}

void add_batch_device(const AddBatchArgs& args, const Buffers& buffers, Device& device) {
    const auto* out = buffers.get<const std::byte>(0);
    cfloat* field = pixel_of(buffers.get<cfloat>(1), args.tile, args.window_y, args.window_x);
    device.for_each({args.window.x, args.window.y},
                    AddRectangle{field, args.tile.x, window_part(out, args.probe_size), args.window.x});
    add_probe_and_scalars(buffers.get<std::byte>(2), out, args.probe_size, device);
}

void add_batch_scalars_device(const AddBatchArgs&, const Buffers& buffers, Device& device) {
    device.once(
        AddBatchScalars{batch_sums(buffers.get<std::byte>(1)), batch_sums(buffers.get<const std::byte>(0))});
}

void add_sums_device(const AddSumsArgs& args, const Buffers& buffers, Device& device) {
    add_probe_and_scalars(buffers.get<std::byte>(0), buffers.get<const std::byte>(1), args.probe_size,
                          device);
}

void cut_strip_device(const CutStripArgs& args, const Buffers& buffers, Device& device) {
    const auto& [y, x, shape] = args.strip;
    const cfloat* field = pixel_of(buffers.get<const cfloat>(0), args.tile, y, x);
    device.for_each({shape.x, shape.y}, CopyRectangle{buffers.get<cfloat>(1), shape.x, field, args.tile.x});
}

void add_strip_device(const AddStripArgs& args, const Buffers& buffers, Device& device) {
    const auto& [y, x, shape] = args.strip;
    cfloat* field = pixel_of(buffers.get<cfloat>(1), args.tile, y, x);
    device.for_each({shape.x, shape.y},
                    AddRectangle{field, args.tile.x, buffers.get<const cfloat>(0), shape.x});
}

void paste_strip_device(const PasteStripArgs& args, const Buffers& buffers, Device& device) {
    const auto& [y, x, shape] = args.strip;
    cfloat* field = pixel_of(buffers.get<cfloat>(1), args.tile, y, x);
    device.for_each({shape.x, shape.y},
                    CopyRectangle{field, args.tile.x, buffers.get<const cfloat>(0), shape.x});
}

void copy_rectangle_device(const CopyRectangleArgs& args, const Buffers& buffers, Device& device) {
    const auto& [y, x, shape] = args.rectangle;
    cfloat* target = pixel_of(buffers.get<cfloat>(1), args.tile, y, x);
    const cfloat* source = pixel_of(buffers.get<const cfloat>(0), args.tile, y, x);
    device.for_each({shape.x, shape.y}, CopyRectangle{target, args.tile.x, source, args.tile.x});
}

void copy_device(const CopyArgs& args, const Buffers& buffers, Device& device) {
    device.copy(buffers.get<std::byte>(1), buffers.get<const std::byte>(0), args.bytes);
}

}  // namespace tessera
