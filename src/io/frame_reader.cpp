#include "io/frame_reader.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

#include "base/error.hpp"

namespace tessera {

namespace {

constexpr std::ptrdiff_t bytes_per_read = std::ptrdiff_t{8} << 20;

// Calls body(Stored{}) with the C type that holds `type` without loss.
template <class Body>
void with_stored_type(const hdf5::Type& type, const Body& body) {
    if (type.kind == hdf5::Kind::real) return type.bytes <= 4 ? body(float{}) : body(double{});
    const bool has_sign = type.kind == hdf5::Kind::signed_integer;
    if (type.bytes <= 1) return has_sign ? body(std::int8_t{}) : body(std::uint8_t{});
    if (type.bytes <= 2) return has_sign ? body(std::int16_t{}) : body(std::uint16_t{});
    if (type.bytes <= 4) return has_sign ? body(std::int32_t{}) : body(std::uint32_t{});
    return has_sign ? body(std::int64_t{}) : body(std::uint64_t{});
}

template <class Stored>
bool is_left_out(Stored stored, const CountRules& rules) {
    if constexpr (std::is_unsigned_v<Stored>) {
        return !rules.full_is_saturated & (stored == std::numeric_limits<Stored>::max());
    } else if constexpr (std::is_floating_point_v<Stored>) {
        return std::isnan(stored) | ((stored < 0) & !rules.negative_is_zero);
    } else {
        return (stored < 0) & !rules.negative_is_zero;
    }
}

template <class Stored, class Count>
bool is_too_large(Stored stored) {
    if constexpr (std::is_floating_point_v<Stored>) {
        return stored > static_cast<Stored>(std::numeric_limits<float>::max());
    } else if constexpr (std::is_floating_point_v<Count>) {
        return false;
    } else {
        return std::cmp_greater(stored, std::numeric_limits<Count>::max());
    }
}

// Of a number that is neither left out nor too large.
template <class Stored, class Count>
Count as_count(Stored stored) {
    const auto count = static_cast<Count>(stored > Stored{0} ? stored : Stored{0});
    if constexpr (std::is_unsigned_v<Count>) {
        return is_unused(count) ? static_cast<Count>(count - 1) : count;  // saturated
    } else {
        return count;
    }
}

// Pixels that are used become counts. Not 0 when one of them is too large. Without a branch, and nothing
// overlaps: compilers make vectors of it.
template <class Stored, class Count>
unsigned convert_piece(const Stored* __restrict from, const std::uint8_t* __restrict used,
                       Count* __restrict to, std::int32_t size, const CountRules& rules) {
    unsigned wrong = 0;
    for (std::int32_t i = 0; i < size; ++i) {
        const Stored stored = from[i];
        const bool is_used = used[i] != 0, is_out = is_left_out(stored, rules);
        wrong |= static_cast<unsigned>(is_used & !is_out & is_too_large<Stored, Count>(stored));
        const Count count = as_count<Stored, Count>(stored);
        const Count kept = is_out ? unused_count<Count> : count;
        to[i] = is_used ? kept : Count{0};
    }
    return wrong;
}

int reflected(int i, int extent, Propagation propagation) {
    if (propagation == Propagation::near_field) return extent - 1 - i;
    return (2 * (extent / 2) - i + extent) % extent;
}

}  // namespace

PixelMap::PixelMap(std::array<int, 2> stored_shape, const CropConfig& crop,
                   const OrientationConfig& orientation, Propagation propagation, DetectorCentre centre) {
    const std::array<int, 2> size = crop.size.value_or(stored_shape);
    std::array<int, 2> first{};
    for (std::size_t axis = 0; axis < 2; ++axis) {
        const int extent = stored_shape[axis];
        const int middle = crop.center ? (*crop.center)[axis] : extent / 2;
        const bool inside = size[axis] >= 1 && size[axis] <= extent && middle >= size[axis] / 2 &&
                            middle <= extent - size[axis] + size[axis] / 2;
        if (!inside) {
            throw data_error("scan.crop: {} pixels about pixel {} along {} do not fit frames of {} pixels",
                             size[axis], middle, axis == 0 ? "y" : "x", extent);
        }
        first[axis] = middle - size[axis] / 2;
    }
    // Cropping about a centre that lies in the corners needs all of the frame.
    const bool whole = centre == DetectorCentre::corner;
    window_first_ = whole ? std::array<int, 2>{0, 0} : first;
    window_shape_ = whole ? stored_shape : size;
    shape_ = orientation.transpose ? std::array<int, 2>{size[1], size[0]} : size;

    source_.reserve(static_cast<std::size_t>(shape_[0]) * static_cast<std::size_t>(shape_[1]));
    for (int i_y = 0; i_y < shape_[0]; ++i_y) {
        for (int i_x = 0; i_x < shape_[1]; ++i_x) {
            std::array<int, 2> from = {i_y, i_x};  // walked back from the pattern to the file
            if (propagation == Propagation::far_field) {
                for (std::size_t axis = 0; axis < 2; ++axis) {
                    from[axis] = (from[axis] + shape_[axis] / 2) % shape_[axis];
                }
            }
            if (orientation.flip_x) from[1] = reflected(from[1], shape_[1], propagation);
            if (orientation.flip_y) from[0] = reflected(from[0], shape_[0], propagation);
            if (orientation.transpose) std::swap(from[0], from[1]);
            if (whole) {
                for (std::size_t axis = 0; axis < 2; ++axis) {
                    const int extent = stored_shape[axis];
                    from[axis] = (from[axis] + first[axis] - extent / 2 + extent) % extent;
                }
            }
            source_.push_back(from[0] * window_shape_[1] + from[1]);
        }
    }
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(source_.size()); ++i) {
        const std::int32_t from = source_[static_cast<std::size_t>(i)];
        const bool goes_on = !pieces_.empty() && from == pieces_.back().source + pieces_.back().size;
        if (goes_on) ++pieces_.back().size;
        if (!goes_on) pieces_.push_back({i, from, 1});
    }
}

