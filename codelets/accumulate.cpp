#include "codelets/accumulate.hpp"

#include <cstring>

#include "codelets/cost_model.hpp"

namespace tessera {
namespace {

void add(cfloat* to, const cfloat* from, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) to[i] = to[i] + from[i];
}

void clear_cpu(const ClearArgs& args, const Buffers& buffers) {
    std::memset(buffers.get<std::byte>(0), 0, args.bytes);
}

Cost clear_cost(const ClearArgs& args) {
    return {0, static_cast<double>(args.bytes)};
}

void add_batch_cpu(const AddBatchArgs& args, const Buffers& buffers) {
    const auto* out = buffers.get<const std::byte>(0);
    auto* field = buffers.get<cfloat>(1);
    auto* sums = buffers.get<std::byte>(2);
    const cfloat* window = window_part(out, args.probe_size);
    for (int y = 0; y < args.window.y; ++y) {
        add(field + static_cast<std::ptrdiff_t>(args.window_y + y) * args.tile.x + args.window_x,
            window + static_cast<std::ptrdiff_t>(y) * args.window.x, static_cast<std::size_t>(args.window.x));
    }
    add(probe_part(sums), probe_part(out), args.probe_size);
    add(*batch_sums(sums), *batch_sums(out));
}

void add_batch_scalars_cpu(const AddBatchArgs&, const Buffers& buffers) {
    add(*batch_sums(buffers.get<std::byte>(1)), *batch_sums(buffers.get<const std::byte>(0)));
}

Cost add_batch_cost(const AddBatchArgs& args) {
    if (args.parts == BatchParts::scalars) return {16, 2 * sizeof(BatchSums)};
    return pixels_cost(static_cast<double>(args.window.area() + args.probe_size), 2, 3 * sizeof(cfloat));
}

void add_sums_cpu(const AddSumsArgs& args, const Buffers& buffers) {
    auto* target = buffers.get<std::byte>(0);
    const auto* source = buffers.get<const std::byte>(1);
    add(probe_part(target), probe_part(source), args.probe_size);
    add(*batch_sums(target), *batch_sums(source));
}

Cost add_sums_cost(const AddSumsArgs& args) {
    return pixels_cost(static_cast<double>(args.probe_size), 2, 3 * sizeof(cfloat));
}

// Row by row between arrays of different width.
void copy_rows(cfloat* to, int to_width, const cfloat* from, int from_width, Shape2 shape) {
    for (std::ptrdiff_t y = 0; y < shape.y; ++y) {
        std::memcpy(static_cast<void*>(to + y * to_width), from + y * from_width,
                    static_cast<std::size_t>(shape.x) * sizeof(cfloat));
    }
}

template <class Value>
Value* corner_of(Value* field, Shape2 shape, const Strip& strip) {
    return field + static_cast<std::ptrdiff_t>(strip.y) * shape.x + strip.x;
}

void cut_strip_cpu(const CutStripArgs& args, const Buffers& buffers) {
    const Strip& strip = args.strip;
    copy_rows(buffers.get<cfloat>(1), strip.shape.x,
              corner_of(buffers.get<const cfloat>(0), args.tile, strip), args.tile.x, strip.shape);
}

Cost cut_strip_cost(const CutStripArgs& args) {
    return pixels_cost(static_cast<double>(args.strip.shape.area()), 0, 2 * sizeof(cfloat));
}

void add_strip_cpu(const AddStripArgs& args, const Buffers& buffers) {
    const auto* strip = buffers.get<const cfloat>(0);
    auto* field = buffers.get<cfloat>(1);
    for (int y = 0; y < args.strip.shape.y; ++y) {
        add(field + static_cast<std::ptrdiff_t>(args.strip.y + y) * args.tile.x + args.strip.x,
            strip + static_cast<std::ptrdiff_t>(y) * args.strip.shape.x,
            static_cast<std::size_t>(args.strip.shape.x));
    }
}

Cost add_strip_cost(const AddStripArgs& args) {
    return pixels_cost(static_cast<double>(args.strip.shape.area()), 2, 3 * sizeof(cfloat));
}

void paste_strip_cpu(const PasteStripArgs& args, const Buffers& buffers) {
    const Strip& strip = args.strip;
    copy_rows(corner_of(buffers.get<cfloat>(1), args.tile, strip), args.tile.x, buffers.get<const cfloat>(0),
              strip.shape.x, strip.shape);
}

Cost paste_strip_cost(const PasteStripArgs& args) {
    return pixels_cost(static_cast<double>(args.strip.shape.area()), 0, 2 * sizeof(cfloat));
}

void copy_rectangle_cpu(const CopyRectangleArgs& args, const Buffers& buffers) {
    copy_rows(corner_of(buffers.get<cfloat>(1), args.tile, args.rectangle), args.tile.x,
              corner_of(buffers.get<const cfloat>(0), args.tile, args.rectangle), args.tile.x,
              args.rectangle.shape);
}

Cost copy_rectangle_cost(const CopyRectangleArgs& args) {
    return pixels_cost(static_cast<double>(args.rectangle.shape.area()), 0, 2 * sizeof(cfloat));
}

void copy_cpu(const CopyArgs& args, const Buffers& buffers) {
    std::memcpy(buffers.get<std::byte>(1), buffers.get<const std::byte>(0), args.bytes);
}

Cost copy_cost(const CopyArgs& args) {
    return {0, 2.0 * static_cast<double>(args.bytes)};
}

}  // namespace

