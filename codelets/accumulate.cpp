#include "codelets/accumulate.hpp"

#include <algorithm>
#include <cstring>

#include "codelets/cost_model.hpp"

namespace tessera {
namespace {

void add(cfloat* to, const cfloat* from, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) to[i] = to[i] + from[i];
}

// Row by row between two arrays of the same number of planes: visit(row of `in`, row of `dense`). The
// rectangle begins at (y, x) of `in` and is all of `dense`.
template <class In, class Dense, class Visit>
void for_each_row(In* in, Shape2 in_shape, Dense* dense, const Strip& rectangle, std::int32_t num_planes,
                  const Visit& visit) {
    const auto [y0, x0, shape] = rectangle;
    for (std::int32_t i = 0; i < num_planes; ++i) {
        In* plane = in + volume(in_shape, i);
        Dense* dense_plane = dense + volume(shape, i);
        for (int y = 0; y < shape.y; ++y) {
            visit(plane + static_cast<std::ptrdiff_t>(y0 + y) * in_shape.x + x0,
                  dense_plane + static_cast<std::ptrdiff_t>(y) * shape.x);
        }
    }
}

void clear_cpu(const ClearArgs& args, const Buffers& buffers) {
    std::memset(buffers.get<std::byte>(0), 0, args.bytes);
}

Cost clear_cost(const ClearArgs& args) {
    return {0, static_cast<double>(args.bytes)};
}

void add_batch_window_cpu(const AddBatchArgs& args, const Buffers& buffers) {
    const auto* out = buffers.get<const std::byte>(0);
    auto* field = buffers.get<cfloat>(1);
    for_each_row(
        field, args.tile, window_part(out, args.probe_size), {args.window_y, args.window_x, args.window},
        args.num_planes,
        [&](cfloat* to, const cfloat* from) { add(to, from, static_cast<std::size_t>(args.window.x)); });
}

void add_batch_cpu(const AddBatchArgs& args, const Buffers& buffers) {
    add_batch_window_cpu(args, buffers);
    const auto* out = buffers.get<const std::byte>(0);
    auto* sums = buffers.get<std::byte>(2);
    add(probe_part(sums), probe_part(out), args.probe_size);
    add(*batch_sums(sums), *batch_sums(out));
}

void add_batch_scalars_cpu(const AddBatchArgs&, const Buffers& buffers) {
    add(*batch_sums(buffers.get<std::byte>(1)), *batch_sums(buffers.get<const std::byte>(0)));
}

Cost add_batch_cost(const AddBatchArgs& args) {
    if (args.parts == BatchParts::scalars) return {16, 2 * sizeof(BatchSums)};
    const std::size_t probe = args.parts == BatchParts::window ? 0 : args.probe_size;
    return pixels_cost(static_cast<double>(volume(args.window, args.num_planes) + probe), 2,
                       3 * sizeof(cfloat));
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

void cut_strip_cpu(const CutStripArgs& args, const Buffers& buffers) {
    const auto* field = buffers.get<const cfloat>(0);
    auto* strip = buffers.get<cfloat>(1);
    const std::size_t row_bytes = static_cast<std::size_t>(args.strip.shape.x) * sizeof(cfloat);
    for_each_row(field, args.tile, strip, args.strip, args.num_planes, [&](const cfloat* from, cfloat* to) {
        std::memcpy(static_cast<void*>(to), from, row_bytes);
    });
}

Cost cut_strip_cost(const CutStripArgs& args) {
    return pixels_cost(static_cast<double>(volume(args.strip.shape, args.num_planes)), 0, 2 * sizeof(cfloat));
}

void add_strip_cpu(const AddStripArgs& args, const Buffers& buffers) {
    const auto* strip = buffers.get<const cfloat>(0);
    auto* field = buffers.get<cfloat>(1);
    for_each_row(field, args.tile, strip, args.strip, args.num_planes, [&](cfloat* to, const cfloat* from) {
        add(to, from, static_cast<std::size_t>(args.strip.shape.x));
    });
}

Cost add_strip_cost(const AddStripArgs& args) {
    return pixels_cost(static_cast<double>(volume(args.strip.shape, args.num_planes)), 2, 3 * sizeof(cfloat));
}

void paste_strip_cpu(const PasteStripArgs& args, const Buffers& buffers) {
    const auto* strip = buffers.get<const cfloat>(0);
    auto* field = buffers.get<cfloat>(1);
    const std::size_t row_bytes = static_cast<std::size_t>(args.strip.shape.x) * sizeof(cfloat);
    for_each_row(field, args.tile, strip, args.strip, args.num_planes, [&](cfloat* to, const cfloat* from) {
        std::memcpy(static_cast<void*>(to), from, row_bytes);
    });
}

Cost paste_strip_cost(const PasteStripArgs& args) {
    return pixels_cost(static_cast<double>(volume(args.strip.shape, args.num_planes)), 0, 2 * sizeof(cfloat));
}

void copy_rectangle_cpu(const CopyRectangleArgs& args, const Buffers& buffers) {
    const auto* source = buffers.get<const cfloat>(0);
    auto* target = buffers.get<cfloat>(1);
    const auto& [y0, x0, shape] = args.rectangle;
    for (std::int32_t plane = 0; plane < args.num_planes; ++plane) {
        for (int y = y0; y < y0 + shape.y; ++y) {
            const std::size_t row = volume(args.tile, plane) +
                                    static_cast<std::size_t>(y) * static_cast<std::size_t>(args.tile.x);
            std::copy_n(source + row + x0, shape.x, target + row + x0);
        }
    }
}

Cost copy_rectangle_cost(const CopyRectangleArgs& args) {
    return pixels_cost(static_cast<double>(volume(args.rectangle.shape, args.num_planes)), 0,
                       2 * sizeof(cfloat));
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
    const std::size_t out = out_bytes(window, probe_size, num_planes), field = field_bytes(tile, num_planes);
    if (parts == BatchParts::window) return {out, field};
    return {out, field, sums_bytes(probe_size)};
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
const Codelet<AddBatchArgs> add_batch_window =
    Codelet<AddBatchArgs>::make<add_batch_window_cpu, TESSERA_ON_DEVICE(add_batch_window_device),
                                add_batch_cost>("add_batch_window", {Access::read, Access::read_write});
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
