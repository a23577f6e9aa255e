#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "io/hdf5.hpp"
#include "io/stretch_reader.hpp"

namespace tessera {

// Stored windows of single frames, read beside HDF5 where the file allows it, so that several threads read at
// once: contiguous frames by pread; chunks that hold (part of) one frame as HDF5 has stored them, unpacked
// here. Only looking a chunk up and copying its stored bytes needs HDF5's lock. Contiguous frames of a large
// scan come past the system's cache.
class RawFrames {
  public:
    // `way` is that of contiguous frames; `frames` are kept as a reference.
    RawFrames(const hdf5::Dataset& frames, StretchReader::Way way);

    bool is_possible() const { return storage_.kind != hdf5::RawStorage::Kind::none; }
    // Past the system's cache, for which nothing can be fetched ahead.
    bool is_direct() const { return stretches_.is_direct(); }

    // Data error if the file has become shorter since: HDF5 itself reads zeros where it ends.
    void require_whole_file(std::ptrdiff_t frame) const;

    struct Window {
        std::array<int, 2> first, shape;  // (y, x) in the stored frame
    };
    // Room that one thread uses again for the next of the frames that it reads at once.
    struct Scratch {
        std::vector<std::byte> stored, unpacked, inflated, window;
        StretchReader::Stretch stretch;

        std::size_t bytes() const;
    };
    // The window of the first of these frames (ascending; the others will be asked for next) as stored
    // elements, (y, x), in `scratch` until that is used again. Null where only HDF5 knows the values (a chunk
    // that was never written). Data error that names the frame when the file no longer has it.
    const std::byte* read(std::span<const std::ptrdiff_t> frames, const Window& window,
                          Scratch& scratch) const;

  private:
    const std::byte* read_contiguous(std::span<const std::ptrdiff_t> frames, const Window& window,
                                     Scratch& scratch) const;
    const std::byte* read_chunks(std::ptrdiff_t frame, const Window& window, Scratch& scratch) const;
    const std::byte* unpack(Scratch& scratch, std::size_t bytes) const;

    const hdf5::Dataset& frames_;
    hdf5::RawStorage storage_;
    StretchReader stretches_;
    std::ptrdiff_t height_ = 0, width_ = 0;  // of a stored frame
    std::size_t element_bytes_ = 0;
};

}  // namespace tessera
