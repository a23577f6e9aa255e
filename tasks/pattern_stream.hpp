#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <vector>

#include "codelets/layout.hpp"
#include "codelets/runtime/data.hpp"
#include "scan/frame_source.hpp"

namespace tessera {

// A ring of buffers for the patterns that do not stay in memory: tasks read them from the scan, batch by
// batch, as part of the graph. A buffer is read into again once the batch that it held has been used, so
// reading runs ahead of computing by the length of the ring.
class PatternStream {
  public:
    PatternStream() = default;
    PatternStream(const FrameSource& source, int num_buffers, std::size_t buffer_bytes);

    // Submits the reading of `frames` (shape.num_frames indices into the scan, kept) and returns where the
    // patterns will be, for tasks that are submitted before the next call.
    const Data& read(const BatchShape& shape, const std::ptrdiff_t* frames, int priority);
    // Nobody wants what was asked for so far: tasks that have not read it yet return at once.
    void abandon();

    std::size_t num_buffers() const { return buffers_.size(); }

  private:
    const FrameSource* source_ = nullptr;
    std::deque<std::atomic<bool>> is_abandoned_;  // tasks point into it: destroyed after the buffers
    std::vector<Data> buffers_;
    std::size_t next_ = 0;
};

}  // namespace tessera
