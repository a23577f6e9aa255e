#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "io/hdf5.hpp"

namespace tessera {

// Stored windows of single frames, read beside HDF5 where the file allows it, so that several threads read at
// once: contiguous frames by pread; chunks that hold (part of) one frame as HDF5 has stored them, unpacked
// here. Only looking a chunk up and copying its stored bytes needs HDF5's lock.
class RawFrames {
  public:
    explicit RawFrames(const hdf5::Dataset& frames);  // kept as a reference

    bool is_possible() const { return storage_.kind != hdf5::RawStorage::Kind::none; }

    // Data error if the file has become shorter since: HDF5 itself reads zeros where it ends.
    void require_whole_file(std::ptrdiff_t frame) const;

    struct Window {
        std::array<int, 2> first, shape;  // (y, x) in the stored frame
    };
    // Room that one thread uses again for the next of the frames that it reads at once.
    struct Scratch {
        std::vector<std::byte> stored, unpacked, inflated, window;
    };
    // The window of a frame as stored elements, (y, x), in `scratch` until that is used again. Null where
    // only HDF5 knows the values (a chunk that was never written). Data error that names the frame when the
    // file no longer has it.
    const std::byte* read(std::ptrdiff_t frame, const Window& window, Scratch& scratch) const;

  private:
    const std::byte* read_contiguous(std::ptrdiff_t frame, const Window& window, Scratch& scratch) const;
    const std::byte* read_chunks(std::ptrdiff_t frame, const Window& window, Scratch& scratch) const;
    const std::byte* unpack(Scratch& scratch, std::size_t bytes) const;

    const hdf5::Dataset& frames_;
    hdf5::RawStorage storage_;
    std::ptrdiff_t height_ = 0, width_ = 0;  // of a stored frame
    std::size_t element_bytes_ = 0;
};

}  // namespace tessera
