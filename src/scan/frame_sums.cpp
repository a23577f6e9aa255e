#include "scan/frame_sums.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <type_traits>

#include "base/share_pieces.hpp"

namespace tessera {
namespace {

// Whole counts are summed as such, in vectors, fractions in units of 1 / counts_fraction.
template <class Count>
double add_pixels(const Count* counts, std::int64_t* sum, std::size_t size, double total) {
    if constexpr (std::is_integral_v<Count>) {
        std::int64_t whole = 0;
        for (std::size_t i = 0; i < size; ++i) {
            const std::int64_t value = is_unused(counts[i]) ? 0 : static_cast<std::int64_t>(counts[i]);
            sum[i] += value;
            whole += value;
        }
        return total + static_cast<double>(whole);
    } else {
        for (std::size_t i = 0; i < size; ++i) {
            const auto value = is_unused(counts[i]) ? 0.0 : static_cast<double>(counts[i]);
            sum[i] += static_cast<std::int64_t>(value * counts_fraction + 0.5);
            total += value;
        }
        return total;
    }
}

// Adds frames to `sum` and each frame's own sum to totals. All of them over a part of the pixels, then over
// the next: that part of the sum stays in the fastest cache.
template <class Count>
void add_frames(std::span<const void* const> frames, std::vector<std::int64_t>& sum,
                std::span<double> totals) {
    constexpr std::size_t part = 2048;
    for (std::size_t first = 0; first < sum.size(); first += part) {
        const std::size_t size = std::min(part, sum.size() - first);
        for (std::size_t i = 0; i < frames.size(); ++i) {
            const auto* const counts = static_cast<const Count*>(frames[i]) + first;
            totals[i] = add_pixels(counts, sum.data() + first, size, totals[i]);
        }
    }
}

void add_frames(std::span<const void* const> frames, PatternType type, std::vector<std::int64_t>& sum,
                std::span<double> totals) {
    switch (type) {
        case PatternType::u8:
            return add_frames<std::uint8_t>(frames, sum, totals);
        case PatternType::u16:
            return add_frames<std::uint16_t>(frames, sum, totals);
        case PatternType::i32:
            return add_frames<std::int32_t>(frames, sum, totals);
        case PatternType::f32:
            return add_frames<float>(frames, sum, totals);
    }
}

// What one thread has of its own.
struct Reader {
    std::vector<std::int64_t> pattern;
    std::vector<std::byte> nowhere;  // for frames that do not stay
    std::vector<void*> memory;
    std::vector<const void*> own;
    std::vector<double> totals;  // of each of them
};

}  // namespace

// In pieces, so that frames which do not stay need little room, and the others are summed while they are in
// the cache. The source fetches 32 MiB ahead of the threads, or one piece where that is larger.
FrameSums read_frames(const FrameSource& source, const ScanInfo& scan, const FrameDestinations& destinations,
                      int num_threads) {
    constexpr std::size_t bytes_per_piece = std::size_t{1} << 20, bytes_ahead = std::size_t{32} << 20;
    const std::size_t size = scan.mask.size(), frame_bytes = size * bytes_per_count(scan.pattern_type);
    const std::size_t frames_per_piece = std::max<std::size_t>(bytes_per_piece / frame_bytes, 1);
    const std::size_t stored_bytes = frames_per_piece * std::max(frame_bytes, source.stored_frame_bytes());
    const std::size_t pieces_ahead = std::max<std::size_t>(bytes_ahead / stored_bytes, 1);
    const std::size_t num_frames = destinations.frames.size();
    const std::size_t num_pieces = (num_frames + frames_per_piece - 1) / frames_per_piece;

    FrameSums sums;
    sums.counts.assign(static_cast<std::size_t>(scan.num_frames), 0);
    sums.pattern.assign(size, 0);
    std::vector<Reader> readers(static_cast<std::size_t>(std::max(num_threads, 1)));
    const auto frames_of = [&](std::size_t piece) {
        const std::size_t first = std::min(piece * frames_per_piece, num_frames);
        return std::span(destinations.frames).subspan(first, std::min(frames_per_piece, num_frames - first));
    };
    share_pieces(num_pieces, num_threads, [&](std::size_t piece, int thread) {
        Reader& reader = readers[static_cast<std::size_t>(thread)];
        reader.pattern.resize(size);
        for (std::size_t ahead = piece == 0 ? 0 : pieces_ahead; ahead <= pieces_ahead; ++ahead)
            source.will_need(frames_of(piece + ahead));
        const std::size_t first = piece * frames_per_piece;
        const auto which = frames_of(piece);
        const std::size_t count = which.size();
        const auto memory = std::span(destinations.memory).subspan(first, count);
        reader.memory.assign(memory.begin(), memory.end());
        for (std::size_t i = 0; i < count; ++i) {
            if (reader.memory[i] != nullptr) continue;
            reader.nowhere.resize(frames_per_piece * frame_bytes);
            reader.memory[i] = reader.nowhere.data() + i * frame_bytes;
        }
        source.read_frames(which, reader.memory);
        reader.own.clear();
        for (std::size_t i = 0; i < count; ++i) {
            if (destinations.are_own[first + i]) reader.own.push_back(reader.memory[i]);
        }
        reader.totals.assign(reader.own.size(), 0);
        add_frames(reader.own, scan.pattern_type, reader.pattern, reader.totals);
        for (std::size_t i = 0, i_own = 0; i < count; ++i) {
            if (destinations.are_own[first + i])
                sums.counts[static_cast<std::size_t>(which[i])] = reader.totals[i_own++];
        }
    });
    const bool are_whole = scan.pattern_type != PatternType::f32;
    const std::int64_t fractions = are_whole ? static_cast<std::int64_t>(counts_fraction) : 1;
    for (const Reader& reader : readers) {
        for (std::size_t i = 0; i < reader.pattern.size(); ++i)
            sums.pattern[i] += reader.pattern[i] * fractions;
    }
    for (const auto& [from, to] : destinations.copies) std::memcpy(to, from, frame_bytes);
    return sums;
}

}  // namespace tessera