CountRules count_rules(const hdf5::Type& stored, const ScanConfig& config) {
    CountRules rules;
    const bool is_real = stored.kind == hdf5::Kind::real;
    rules.are_amplitudes = config.keys.frames_are_amplitudes;
    rules.type = rules.are_amplitudes || is_real ? PatternType::f32
                 : stored.bytes > 2              ? PatternType::i32
                 : stored.bytes == 1             ? PatternType::u8
                                                 : PatternType::u16;
    rules.negative_is_zero = config.mask.negative_counts == NegativeCounts::zero;
    if (!config.mask.saturated_above) return rules;
    rules.full_is_saturated = stored.bytes <= 2;
    rules.saturated_from = *config.mask.saturated_above;
    // The largest numbers that patterns can hold beside their mark.
    if (rules.type == PatternType::u8) rules.saturated_from = std::min(rules.saturated_from, 254.0);
    if (rules.type == PatternType::u16) rules.saturated_from = std::min(rules.saturated_from, 65534.0);
    return rules;
}

// How many threads may read at once. Each has a window and, reading raw, what is stored of the frame: as it
// is, inflated, and in order; else a piece, and how each of its pixels is used.
static std::ptrdiff_t num_threads_with_room(const hdf5::Dataset& frames, const ScanMask& mask,
                                            const PixelMap& map, bool is_raw) {
    constexpr std::ptrdiff_t most_bytes = std::ptrdiff_t{64} << 20;
    const auto& shape = frames.shape();
    const auto bytes = static_cast<std::ptrdiff_t>(frames.type().bytes);
    const std::ptrdiff_t window = bytes * map.window_shape()[0] * map.window_shape()[1];
    const std::ptrdiff_t of_thread = is_raw ? window + 3 * bytes * shape.end()[-2] * shape.end()[-1]
                                            : std::max(window, bytes_per_read) * (mask.per_frame() ? 2 : 1);
    return std::clamp<std::ptrdiff_t>(most_bytes / of_thread, 1, 64);
}

