#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

#include "config/run_config.hpp"
#include "scan/scan.hpp"

namespace tessera {

// Reads one scan. Opening reads everything but the frames and refuses what cannot be reconstructed, with
// messages that name the file and the dataset; frames are read in pieces, so nothing scan-sized is ever held
// here. Not thread-safe (HDF5 is not): one reader, one thread.
class ScanReader {
  public:
    ScanReader(const ScanConfig& config, const std::filesystem::path& folder);  // `folder`: the run file's
    ~ScanReader();
    ScanReader(const ScanReader&) = delete;
    ScanReader& operator=(const ScanReader&) = delete;

    const ScanInfo& info() const;

    // Reads frame `i_frame` (0 <= i < info().num_frames, an index into info().frames) for each i in `which`
    // (ascending) and writes each as frame_shape counts of info().pattern_type, cropped, oriented and (far
    // field) shifted so that the detector's centre is at index 0, to destinations[i]: one pointer per entry
    // of `which`. Masked pixels are written as 0. Counts that are negative, not finite or too large on used
    // pixels are a data error that names frame and pixel.
    void read_frames(std::span<const std::ptrdiff_t> which, std::span<void* const> destinations);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace tessera
