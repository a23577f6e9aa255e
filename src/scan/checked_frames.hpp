#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "scan/frame_source.hpp"
#include "scan/scan.hpp"

namespace tessera {

// Frames that are the same every time they are read: what another time is not what it was the first time (a
// file that somebody writes to, a part of it that went away and is read as zeros) is a data Error. Compares a
// sum over the frame.
class CheckedFrames : public FrameSource {
  public:
    CheckedFrames(const FrameSource& source, const ScanInfo& scan);  // both are kept
    void read_frames(std::span<const std::ptrdiff_t> which,
                     std::span<void* const> destinations) const override;
    void will_need(std::span<const std::ptrdiff_t> which) const override { source_.will_need(which); }
    std::size_t stored_frame_bytes() const override { return source_.stored_frame_bytes(); }

  private:
    static constexpr std::int64_t not_read_yet = INT64_MIN;
    const FrameSource& source_;
    const ScanInfo& scan_;
    mutable std::vector<std::atomic<std::int64_t>> sums_;  // of each frame, at its first reading
};

}  // namespace tessera
