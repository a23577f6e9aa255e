#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

#include "config/run_config.hpp"
#include "scan/frame_source.hpp"
#include "scan/scan.hpp"

namespace tessera {

// Reads one scan. Opening reads everything but the frames and refuses what cannot be reconstructed, with
// messages that name the file and the dataset; frames are read in pieces, so nothing scan-sized is ever held
// here. Opening is for one thread; then several may read frames at once.
class ScanReader : public FrameSource {
  public:
    ScanReader(const ScanConfig& config, const std::filesystem::path& folder);  // `folder`: the run file's
    ~ScanReader() override;
    ScanReader(const ScanReader&) = delete;
    ScanReader& operator=(const ScanReader&) = delete;

    const ScanInfo& info() const;

    // Of info().pattern_type. Counts that are negative, not finite or too large on used pixels are a data
    // error that names frame and pixel.
    void read_frames(std::span<const std::ptrdiff_t> which,
                     std::span<void* const> destinations) const override;
    void will_need(std::span<const std::ptrdiff_t> which) const override;
    std::size_t stored_frame_bytes() const override;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace tessera