FrameReader::FrameReader(const hdf5::Dataset& frames, const ScanMask& mask, const PixelMap& map,
                         const CountRules& rules)
    : frames_(frames),
      mask_(mask),
      map_(map),
      rules_(rules),
      raw_(frames),
      fetch_(frames, map.window_first()[0], map.window_shape()[0]),
      room_(num_threads_with_room(frames, mask, map, raw_.is_possible() && !mask.per_frame())),
      used_(map.apply<std::uint8_t>(mask.used())) {}

void FrameReader::read(std::span<const std::ptrdiff_t> frames, std::span<void* const> destinations) const {
    TESSERA_EXPECT(frames.size() == destinations.size());
    room_.acquire();
    const std::unique_ptr<std::counting_semaphore<>, void (*)(std::counting_semaphore<>*)> turn(
        &room_, [](std::counting_semaphore<>* room) { room->release(); });
    with_stored_type(frames_.type(), [&](auto stored) { read_as<decltype(stored)>(frames, destinations); });
}

template <class Stored>
void FrameReader::read_as(std::span<const std::ptrdiff_t> frames, std::span<void* const> destinations) const {
    const bool is_raw = raw_.is_possible() && !mask_.per_frame() && frames_.type().bytes == sizeof(Stored);
    const RawFrames::Window window = {map_.window_first(), map_.window_shape()};
    RawFrames::Scratch scratch;
    for (std::size_t done = 0; done < frames.size();) {
        const std::byte* const raw = is_raw ? raw_.read(frames[done], window, scratch) : nullptr;
        if (raw != nullptr) {
            convert(reinterpret_cast<const Stored*>(raw), nullptr, frames[done], destinations[done]);
            ++done;
            continue;
        }
        const Run run = next_run(frames.subspan(done));
        const auto count = static_cast<std::size_t>(run.count);
        read_run<Stored>(run, destinations.subspan(done, count));
        done += count;
    }
}

FrameReader::Run FrameReader::next_run(std::span<const std::ptrdiff_t> frames) const {
    // A mask per frame is read as 64-bit words.
    const auto bytes_per_pixel = static_cast<std::ptrdiff_t>(frames_.type().bytes) +
                                 (mask_.per_frame() ? std::ptrdiff_t{9} : std::ptrdiff_t{0});
    const std::ptrdiff_t window_bytes =
        static_cast<std::ptrdiff_t>(map_.window_shape()[0]) * map_.window_shape()[1] * bytes_per_pixel;
    const auto most = static_cast<std::size_t>(std::max<std::ptrdiff_t>(1, bytes_per_read / window_bytes));
    const auto& shape = frames_.shape();
    const std::ptrdiff_t row_length =
        shape.size() == 4 ? shape[1] : std::numeric_limits<std::ptrdiff_t>::max();

    Run run{frames[0], 1, 1};
    if (frames.size() == 1 || frames[1] <= frames[0]) return run;
    run.step = frames[1] - frames[0];
    for (std::size_t i = 1; i < std::min(frames.size(), most); ++i) {
        if (frames[i] - frames[i - 1] != run.step || frames[i] / row_length != run.first / row_length) break;
        ++run.count;
    }
    return run;
}

hdf5::Block FrameReader::block_of(const Run& run) const {
    const auto [height, width] = map_.window_shape();
    const auto [first_y, first_x] = map_.window_first();
    const std::ptrdiff_t step = run.count == 1 ? 1 : run.step;
    if (frames_.shape().size() == 4) {
        const std::ptrdiff_t row_length = frames_.shape()[1];
        return {{run.first / row_length, run.first % row_length, first_y, first_x},
                {1, step, 1, 1},
                {1, run.count, height, width}};
    }
    return {{run.first, first_y, first_x}, {step, 1, 1}, {run.count, height, width}};
}

template <class Stored>
void FrameReader::read_run(const Run& run, std::span<void* const> destinations) const {
    const std::size_t window_size = size_of_window(), size = window_size * destinations.size();
    std::vector<Stored> windows(size);
    std::vector<PixelUse> use(mask_.per_frame() ? size : 0);
    read_blocks(run, windows.data(), use);
    for (std::size_t i = 0; i < destinations.size(); ++i) {
        const PixelUse* use_in_frame = use.empty() ? nullptr : use.data() + i * window_size;
        convert(windows.data() + i * window_size, use_in_frame,
                run.first + static_cast<std::ptrdiff_t>(i) * run.step, destinations[i]);
    }
}

