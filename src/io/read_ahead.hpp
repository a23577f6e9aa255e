#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "io/hdf5.hpp"

namespace tessera {

// Asks the system to fetch stored frames from the disk before they are read, so that reading them one by one,
// on several threads, does not wait for each. Of contiguous frames only the rows that are read. Where frames
// are in chunks, whose places only HDF5 knows, they are taken to lie in turn and to be of one length between
// the first chunk and the last: what is fetched too early or too late costs nothing but the help.
class ReadAhead {
  public:
    // Rows first_row, ... of each frame are read. The dataset is not kept; its file must stay open.
    ReadAhead(const hdf5::Dataset& frames, std::ptrdiff_t first_row, std::ptrdiff_t num_rows);

    struct Range {
        std::int64_t begin, bytes;  // in the file
        bool operator==(const Range&) const = default;
    };
    // What of the file holds frames (ascending indices in the file): neighbours are one range. Empty where
    // that is not known.
    std::vector<Range> ranges(std::span<const std::ptrdiff_t> frames) const;
    // About what is read of the file for one frame; 0: not known.
    std::size_t frame_bytes() const;

    // Begins to fetch them. What the system says of it does not matter: reading will tell.
    void operator()(std::span<const std::ptrdiff_t> frames) const;

  private:
    std::int64_t at(std::ptrdiff_t frame, double part_of_frame) const;

    hdf5::StoredRange range_;
    std::ptrdiff_t num_frames_ = 0;
    double first_part_ = 0, last_part_ = 1;  // of a frame, from its beginning
};

}  // namespace tessera
