#include "io/read_ahead.hpp"

#include <fcntl.h>

#include <algorithm>

namespace tessera {

ReadAhead::ReadAhead(const hdf5::Dataset& frames, std::ptrdiff_t first_row, std::ptrdiff_t num_rows)
    : range_(frames.stored_range()) {
    const hdf5::Shape& shape = frames.shape();
    if (shape.size() < 2 || range_.end <= range_.begin) return;
    num_frames_ = 1;
    for (std::size_t axis = 0; axis + 2 < shape.size(); ++axis) num_frames_ *= shape[axis];
    // Chunks are read whole.
    const std::ptrdiff_t height = shape.end()[-2];
    const std::ptrdiff_t together = frames.chunk().empty() ? 1 : frames.chunk().end()[-2];
    const std::ptrdiff_t first = first_row / together * together;
    const std::ptrdiff_t end = std::min((first_row + num_rows + together - 1) / together * together, height);
    first_part_ = static_cast<double>(first) / static_cast<double>(height);
    last_part_ = static_cast<double>(end) / static_cast<double>(height);
}

std::int64_t ReadAhead::at(std::ptrdiff_t frame, double part_of_frame) const {
    const double bytes = static_cast<double>(range_.end - range_.begin);
    const double frames = static_cast<double>(frame) + part_of_frame;
    return range_.begin + static_cast<std::int64_t>(bytes * frames / static_cast<double>(num_frames_));
}

std::size_t ReadAhead::frame_bytes() const {
    return num_frames_ == 0 ? 0 : static_cast<std::size_t>(at(0, last_part_) - at(0, first_part_));
}

std::vector<ReadAhead::Range> ReadAhead::ranges(std::span<const std::ptrdiff_t> frames) const {
    std::vector<Range> found;
    if (num_frames_ == 0) return found;
    for (const std::ptrdiff_t frame : frames) {
        const std::int64_t begin = at(frame, first_part_), end = at(frame, last_part_);
        if (!found.empty() && begin <= found.back().begin + found.back().bytes) {
            found.back().bytes = end - found.back().begin;
        } else {
            found.push_back({begin, end - begin});
        }
    }
    return found;
}

void ReadAhead::operator()(std::span<const std::ptrdiff_t> frames) const {
    // Linux cuts a request to what it would read ahead by itself, of which this is the usual least.
    constexpr std::int64_t most_bytes = std::int64_t{128} << 10;
    for (const auto& [begin, bytes] : ranges(frames)) {
        for (std::int64_t done = 0; done < bytes; done += most_bytes) {
            posix_fadvise(range_.descriptor, begin + done, std::min(bytes - done, most_bytes),
                          POSIX_FADV_WILLNEED);
        }
    }
}

}  // namespace tessera
