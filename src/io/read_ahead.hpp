#pragma once

#include <cstddef>
#include <span>

#include "io/hdf5.hpp"

namespace tessera {

// Asks the system to fetch stored frames from the disk before they are read, so that reading them one by one,
// on several threads, does not wait for each. Where frames are in chunks, whose places only HDF5 knows, they
// are taken to lie in turn and to be of one length between the first chunk and the last: what is fetched too
// early or too late costs nothing but the help.
class ReadAhead {
  public:
    explicit ReadAhead(const hdf5::Dataset& frames);  // not kept; the file must stay open

    // `frames`: ascending indices in the file. Returns before they are there, and never fails.
    void operator()(std::span<const std::ptrdiff_t> frames) const;

  private:
    hdf5::StoredRange range_;
    std::ptrdiff_t num_frames_ = 0;
};

}  // namespace tessera