BufferBytes AddBatchArgs::buffer_bytes() const {
    if (parts == BatchParts::scalars) return {sizeof(BatchSums), sizeof(BatchSums)};
    return {out_bytes(window, probe_size), field_bytes(tile), sums_bytes(probe_size)};
}

const Codelet<ClearArgs> clear =
    Codelet<ClearArgs>::make<clear_cpu, TESSERA_ON_DEVICE(clear_device), clear_cost>("clear",
                                                                                     {Access::write});
const Codelet<AddBatchArgs> add_batch =
    Codelet<AddBatchArgs>::make<add_batch_cpu, TESSERA_ON_DEVICE(add_batch_device), add_batch_cost>(
        "add_batch", {Access::read, Access::read_write, Access::read_write});
const Codelet<AddBatchArgs> add_batch_scalars =
    Codelet<AddBatchArgs>::make<add_batch_scalars_cpu, TESSERA_ON_DEVICE(add_batch_scalars_device),
                                add_batch_cost>("add_batch_scalars", {Access::read, Access::read_write});
const Codelet<AddSumsArgs> add_sums =
    Codelet<AddSumsArgs>::make<add_sums_cpu, TESSERA_ON_DEVICE(add_sums_device), add_sums_cost>(
        "add_sums", {Access::read_write, Access::read});
const Codelet<CutStripArgs> cut_strip =
    Codelet<CutStripArgs>::make<cut_strip_cpu, TESSERA_ON_DEVICE(cut_strip_device), cut_strip_cost>(
        "cut_strip", {Access::read, Access::write});
const Codelet<AddStripArgs> add_strip =
    Codelet<AddStripArgs>::make<add_strip_cpu, TESSERA_ON_DEVICE(add_strip_device), add_strip_cost>(
        "add_strip", {Access::read, Access::read_write});
const Codelet<PasteStripArgs> paste_strip =
    Codelet<PasteStripArgs>::make<paste_strip_cpu, TESSERA_ON_DEVICE(paste_strip_device), paste_strip_cost>(
        "paste_strip", {Access::read, Access::read_write});
const Codelet<CopyRectangleArgs> copy_rectangle =
    Codelet<CopyRectangleArgs>::make<copy_rectangle_cpu, TESSERA_ON_DEVICE(copy_rectangle_device),
                                     copy_rectangle_cost>("copy_rectangle",
                                                          {Access::read, Access::read_write});
const Codelet<CopyArgs> copy = Codelet<CopyArgs>::make<copy_cpu, TESSERA_ON_DEVICE(copy_device), copy_cost>(
    "copy", {Access::read, Access::write});

}  // namespace tessera
