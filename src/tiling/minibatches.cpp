#include "tiling/minibatches.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/error.hpp"
#include "scan/random.hpp"
#include "tiling/space_filling_curve.hpp"

namespace tessera {
namespace {

// Streams of the seed that nothing else draws from (rows of the starting object begin at 0).
constexpr std::uint64_t dealing_stream = 1ULL << 40, order_stream = 1ULL << 41;

template <class Value>
void shuffle(std::vector<Value>& values, Random random) {
    for (std::size_t i = values.size(); i > 1; --i)
        std::swap(values[i - 1], values[static_cast<std::size_t>(random.uniform() * static_cast<double>(i))]);
}

std::vector<std::ptrdiff_t> frames_along_curve(const Placement& placement) {
    std::vector<std::pair<std::uint64_t, std::ptrdiff_t>> ordered;
    for (std::ptrdiff_t frame = 0; frame < std::ssize(placement.windows); ++frame)
        ordered.emplace_back(along_curve(placement, frame), frame);
    std::sort(ordered.begin(), ordered.end());
    std::vector<std::ptrdiff_t> frames;
    for (const auto& [index, frame] : ordered) frames.push_back(frame);
    return frames;
}

}  // namespace

std::ptrdiff_t Minibatches::size(int minibatch) const {
    return std::count(of_frame.begin(), of_frame.end(), minibatch);
}

Minibatches deal_minibatches(const Placement& placement, const MinibatchSettings& settings) {
    TESSERA_EXPECT(settings.size > 0 && settings.cluster_size > 0);
    std::vector<std::ptrdiff_t> frames = frames_along_curve(placement);
    if (settings.mode == BatchingMode::random) shuffle(frames, Random(settings.random_seed, dealing_stream));
    const auto together =
        static_cast<std::size_t>(settings.mode == BatchingMode::compact ? settings.cluster_size : 1);
    const std::size_t num_clusters = (frames.size() + together - 1) / together;
    const auto wanted = (frames.size() + static_cast<std::size_t>(settings.size) - 1) /
                        static_cast<std::size_t>(settings.size);
    Minibatches minibatches;
    minibatches.count = static_cast<int>(std::clamp<std::size_t>(wanted, 1, num_clusters));
    minibatches.of_frame.resize(frames.size());
    for (std::size_t i = 0; i < frames.size(); ++i) {
        minibatches.of_frame[static_cast<std::size_t>(frames[i])] =
            static_cast<int>(i / together % static_cast<std::size_t>(minibatches.count));
    }
    return minibatches;
}

int automatic_minibatch_size(std::ptrdiff_t num_frames) {
    return static_cast<int>(std::clamp<std::ptrdiff_t>(num_frames / 16, 16, 256));
}

std::vector<int> minibatch_order(int count, std::uint64_t random_seed, int iteration) {
    std::vector<int> order(static_cast<std::size_t>(count));
    std::iota(order.begin(), order.end(), 0);
    shuffle(order, Random(random_seed, order_stream + static_cast<std::uint64_t>(iteration)));
    return order;
}

}  // namespace tessera
