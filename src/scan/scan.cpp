#include "scan/scan.hpp"

#include <fmt/format.h>

#include <cmath>
#include <span>

namespace tessera {
namespace {

// FNV-1a, 64 bits.
class Fingerprint {
  public:
    void add(const void* data, std::size_t bytes) {
        for (const auto byte : std::span(static_cast<const unsigned char*>(data), bytes))
            hash_ = (hash_ ^ byte) * 0x100000001b3U;
    }
    template <class Values>
    void add_all(const Values& values) {
        add(values.data(), static_cast<std::size_t>(values.size()) * sizeof(*values.data()));
    }
    std::string text() const { return fmt::format("{:016x}", hash_); }

  private:
    std::uint64_t hash_ = 0xcbf29ce484222325U;
};

}  // namespace

std::string fingerprint(const ScanInfo& scan) {
    Fingerprint print;
    const Geometry& g = scan.geometry;
    print.add_all(std::array{g.wavelength_m, g.distance_m, g.focus_to_sample_m, scan.pixel_size_m[0],
                             scan.pixel_size_m[1]});
    print.add_all(std::array{
        static_cast<std::ptrdiff_t>(scan.pattern_type), static_cast<std::ptrdiff_t>(g.propagation),
        static_cast<std::ptrdiff_t>(scan.frame_shape[0]), static_cast<std::ptrdiff_t>(scan.frame_shape[1])});
    print.add_all(scan.frames);
    print.add_all(scan.positions_px);
    print.add_all(scan.mask);
    if (std::isfinite(scan.saturated_from)) print.add(&scan.saturated_from, sizeof scan.saturated_from);
    if (scan.background) print.add_all(*scan.background);
    if (scan.probe) print.add_all(*scan.probe);
    return print.text();
}

std::size_t bytes_per_count(PatternType type) {
    switch (type) {
        case PatternType::u8:
            return 1;
        case PatternType::u16:
            return 2;
        case PatternType::i32:
            return 4;
        case PatternType::f32:
            return 4;
    }
    throw runtime_failure("pattern type {}: unknown", static_cast<int>(type));
}

const char* name(PatternType type) {
    switch (type) {
        case PatternType::u8:
            return "uint8";
        case PatternType::u16:
            return "uint16";
        case PatternType::i32:
            return "int32";
        case PatternType::f32:
            return "float32";
    }
    throw runtime_failure("pattern type {}: unknown", static_cast<int>(type));
}

}  // namespace tessera
