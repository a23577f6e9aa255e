#include "tasks/pattern_stream.hpp"

#include "codelets/load_frames.hpp"

namespace tessera {

PatternStream::PatternStream(const FrameSource& source, int num_buffers, std::size_t buffer_bytes)
    : source_(&source) {
    for (int i = 0; i < num_buffers; ++i) buffers_.emplace_back(buffer_bytes);
    is_abandoned_.emplace_back(false);
}

const Data& PatternStream::read(const BatchShape& shape, const std::ptrdiff_t* frames, int priority) {
    TESSERA_EXPECT(!buffers_.empty());
    const Data& buffer = buffers_[next_++ % buffers_.size()];
    load_frames.submit({shape, source_, frames, &is_abandoned_.back()}, {&buffer}, priority);
    return buffer;
}

void PatternStream::abandon() {
    if (buffers_.empty()) return;
    is_abandoned_.back() = true;
    is_abandoned_.emplace_back(false);
}

}  // namespace tessera
