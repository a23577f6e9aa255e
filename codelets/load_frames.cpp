#include "codelets/load_frames.hpp"

#include <algorithm>
#include <numeric>

namespace tessera {
namespace {

// In ascending order of the file, whatever the batch's.
void load_frames_cpu(const LoadFramesArgs& args, const Buffers& buffers) {
    if (args.is_abandoned->load(std::memory_order_relaxed)) return;
    const auto num_frames = static_cast<std::size_t>(args.shape.num_frames);
    const std::size_t bytes = detector_shape(args.shape).area() * bytes_per_count(args.shape.pattern_type);
    auto* const patterns = buffers.get<std::byte>(0);
    std::vector<std::size_t> order(num_frames);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::sort(order, {}, [&](std::size_t j) { return args.frames[j]; });
    std::vector<std::ptrdiff_t> which;
    std::vector<void*> destinations;
    for (const std::size_t j : order) {
        which.push_back(args.frames[j]);
        destinations.push_back(patterns + j * bytes);
    }
    args.source->will_need(which);
    args.source->read_frames(which, destinations);
}

// From the file, through the page cache and the pixel map: a few times slower than copying.
Cost load_frames_cost(const LoadFramesArgs& args) {
    return {0, 6 * static_cast<double>(patterns_bytes(args.shape))};
}

}  // namespace

BufferBytes LoadFramesArgs::buffer_bytes() const {
    return {patterns_bytes(shape)};
}

const Codelet<LoadFramesArgs> load_frames =
    Codelet<LoadFramesArgs>::make_for_host<load_frames_cpu, load_frames_cost>("load_frames", {Access::write});

}  // namespace tessera