// The part that HDF5 does, one thread at a time.
void FrameReader::read_blocks(const Run& run, auto* windows, std::vector<PixelUse>& use) const {
    const hdf5::Block block = block_of(run);
    const std::lock_guard turn(hdf5::library_lock());
    try {
        frames_.read(block, windows);
        if (mask_.per_frame()) mask_.read_use(block, use.data());
    } catch (const Error& failure) {
        const std::string which = run.count == 1 ? fmt::format("frame {}", run.first)
                                                 : fmt::format("frames {} to {}", run.first,
                                                               run.first + (run.count - 1) * run.step);
        throw Error(failure.code(), fmt::format("{}: {}", failure.what(), which));
    }
    raw_.require_whole_file(run.first);
}

template <class Stored>
void FrameReader::convert(const Stored* window, const PixelUse* use_in_frame, std::ptrdiff_t frame,
                          void* pattern) const {
    switch (rules_.type) {
        case PatternType::u8:
            return convert_to(window, use_in_frame, frame, static_cast<std::uint8_t*>(pattern));
        case PatternType::u16:
            return convert_to(window, use_in_frame, frame, static_cast<std::uint16_t*>(pattern));
        case PatternType::i32:
            return convert_to(window, use_in_frame, frame, static_cast<std::int32_t*>(pattern));
        case PatternType::f32:
            return convert_to(window, use_in_frame, frame, static_cast<float*>(pattern));
    }
}

// For counts that need neither a mask of their own nor squares, as loops that become vector instructions.
// False when one of them is too large: the other way then says which.
template <class Stored, class Count>
bool FrameReader::convert_pieces(const Stored* window, Count* pattern) const {
    unsigned num_wrong = 0;
    const CountRules rules = rules_;
    for (const PixelMap::Piece& piece : map_.pieces()) {
        num_wrong |= convert_piece(window + piece.source, used_.data() + piece.pattern,
                                   pattern + piece.pattern, piece.size, rules);
    }
    return num_wrong == 0;
}

template <class Stored, class Count>
void FrameReader::convert_to(const Stored* window, const PixelUse* use_in_frame, std::ptrdiff_t frame,
                             Count* pattern) const {
    if (use_in_frame == nullptr && !rules_.are_amplitudes && convert_pieces(window, pattern)) return;
    const std::int32_t* const source = map_.source().data();
    const std::uint8_t* const used = used_.data();
    const std::ptrdiff_t size = map_.size();
    for (std::ptrdiff_t i = 0; i < size; ++i) {
        const Stored stored = window[source[i]];
        const PixelUse use = use_in_frame == nullptr ? PixelUse::used : use_in_frame[source[i]];
        pattern[i] = used[i] == 0 ? Count{0} : unused_count<Count>;
        if (used[i] == 0 || use == PixelUse::unused || is_left_out(stored, rules_)) continue;
        if (is_too_large<Stored, Count>(stored)) refuse(frame, i, stored);
        Count count = as_count<Stored, Count>(stored);
        if (rules_.are_amplitudes) {
            count = static_cast<Count>(count * count);
            if (is_too_large<Count, Count>(count)) refuse(frame, i, stored);
        }
        if (use == PixelUse::used || static_cast<double>(count) >= rules_.saturated_from) pattern[i] = count;
    }
}

template <class Stored>
void FrameReader::refuse(std::ptrdiff_t frame, std::ptrdiff_t pixel, Stored value) const {
    const std::int32_t source = map_.source()[static_cast<std::size_t>(pixel)];
    const int y = map_.window_first()[0] + source / map_.window_shape()[1];
    const int x = map_.window_first()[1] + source % map_.window_shape()[1];
    throw data_error(
        "{}: frame {}, pixel (y, x) = ({}, {}) holds {}: it is too large for a count (if the detector marks "
        "bad pixels this way, mask them with scan.mask)",
        frames_.where(), frame, y, x, +value);
}

