#include "io/read_ahead.hpp"

#include <fcntl.h>

#include <cstdint>

namespace tessera {

ReadAhead::ReadAhead(const hdf5::Dataset& frames) : range_(frames.stored_range()) {
    const hdf5::Shape& shape = frames.shape();
    if (shape.size() < 2) return;
    num_frames_ = 1;
    for (std::size_t axis = 0; axis + 2 < shape.size(); ++axis) num_frames_ *= shape[axis];
}

void ReadAhead::operator()(std::span<const std::ptrdiff_t> frames) const {
    if (range_.end <= range_.begin || num_frames_ == 0) return;
    const double frame_bytes =
        static_cast<double>(range_.end - range_.begin) / static_cast<double>(num_frames_);
    const auto begin_of = [&](std::ptrdiff_t frame) {
        return range_.begin + static_cast<std::int64_t>(frame_bytes * static_cast<double>(frame));
    };
    for (std::size_t i = 0; i < frames.size();) {
        std::size_t last = i;  // of frames without a gap
        while (last + 1 < frames.size() && frames[last + 1] == frames[last] + 1) ++last;
        const std::int64_t begin = begin_of(frames[i]);
        posix_fadvise(range_.descriptor, begin, begin_of(frames[last] + 1) - begin, POSIX_FADV_WILLNEED);
        i = last + 1;
    }
}

}  // namespace tessera
