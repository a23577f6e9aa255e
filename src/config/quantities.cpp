#include "config/quantities.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <limits>
#include <system_error>

namespace tessera {

namespace {

template <class T>
std::optional<T> parse_whole(std::string_view text) {
    if (text.starts_with('+')) {
        text.remove_prefix(1);
        if (text.starts_with('-')) return std::nullopt;
    }
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

struct NamedUnit {
    std::string_view name;
    double factor;
};

constexpr std::array<NamedUnit, 9> byte_units = {{{"B", 1.0},
                                                  {"kB", 1e3},
                                                  {"MB", 1e6},
                                                  {"GB", 1e9},
                                                  {"TB", 1e12},
                                                  {"KiB", 1024.0},
                                                  {"MiB", 1048576.0},
                                                  {"GiB", 1073741824.0},
                                                  {"TiB", 1099511627776.0}}};
constexpr std::array<NamedUnit, 3> time_units = {{{"s", 1.0}, {"min", 60.0}, {"h", 3600.0}}};

// "10 min" -> 600 with the unit {"min", 60}; a number alone is in the unit of factor 1.
template <std::size_t N>
std::optional<double> parse_with_unit(std::string_view text, const std::array<NamedUnit, N>& units) {
    if (const auto plain = parse_real(text)) return plain;  // first: the e of 1e3 is no unit
    const std::size_t digits_end = std::min(text.find_first_not_of("+-.0123456789"), text.size());
    const std::string_view number = text.substr(0, digits_end);
    std::string_view unit = text.substr(digits_end);
    if (unit.starts_with(' ')) unit.remove_prefix(1);
    const auto value = parse_real(number);
    if (!value) return std::nullopt;
    for (const NamedUnit& known : units) {
        if (unit == known.name) return *value * known.factor;
    }
    return std::nullopt;
}

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) {
    return parse_whole<std::int64_t>(text);
}

std::optional<std::uint64_t> parse_unsigned(std::string_view text) {
    return parse_whole<std::uint64_t>(text);
}

std::optional<double> parse_real(std::string_view text) {
    std::string_view digits = text;
    const bool is_negative = digits.starts_with('-');
    if (is_negative || digits.starts_with('+')) digits.remove_prefix(1);
    if (digits == ".inf" || digits == ".Inf" || digits == ".INF") {
        return is_negative ? -std::numeric_limits<double>::infinity()
                           : std::numeric_limits<double>::infinity();
    }
    if (text == ".nan" || text == ".NaN" || text == ".NAN") return std::numeric_limits<double>::quiet_NaN();
    // Only digits from here on: from_chars would take "inf" and "nan" too.
    if (digits.empty() || digits.find_first_not_of("0123456789.eE+-") != digits.npos) return std::nullopt;
    if (digits.front() == '-' || digits.front() == '+') return std::nullopt;
    double value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    return is_negative ? -value : value;
}

std::string real_text(double value) {
    std::string text = fmt::format("{}", value);
    const std::size_t exponent = text.find('e');
    // 6e-08 is a number in YAML 1.2 alone; readers of YAML 1.1, such as Python's, want a point.
    if (exponent != text.npos && text.find('.') == text.npos) text.insert(exponent, ".0");
    return text;
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
    if (const auto exact = parse_unsigned(text)) return exact;
    const auto bytes = parse_with_unit(text, byte_units);
    constexpr double limit = 18446744073709551616.0;  // 2^64
    if (!bytes || !(*bytes >= 0) || !(*bytes < limit)) return std::nullopt;
    return static_cast<std::uint64_t>(std::floor(*bytes));
}

std::string bytes_text(std::uint64_t bytes) {
    constexpr std::array<std::string_view, 5> names = {"", "KiB", "MiB", "GiB", "TiB"};
    std::size_t i_name = 0;
    // Below 2^53 so that "<number><unit>", which goes through a double, is exact.
    if (bytes < (std::uint64_t{1} << 53)) {
        while (bytes > 0 && bytes % 1024 == 0 && i_name + 1 < names.size()) {
            bytes /= 1024;
            ++i_name;
        }
    }
    return fmt::format("{}{}", bytes, names[i_name]);
}

std::optional<double> parse_seconds(std::string_view text) {
    return parse_with_unit(text, time_units);
}

std::string seconds_text(double seconds) {
    const std::string text = real_text(seconds);
    return text.find('e') == text.npos ? text + "s" : text;  // 1e+20: an exponent takes no unit
}

}  // namespace tessera
