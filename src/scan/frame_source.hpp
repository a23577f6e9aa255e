#pragma once

#include <cstddef>
#include <span>

namespace tessera {

// Where the frames of a scan come from, as often as they are asked for: the same counts every time.
class FrameSource {
  public:
    virtual ~FrameSource() = default;

    // Reads frame `i_frame` (0 <= i < number of selected frames) for each i in `which` (ascending) and writes
    // each as frame_shape counts of the scan's pattern type, cropped, oriented and (far field) shifted so
    // that the detector's centre is at index 0, to destinations[i]: one pointer per entry of `which`. Masked
    // pixels are written as 0, those that this frame does not use as unused_count. Several threads may read
    // at once. A frame that cannot be read is a data Error that names the file and the frame.
    virtual void read_frames(std::span<const std::ptrdiff_t> which,
                             std::span<void* const> destinations) const = 0;
    // These frames (ascending) will be asked for soon: a source with a slow store may begin to fetch them,
    // and does not wait until they are there. Changes nothing of what is read, errors included.
    virtual void will_need(std::span<const std::ptrdiff_t> /*which*/) const {}
    // About what will_need fetches for a frame; 0: nothing, or not known.
    virtual std::size_t stored_frame_bytes() const { return 0; }

  protected:
    FrameSource() = default;
    FrameSource(const FrameSource&) = default;
    FrameSource& operator=(const FrameSource&) = default;
};

}  // namespace tessera
