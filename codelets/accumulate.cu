#include "codelets/accumulate.hpp"

#include "codelets/device/device.hpp"

namespace tessera {
namespace {

TESSERA_HD std::ptrdiff_t offset_of(Shape2 shape, std::int32_t plane, std::int32_t y, std::int32_t x) {
    return (static_cast<std::ptrdiff_t>(plane) * shape.y + y) * shape.x + x;
}

struct AddFields {
    cfloat* to;
    const cfloat* from;
    TESSERA_HD void operator()(std::int32_t i, std::int32_t, std::int32_t) const { to[i] = to[i] + from[i]; }
};

// Between arrays of different width, plane by plane. x, y: of the rectangle, z: the plane.
struct AddRectangle {
    cfloat* to;
    Shape2 to_shape;
    const cfloat* from;
    Shape2 from_shape;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t plane) const {
        cfloat& target = to[offset_of(to_shape, plane, y, x)];
        target = target + from[offset_of(from_shape, plane, y, x)];
    }
};

struct CopyRectangle {
    cfloat* to;
    Shape2 to_shape;
    const cfloat* from;
    Shape2 from_shape;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t plane) const {
        to[offset_of(to_shape, plane, y, x)] = from[offset_of(from_shape, plane, y, x)];
    }
};

struct AddBatchScalars {
    BatchSums* to;
    const BatchSums* from;
    TESSERA_HD void operator()() const { add(*to, *from); }
};

void add_probe_and_scalars(std::byte* to, const std::byte* from, std::size_t probe_size, Device& device) {
    device.for_each({static_cast<std::int32_t>(probe_size)}, AddFields{probe_part(to), probe_part(from)});
    device.once(AddBatchScalars{batch_sums(to), batch_sums(from)});
}

}  // namespace

void clear_device(const ClearArgs& args, const Buffers& buffers, Device& device) {
    device.clear(buffers.get<std::byte>(0), args.bytes);
}

void add_batch_window_device(const AddBatchArgs& args, const Buffers& buffers, Device& device) {
    const auto* out = buffers.get<const std::byte>(0);
    cfloat* field = buffers.get<cfloat>(1) + offset_of(args.tile, 0, args.window_y, args.window_x);
    device.for_each({args.window.x, args.window.y, args.num_planes},
                    AddRectangle{field, args.tile, window_part(out, args.probe_size), args.window});
}

void add_batch_device(const AddBatchArgs& args, const Buffers& buffers, Device& device) {
    add_batch_window_device(args, buffers, device);
    add_probe_and_scalars(buffers.get<std::byte>(2), buffers.get<const std::byte>(0), args.probe_size,
                          device);
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
    const cfloat* field = buffers.get<const cfloat>(0) + offset_of(args.tile, 0, y, x);
    device.for_each({shape.x, shape.y, args.num_planes},
                    CopyRectangle{buffers.get<cfloat>(1), shape, field, args.tile});
}

void add_strip_device(const AddStripArgs& args, const Buffers& buffers, Device& device) {
    const auto& [y, x, shape] = args.strip;
    cfloat* field = buffers.get<cfloat>(1) + offset_of(args.tile, 0, y, x);
    device.for_each({shape.x, shape.y, args.num_planes},
                    AddRectangle{field, args.tile, buffers.get<const cfloat>(0), shape});
}

void paste_strip_device(const PasteStripArgs& args, const Buffers& buffers, Device& device) {
    const auto& [y, x, shape] = args.strip;
    cfloat* field = buffers.get<cfloat>(1) + offset_of(args.tile, 0, y, x);
    device.for_each({shape.x, shape.y, args.num_planes},
                    CopyRectangle{field, args.tile, buffers.get<const cfloat>(0), shape});
}

void copy_rectangle_device(const CopyRectangleArgs& args, const Buffers& buffers, Device& device) {
    const auto& [y, x, shape] = args.rectangle;
    const std::ptrdiff_t corner = offset_of(args.tile, 0, y, x);
    device.for_each({shape.x, shape.y, args.num_planes},
                    CopyRectangle{buffers.get<cfloat>(1) + corner, args.tile,
                                  buffers.get<const cfloat>(0) + corner, args.tile});
}

void copy_device(const CopyArgs& args, const Buffers& buffers, Device& device) {
    device.copy(buffers.get<std::byte>(1), buffers.get<const std::byte>(0), args.bytes);
}

}  // namespace tessera
