#include "io/raw_frames.hpp"

#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <system_error>

#include "base/error.hpp"

namespace tessera {
namespace {

using Kind = hdf5::RawStorage::Kind;

bool holds_one_frame(const hdf5::Shape& chunk) {
    return chunk.size() >= 2 &&
           std::all_of(chunk.begin(), chunk.end() - 2, [](std::ptrdiff_t extent) { return extent == 1; });
}

// HDF5's shuffle filter keeps the first bytes of all elements, then the second bytes, and so on.
void unshuffle(const std::vector<std::byte>& shuffled, std::size_t element_bytes,
               std::vector<std::byte>& out) {
    out.resize(shuffled.size());
    const std::size_t count = shuffled.size() / element_bytes;
    for (std::size_t byte = 0; byte < element_bytes; ++byte) {
        const std::byte* from = shuffled.data() + byte * count;
        for (std::size_t i = 0; i < count; ++i) out[i * element_bytes + byte] = from[i];
    }
    std::copy(shuffled.begin() + static_cast<std::ptrdiff_t>(count * element_bytes), shuffled.end(),
              out.begin() + static_cast<std::ptrdiff_t>(count * element_bytes));
}

}  // namespace

RawFrames::RawFrames(const hdf5::Dataset& frames)
    : frames_(frames), storage_(frames.raw_storage()), element_bytes_(frames.type().bytes) {
    const hdf5::Shape& shape = frames.shape();
    if (shape.size() < 2 || (storage_.kind == Kind::chunks && !holds_one_frame(frames.chunk())))
        storage_.kind = Kind::none;
    if (shape.size() < 2) return;
    height_ = shape[shape.size() - 2];
    width_ = shape[shape.size() - 1];
}

void RawFrames::require_whole_file(std::ptrdiff_t frame) const {
    const std::int64_t bytes = hdf5::file_bytes(storage_.descriptor);
    if (bytes >= storage_.file_bytes) return;
    throw data_error("{}: frame {} cannot be read: the file has shrunk from {} to {} bytes", frames_.where(),
                     frame, storage_.file_bytes, bytes);
}

const std::byte* RawFrames::read(std::ptrdiff_t frame, const Window& window, Scratch& scratch) const {
    return storage_.kind == Kind::contiguous ? read_contiguous(frame, window, scratch)
                                             : read_chunks(frame, window, scratch);
}

// Whole rows from the window's first to its last pixel in one piece, which then closes up.
const std::byte* RawFrames::read_contiguous(std::ptrdiff_t frame, const Window& window,
                                            Scratch& scratch) const {
    const std::size_t row = static_cast<std::size_t>(window.shape[1]) * element_bytes_;
    const std::size_t stride = static_cast<std::size_t>(width_) * element_bytes_;
    const std::size_t rows = static_cast<std::size_t>(window.shape[0]);
    const std::ptrdiff_t pixel = (frame * height_ + window.first[0]) * width_ + window.first[1];
    const auto begin =
        static_cast<off_t>(storage_.offset + pixel * static_cast<std::ptrdiff_t>(element_bytes_));
    const std::size_t bytes = stride * (rows - 1) + row;
    scratch.stored.resize(bytes);
    std::byte* const to = scratch.stored.data();
    for (std::size_t done = 0; done < bytes;) {
        const ssize_t got =
            pread(storage_.descriptor, to + done, bytes - done, begin + static_cast<off_t>(done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            throw data_error("{}: frame {} cannot be read ({})", frames_.where(), frame,
                             std::generic_category().message(errno));
        }
        if (got == 0) {
            require_whole_file(frame);
            throw data_error("{}: frame {} is not there: the file ends at byte {}", frames_.where(), frame,
                             begin + static_cast<off_t>(done));
        }
        done += static_cast<std::size_t>(got);
    }
    for (std::size_t y = 1; y < rows && stride != row; ++y) std::memmove(to + y * row, to + y * stride, row);
    return to;
}

const std::byte* RawFrames::read_chunks(std::ptrdiff_t frame, const Window& window, Scratch& scratch) const {
    const hdf5::Shape& shape = frames_.shape();
    const std::ptrdiff_t chunk_y = frames_.chunk().end()[-2], chunk_x = frames_.chunk().end()[-1];
    const std::ptrdiff_t y0 = window.first[0], y1 = y0 + window.shape[0];
    const std::ptrdiff_t x0 = window.first[1], x1 = x0 + window.shape[1];
    hdf5::Shape start(shape.size(), 0);
    for (std::ptrdiff_t rest = frame, axis = std::ssize(shape) - 3; axis >= 0; --axis) {
        start[static_cast<std::size_t>(axis)] = rest % shape[static_cast<std::size_t>(axis)];
        rest /= shape[static_cast<std::size_t>(axis)];
    }
    const std::size_t chunk_bytes = static_cast<std::size_t>(chunk_y * chunk_x) * element_bytes_;
    const bool is_one_chunk =
        y0 % chunk_y == 0 && window.shape[0] == chunk_y && x0 % chunk_x == 0 && window.shape[1] == chunk_x;
    if (!is_one_chunk) {
        scratch.window.resize(static_cast<std::size_t>(window.shape[0]) *
                              static_cast<std::size_t>(window.shape[1]) * element_bytes_);
    }
    const std::byte* pixels = scratch.window.data();
    for (std::ptrdiff_t cy = y0 / chunk_y * chunk_y; cy < y1; cy += chunk_y) {
        for (std::ptrdiff_t cx = x0 / chunk_x * chunk_x; cx < x1; cx += chunk_x) {
            start.end()[-2] = cy;
            start.end()[-1] = cx;
            bool is_stored = false;
            {
                const std::lock_guard turn(hdf5::library_lock());
                is_stored = frames_.read_raw_chunk(start, scratch.stored);
            }
            const std::byte* const chunk = is_stored ? unpack(scratch, chunk_bytes) : nullptr;
            if (chunk == nullptr) return nullptr;
            if (is_one_chunk) {
                pixels = chunk;
                continue;
            }
            const std::ptrdiff_t from_x = std::max(cx, x0), to_x = std::min(cx + chunk_x, x1);
            for (std::ptrdiff_t y = std::max(cy, y0); y < std::min(cy + chunk_y, y1); ++y) {
                const auto from = static_cast<std::size_t>((y - cy) * chunk_x + from_x - cx);
                const auto to = static_cast<std::size_t>((y - y0) * window.shape[1] + from_x - x0);
                std::memcpy(scratch.window.data() + to * element_bytes_, chunk + from * element_bytes_,
                            static_cast<std::size_t>(to_x - from_x) * element_bytes_);
            }
        }
    }
    require_whole_file(frame);
    return pixels;
}

// Null when the bytes are not what the filters make: HDF5 then says what is wrong with them.
const std::byte* RawFrames::unpack(Scratch& scratch, std::size_t bytes) const {
    const std::vector<std::byte>* values = &scratch.stored;
    if (storage_.is_deflated) {
        scratch.inflated.resize(bytes);
        uLongf size = bytes;
        if (uncompress(reinterpret_cast<Bytef*>(scratch.inflated.data()), &size,
                       reinterpret_cast<const Bytef*>(values->data()), values->size()) != Z_OK)
            return nullptr;
        scratch.inflated.resize(size);
        values = &scratch.inflated;
    }
    if (values->size() != bytes) return nullptr;
    if (storage_.is_shuffled) {
        unshuffle(*values, element_bytes_, scratch.unpacked);
        values = &scratch.unpacked;
    }
    return values->data();
}

}  // namespace tessera
