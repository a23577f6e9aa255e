#include "scan/frame_sums.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <type_traits>

#include "base/share_pieces.hpp"

namespace tessera {
namespace {

// Adds a frame to `sum`; returns its own sum. Whole counts are summed as such, in vectors.
template <class Count>
double add_frame(const Count* counts, std::int64_t* sum, std::size_t size) {
    using Total = std::conditional_t<std::is_integral_v<Count>, std::int64_t, double>;
    Total total = 0;
    for (std::size_t i = 0; i < size; ++i) {
        const Total value = is_unused(counts[i]) ? Total{0} : static_cast<Total>(counts[i]);
        if constexpr (std::is_integral_v<Count>) {
            sum[i] += value * static_cast<std::int64_t>(counts_fraction);
        } else {
            sum[i] += static_cast<std::int64_t>(value * counts_fraction + 0.5);
        }
        total += value;
    }
    return static_cast<double>(total);
}

double add_frame(const void* counts, PatternType type, std::vector<std::int64_t>& sum) {
    switch (type) {
        case PatternType::u8:
            return add_frame(static_cast<const std::uint8_t*>(counts), sum.data(), sum.size());
        case PatternType::u16:
            return add_frame(static_cast<const std::uint16_t*>(counts), sum.data(), sum.size());
        case PatternType::i32:
            return add_frame(static_cast<const std::int32_t*>(counts), sum.data(), sum.size());
        case PatternType::f32:
            return add_frame(static_cast<const float*>(counts), sum.data(), sum.size());
    }
    return 0;
}

// What one thread has of its own.
struct Reader {
    std::vector<std::int64_t> pattern;
    std::vector<std::byte> nowhere;  // for frames that do not stay
    std::vector<void*> memory;
};

}  // namespace

// In pieces, so that frames which do not stay need little room, and the others are summed while they are in
// the cache.
FrameSums read_frames(const FrameSource& source, const ScanInfo& scan, const FrameDestinations& destinations,
                      int num_threads) {
    constexpr std::size_t bytes_per_piece = std::size_t{4} << 20;
    const std::size_t size = scan.mask.size(), frame_bytes = size * bytes_per_count(scan.pattern_type);
    const std::size_t frames_per_piece = std::max<std::size_t>(bytes_per_piece / frame_bytes, 1);
    const std::size_t num_frames = destinations.frames.size();
    const std::size_t num_pieces = (num_frames + frames_per_piece - 1) / frames_per_piece;

    FrameSums sums;
    sums.counts.assign(static_cast<std::size_t>(scan.num_frames), 0);
    sums.pattern.assign(size, 0);
    std::vector<Reader> readers(static_cast<std::size_t>(std::max(num_threads, 1)));
    share_pieces(num_pieces, num_threads, [&](std::size_t piece, int thread) {
        Reader& reader = readers[static_cast<std::size_t>(thread)];
        reader.pattern.resize(size);
        const std::size_t first = piece * frames_per_piece;
        const std::size_t count = std::min(frames_per_piece, num_frames - first);
        const auto which = std::span(destinations.frames).subspan(first, count);
        const auto memory = std::span(destinations.memory).subspan(first, count);
        reader.memory.assign(memory.begin(), memory.end());
        for (std::size_t i = 0; i < count; ++i) {
            if (reader.memory[i] != nullptr) continue;
            reader.nowhere.resize(frames_per_piece * frame_bytes);
            reader.memory[i] = reader.nowhere.data() + i * frame_bytes;
        }
        source.read_frames(which, reader.memory);
        for (std::size_t i = 0; i < count; ++i) {
            if (!destinations.are_own[first + i]) continue;
            sums.counts[static_cast<std::size_t>(which[i])] =
                add_frame(reader.memory[i], scan.pattern_type, reader.pattern);
        }
    });
    for (const Reader& reader : readers) {
        for (std::size_t i = 0; i < reader.pattern.size(); ++i) sums.pattern[i] += reader.pattern[i];
    }
    for (const auto& [from, to] : destinations.copies) std::memcpy(to, from, frame_bytes);
    return sums;
}

}  // namespace tessera
