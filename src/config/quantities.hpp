#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// Numbers with and without units, as they are written in a YAML file. Parsing takes the whole text or
// nothing.
namespace tessera {

// 5, -3, +7: decimal digits only (no 0x, no 1e3); empty on overflow.
std::optional<std::int64_t> parse_integer(std::string_view text);
std::optional<std::uint64_t> parse_unsigned(std::string_view text);

// 0.5, -1e-6, .5, and .inf, .nan (so that the caller can say that they are not wanted); empty on overflow.
std::optional<double> parse_real(std::string_view text);
std::string real_text(double value);  // the shortest text that reads back to the same bits

// 8GiB, 500MB, 1.5TiB, 4096, 4096B: factors of 1000 (kB, MB, GB, TB) or 1024 (KiB, MiB, GiB, TiB).
std::optional<std::uint64_t> parse_bytes(std::string_view text);
std::string bytes_text(std::uint64_t bytes);  // in the largest factor of 1024 that divides it

// 90, 90s, 10min, 2h; in seconds.
std::optional<double> parse_seconds(std::string_view text);
std::string seconds_text(double seconds);  // "90s"

}  // namespace tessera
