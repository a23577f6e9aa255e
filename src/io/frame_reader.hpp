#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <semaphore>
#include <span>
#include <vector>

#include "base/array.hpp"
#include "config/run_config.hpp"
#include "io/raw_frames.hpp"
#include "io/read_ahead.hpp"
#include "io/scan_layout.hpp"
#include "io/scan_mask.hpp"
#include "scan/scan.hpp"

namespace tessera {

enum class DetectorCentre { middle, corner };  // of the stored frames: index floor(M/2), or 0

// From stored detector pixels to those of a pattern: crop, then orientation, then (far field) the shift that
// brings the centre floor(M/2) to index 0. A far-field flip turns about the centre, also where M is even, so
// that the beam stays where it was; a near-field flip reverses the image.
class PixelMap {
  public:
    PixelMap(std::array<int, 2> stored_shape, const CropConfig& crop, const OrientationConfig& orientation,
             Propagation propagation, DetectorCentre centre);

    std::array<int, 2> shape() const { return shape_; }  // of a pattern (y, x)
    std::array<int, 2> window_first() const {
        return window_first_;
    }  // what to read of a stored frame (y, x)
    std::array<int, 2> window_shape() const { return window_shape_; }
    std::ptrdiff_t size() const { return static_cast<std::ptrdiff_t>(source_.size()); }
    // Index inside the window, flat, of each pattern pixel.
    const std::vector<std::int32_t>& source() const { return source_; }
    // The same as pieces of consecutive pixels.
    struct Piece {
        std::int32_t pattern, source, size;
    };
    const std::vector<Piece>& pieces() const { return pieces_; }

    // A whole stored detector map in pattern order.
    template <class To, class From>
    Array<To, 2> apply(const Array<From, 2>& stored) const {
        Array<To, 2> pattern({shape_[0], shape_[1]});
        for (std::ptrdiff_t i = 0; i < pattern.size(); ++i) {
            const std::int32_t source = source_[static_cast<std::size_t>(i)];
            pattern[i] = static_cast<To>(stored(window_first_[0] + source / window_shape_[1],
                                                window_first_[1] + source % window_shape_[1]));
        }
        return pattern;
    }

  private:
    std::array<int, 2> shape_{}, window_first_{}, window_shape_{};
    std::vector<std::int32_t> source_;
    std::vector<Piece> pieces_;
};

// What stored numbers mean. Left out of their frame are numbers that are none, negative ones unless they are
// what a subtraction left of nothing, and the largest one of an unsigned type, by which detectors mark pixels
// that they do not trust; of 8 and 16 bits it is a saturated count where the run file says that such are.
struct CountRules {
    PatternType type = PatternType::u16;  // what counts are kept as: the stored integers where they fit
    bool are_amplitudes = false;
    bool negative_is_zero = false;
    bool full_is_saturated = false;
    double saturated_from = std::numeric_limits<double>::infinity();
};
CountRules count_rules(const hdf5::Type& stored, const ScanConfig& config);

// Reads frames by their index in the file into patterns. Keeps references to its arguments. Several threads
// may read at once.
class FrameReader {
  public:
    FrameReader(const hdf5::Dataset& frames, const ScanMask& mask, const PixelMap& map,
                const CountRules& rules);

    // `frames` ascending. Data error for a used pixel whose count is too large, and for a frame that cannot
    // be read. Reads in pieces of about 8 MiB at most; threads wait for each other where all of them would
    // take more than 64 MiB for stored frames at once.
    void read(std::span<const std::ptrdiff_t> frames, std::span<void* const> destinations) const;
    void will_need(std::span<const std::ptrdiff_t> frames) const { fetch_(frames); }  // ascending
    std::size_t stored_frame_bytes() const { return fetch_.frame_bytes(); }           // 0: not known

  private:
    struct Run {  // frames first, first + step, ... of the file, all in one row of a raster
        std::ptrdiff_t first, step, count;
    };
    std::size_t size_of_window() const {
        return static_cast<std::size_t>(map_.window_shape()[0]) *
               static_cast<std::size_t>(map_.window_shape()[1]);
    }
    Run next_run(std::span<const std::ptrdiff_t> frames) const;
    hdf5::Block block_of(const Run& run) const;
    template <class Stored>
    void read_as(std::span<const std::ptrdiff_t> frames, std::span<void* const> destinations) const;
    template <class Stored>
    void read_run(const Run& run, std::span<void* const> destinations) const;
    void read_blocks(const Run& run, auto* windows, std::vector<PixelUse>& use) const;
    template <class Stored>
    void convert(const Stored* window, const PixelUse* use_in_frame, std::ptrdiff_t frame,
                 void* pattern) const;
    template <class Stored, class Count>
    bool convert_pieces(const Stored* window, Count* pattern) const;
    template <class Stored, class Count>
    void convert_to(const Stored* window, const PixelUse* use_in_frame, std::ptrdiff_t frame,
                    Count* pattern) const;
    template <class Stored>
    [[noreturn]] void refuse(std::ptrdiff_t frame, std::ptrdiff_t pixel, Stored value) const;

    const hdf5::Dataset& frames_;
    const ScanMask& mask_;
    const PixelMap& map_;
    CountRules rules_;
    RawFrames raw_;
    ReadAhead fetch_;
    mutable std::counting_semaphore<> room_;  // for so many threads
    Array<std::uint8_t, 2> used_;             // in pattern order
};

// A sample of stored frames: their mean (y, x), used pixels only (others and impossible values: 0), and how
// many of the used pixels hold what.
struct MeanFrame {
    Array<double, 2> counts;
    std::ptrdiff_t num_samples = 0, num_used = 0;                               // frames; their pixels
    std::ptrdiff_t num_negative = 0, num_without_count = 0, num_saturated = 0;  // pixels of one frame
    std::vector<std::array<int, 2>> never_a_count;  // in no sampled frame, unmasked
};
MeanFrame mean_frame(const hdf5::Dataset& frames, const ScanMask& mask, const CountRules& rules,
                     std::span<const std::ptrdiff_t> of, std::ptrdiff_t num_samples);

// Where the beam is: around the middle or around index 0 of the frame.
DetectorCentre find_centre(const Array<double, 2>& mean);

}  // namespace tessera
