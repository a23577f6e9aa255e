#include "config/key_values.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "config/quantities.hpp"
#include "config/wording.hpp"

namespace tessera {

namespace {

using Kind = YamlNode::Kind;

// Quoted numbers are text: "128" is not 128.
bool is_plain(const YamlNode& node) {
    return node.kind == Kind::scalar && !node.is_quoted;
}

template <class T>
std::string read_whole(const YamlNode& node, const Rule& rule, std::optional<T> parsed, T& value) {
    if (!is_plain(node) || !parsed) {
        // A whole number that no 64 bits hold is out of range rather than something else.
        const bool is_digits =
            is_plain(node) && !node.text.empty() &&
            node.text.find_first_not_of("0123456789", node.text[0] == '-' ? 1 : 0) == std::string::npos &&
            node.text != "-";
        if (is_digits) return fmt::format("{} is out of range", shown(node.text));
        return "expected a whole number, " + got(node);
    }
    if (!rule.admits(static_cast<double>(*parsed))) {
        return fmt::format("{} is out of range (allowed: {})", *parsed, rule.range());
    }
    value = *parsed;
    return {};
}

std::string read_text(const YamlNode& node, std::string& value) {
    if (node.kind != Kind::scalar) return "expected a text, " + got(node);
    if (node.text.empty()) return "must not be empty";
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    if (std::any_of(node.text.begin(), node.text.end(), is_control)) {
        return fmt::format("'{}' holds a control character", shown(node.text));
    }
    value = node.text;
    return {};
}

}  // namespace

std::string got(const YamlNode& node) {
    switch (node.kind) {
        case Kind::null:
            return "got nothing";
        case Kind::scalar:
            return fmt::format("got '{}'{}", shown(node.text), node.is_quoted ? " in quotes" : "");
        case Kind::sequence:
            return fmt::format("got a list of {}", node.children.size());
        case Kind::map:
            return "got a map of keys";
    }
    return {};
}

std::string read_value(const YamlNode& node, const Rule&, bool& value) {
    if (is_plain(node)) {
        std::string word = node.text;
        for (char& c : word) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        const bool is_true = word == "true" || word == "on" || word == "yes";
        if (is_true || word == "false" || word == "off" || word == "no") {
            value = is_true;
            return {};
        }
    }
    return "expected true or false, " + got(node);
}

std::string read_value(const YamlNode& node, const Rule& rule, int& value) {
    std::int64_t wide = 0;
    std::string complaint = read_value(node, rule, wide);
    if (complaint.empty()) {  // the rule may leave more room than the type
        complaint =
            read_value(node, within(std::numeric_limits<int>::min(), std::numeric_limits<int>::max()), wide);
    }
    if (complaint.empty()) value = static_cast<int>(wide);
    return complaint;
}

std::string read_value(const YamlNode& node, const Rule& rule, std::int64_t& value) {
    return read_whole(node, rule, parse_integer(node.text), value);
}

std::string read_value(const YamlNode& node, const Rule& rule, std::uint64_t& value) {
    if (rule.unit != Unit::bytes) return read_whole(node, rule, parse_unsigned(node.text), value);
    const auto bytes = is_plain(node) ? parse_bytes(node.text) : std::nullopt;
    if (!bytes) return "expected a number of bytes such as 8GiB or 500MB, " + got(node);
    return read_whole(node, rule, bytes, value);
}

std::string read_value(const YamlNode& node, const Rule& rule, double& value) {
    const bool is_time = rule.unit == Unit::seconds;
    std::optional<double> parsed;
    if (is_plain(node)) parsed = is_time ? parse_seconds(node.text) : parse_real(node.text);
    if (!parsed)
        return (is_time ? "expected a time such as 90s, 10min or 2h, " : "expected a number, ") + got(node);
    if (!std::isfinite(*parsed)) return fmt::format("{} is not finite", shown(node.text));
    if (!rule.admits(*parsed)) {
        return fmt::format("{} is out of range (allowed: {})", shown(node.text), rule.range());
    }
    value = *parsed;
    return {};
}

std::string read_value(const YamlNode& node, const Rule&, std::string& value) {
    return read_text(node, value);
}

std::string read_value(const YamlNode& node, const Rule&, std::filesystem::path& value) {
    std::string text;
    std::string complaint = read_text(node, text);
    if (complaint.empty()) value = text;
    return complaint;
}

std::string value_text(bool value, const Rule&) {
    return value ? "true" : "false";
}
std::string value_text(int value, const Rule&) {
    return fmt::format("{}", value);
}
std::string value_text(std::int64_t value, const Rule&) {
    return fmt::format("{}", value);
}

std::string value_text(std::uint64_t value, const Rule& rule) {
    return rule.unit == Unit::bytes ? bytes_text(value) : fmt::format("{}", value);
}

std::string value_text(double value, const Rule& rule) {
    return rule.unit == Unit::seconds ? seconds_text(value) : real_text(value);
}

std::string value_text(const std::string& value, const Rule&) {
    if (value.empty()) return "null";
    const auto is_alnum = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    };
    const auto is_harmless = [&](char c) {
        return is_alnum(c) || c == '_' || c == '-' || c == '.' || c == '/';
    };
    const bool is_null_word = value == "null" || value == "Null" || value == "NULL";
    const bool starts_harmless = is_alnum(value.front()) || value.front() == '/';
    if (starts_harmless && std::all_of(value.begin(), value.end(), is_harmless) && !is_null_word)
        return value;
    std::string quoted = "\"";
    for (const char c : value) {
        if (c == '"' || c == '\\') quoted += '\\';
        quoted += c;
    }
    return quoted + "\"";
}

std::string value_text(const std::filesystem::path& value, const Rule& rule) {
    return value_text(value.string(), rule);
}

std::string flow_text(const YamlNode& node) {
    std::vector<std::string> items;
    for (const YamlNode& child : node.children) {
        const std::string item = flow_text(child);
        const bool has_name = node.kind == YamlNode::Kind::map;
        items.push_back(has_name ? fmt::format("{}: {}", value_text(child.key, {}), item) : item);
    }
    switch (node.kind) {
        case YamlNode::Kind::null:
            return "null";
        case YamlNode::Kind::scalar:
            return node.is_quoted || node.text.empty() ? value_text(node.text, {}) : node.text;
        case YamlNode::Kind::sequence:
            return fmt::format("[{}]", fmt::join(items, ", "));
        case YamlNode::Kind::map:
            return fmt::format("{{{}}}", fmt::join(items, ", "));
    }
    return "";
}

std::string read_word(const YamlNode& node, std::span<const std::string_view> words, std::size_t& index) {
    if (node.kind == Kind::scalar) {
        for (std::size_t i = 0; i < words.size(); ++i) {
            if (node.text == words[i]) {
                index = i;
                return {};
            }
        }
    }
    const std::string_view nearest =
        node.kind == Kind::scalar ? nearest_word(node.text, words) : std::string_view();
    std::string hint;
    if (!nearest.empty()) hint = fmt::format("; did you mean {}?", nearest);
    return fmt::format("expected one of {}, {}{}", listed(words), got(node), hint);
}

}  // namespace tessera