MeanFrame mean_frame(const hdf5::Dataset& frames, const ScanMask& mask, const CountRules& rules,
                     std::span<const std::ptrdiff_t> of, std::ptrdiff_t num_samples) {
    const auto& used = mask.used();
    const auto size = static_cast<std::size_t>(used.size());
    const auto num_frames = static_cast<std::ptrdiff_t>(of.size());
    num_samples = std::min(num_samples, num_frames);
    MeanFrame mean;
    mean.counts = Array<double, 2>(used.extents());
    mean.num_samples = num_samples;
    std::vector<double> frame(size);
    std::vector<PixelUse> use_in_frame(mask.per_frame() ? size : 0);
    std::vector<std::ptrdiff_t> num_out(size, 0);
    const hdf5::Type& type = frames.type();
    const double full = type.kind == hdf5::Kind::unsigned_integer && !rules.full_is_saturated
                            ? std::ldexp(1.0, static_cast<int>(8 * type.bytes)) - 1
                            : std::numeric_limits<double>::infinity();

    for (std::ptrdiff_t i = 0; i < num_samples; ++i) {
        const std::ptrdiff_t index = of[static_cast<std::size_t>(i * num_frames / num_samples)];
        hdf5::Block block{{index, 0, 0}, {1, 1, 1}, {1, used.extent(0), used.extent(1)}};
        if (frames.shape().size() == 4) {
            const std::ptrdiff_t row_length = frames.shape()[1];
            block = {{index / row_length, index % row_length, 0, 0},
                     {1, 1, 1, 1},
                     {1, 1, used.extent(0), used.extent(1)}};
        }
        frames.read(block, frame.data());
        if (mask.per_frame()) mask.read_use(block, use_in_frame.data());
        for (std::size_t pixel = 0; pixel < size; ++pixel) {
            const auto at = static_cast<std::ptrdiff_t>(pixel);
            const double stored = frame[pixel];
            const bool is_saturated =
                (rules.are_amplitudes ? stored * stored : stored) >= rules.saturated_from;
            const PixelUse use = mask.per_frame() ? use_in_frame[pixel] : PixelUse::used;
            if (used[at] == 0) continue;
            ++mean.num_used;
            mean.num_negative += stored < 0;
            const bool has_count = stored < full && (stored >= 0 || rules.negative_is_zero) &&
                                   (use == PixelUse::used || (use == PixelUse::saturated && is_saturated));
            if (!has_count) {
                ++mean.num_without_count;
                ++num_out[pixel];
                continue;
            }
            mean.num_saturated += is_saturated;
            mean.counts[at] += std::max(stored, 0.0) / static_cast<double>(num_samples);
        }
    }
    const auto width = static_cast<std::size_t>(used.extent(1));
    for (std::size_t pixel = 0; pixel < size; ++pixel) {
        if (num_out[pixel] == 0 || num_out[pixel] != num_samples) continue;
        mean.never_a_count.push_back({static_cast<int>(pixel / width), static_cast<int>(pixel % width)});
    }
    return mean;
}

DetectorCentre find_centre(const Array<double, 2>& mean) {
    // Mean counts in a box of an eighth of the frame to each side, about the middle and about the wrapped
    // corner.
    constexpr double clearly = 4;
    const std::ptrdiff_t height = mean.extent(0), width = mean.extent(1);
    const auto counts_about = [&](std::ptrdiff_t centre_y, std::ptrdiff_t centre_x) {
        double sum = 0;
        for (std::ptrdiff_t y = -height / 8; y <= height / 8; ++y) {
            for (std::ptrdiff_t x = -width / 8; x <= width / 8; ++x) {
                sum += mean((centre_y + y + height) % height, (centre_x + x + width) % width);
            }
        }
        return sum;
    };
    const double middle = counts_about(height / 2, width / 2), corner = counts_about(0, 0);
    return corner > clearly * middle ? DetectorCentre::corner : DetectorCentre::middle;
}

}  // namespace tessera
