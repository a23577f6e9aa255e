#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/array.hpp"
#include "math/complex.hpp"
#include "scan/geometry.hpp"

namespace tessera {

// How counts are kept in memory: as the file has them where that is lossless.
enum class PatternType { u8, u16, i32, f32 };
std::size_t bytes_per_count(PatternType type);
const char* name(PatternType type);

// A pixel that one frame does not use is marked in the frame itself: the largest number of an unsigned type,
// as detectors have it, and -1 of the others, where anything below zero will do.
template <class Count>
constexpr Count unused_count = std::is_unsigned_v<Count> ? std::numeric_limits<Count>::max() : Count(-1);
template <class Count>
constexpr bool is_unused(Count count) {
    return std::is_unsigned_v<Count> ? count == unused_count<Count> : count < Count{0};
}

// Everything about a scan except the frames themselves, in the conventions of this program:
// frames oriented and cropped, positions as probe positions along object rows and columns.
struct ScanInfo {
    std::string file;
    std::string format;                       // "CXI 1.6 (cdtools)", for people
    std::ptrdiff_t num_frames = 0;            // selected ones
    std::vector<std::ptrdiff_t> frames;       // their indices in the file, ascending
    std::array<int, 2> frame_shape = {0, 0};  // (y, x) after crop and orientation
    PatternType pattern_type = PatternType::u16;
    Geometry geometry;
    std::array<double, 2> pixel_size_m = {0, 0};  // of the object
    Array<double, 2> positions_px;                // (frame, 2): (y, x) in object pixels, any origin
    // Detector maps in the order of the transform: for the far field the centre floor(M/2) is at index 0.
    Array<float, 2> mask;                       // (y, x): 1 use, 0 ignore
    std::optional<Array<float, 2>> background;  // (y, x): counts
    // So many counts of a frame's pixel, or more, say only that there were at least as many.
    float saturated_from = std::numeric_limits<float>::infinity();
    std::optional<Array<cfloat, 3>> probe;  // (mode, y, x), not shifted
    std::vector<std::string> notes;  // conventions found, doubtful values: what `inspect` and the log say
};

// The same for two scans whose geometry, positions and detector maps are bitwise the same.
std::string fingerprint(const ScanInfo& scan);

}  // namespace tessera
