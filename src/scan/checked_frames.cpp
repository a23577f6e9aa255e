#include "scan/checked_frames.hpp"

#include <cstring>

#include "base/error.hpp"

namespace tessera {
namespace {

template <class Word>
std::int64_t sum_of(const void* pattern, std::size_t size) {
    const auto* words = static_cast<const Word*>(pattern);
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < size; ++i) sum += words[i];
    return sum;
}

// Of the stored bits, as integers.
std::int64_t sum_of(const void* pattern, std::size_t size, PatternType type) {
    switch (bytes_per_count(type)) {
        case 1:
            return sum_of<std::uint8_t>(pattern, size);
        case 2:
            return sum_of<std::uint16_t>(pattern, size);
        default:
            return sum_of<std::uint32_t>(pattern, size);
    }
}

}  // namespace

CheckedFrames::CheckedFrames(const FrameSource& source, const ScanInfo& scan)
    : source_(source), scan_(scan), sums_(static_cast<std::size_t>(scan.num_frames)) {
    for (auto& sum : sums_) sum = not_read_yet;
}

void CheckedFrames::read_frames(std::span<const std::ptrdiff_t> which,
                                std::span<void* const> destinations) const {
    source_.read_frames(which, destinations);
    const std::size_t size = scan_.mask.size();
    for (std::size_t i = 0; i < which.size(); ++i) {
        const auto frame = static_cast<std::size_t>(which[i]);
        const std::int64_t sum = sum_of(destinations[i], size, scan_.pattern_type);
        std::int64_t first = not_read_yet;
        if (sums_[frame].compare_exchange_strong(first, sum) || first == sum) continue;
        throw data_error("{}: frame {} is no longer what it was (did the file change while it was in use?)",
                         scan_.file, scan_.frames[frame]);
    }
}

}  // namespace tessera
