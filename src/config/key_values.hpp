#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/rule.hpp"
#include "config/yaml_document.hpp"

// How each type of member is written in YAML: read_value() sets it and returns what is wrong (empty:
// nothing), value_text() writes it so that it reads back equal.
namespace tessera {

std::string read_value(const YamlNode& node, const Rule& rule, bool& value);  // true/false, on/off, yes/no
std::string read_value(const YamlNode& node, const Rule& rule, int& value);
std::string read_value(const YamlNode& node, const Rule& rule, std::int64_t& value);
std::string read_value(const YamlNode& node, const Rule& rule, std::uint64_t& value);
std::string read_value(const YamlNode& node, const Rule& rule, double& value);
std::string read_value(const YamlNode& node, const Rule& rule, std::string& value);
std::string read_value(const YamlNode& node, const Rule& rule, std::filesystem::path& value);

// A value as one line of YAML that reads back as the same node.
std::string flow_text(const YamlNode& node);

std::string value_text(bool value, const Rule& rule);
std::string value_text(int value, const Rule& rule);
std::string value_text(std::int64_t value, const Rule& rule);
std::string value_text(std::uint64_t value, const Rule& rule);
std::string value_text(double value, const Rule& rule);
std::string value_text(const std::string& value, const Rule& rule);  // quoted where it must be
std::string value_text(const std::filesystem::path& value, const Rule& rule);

// The index of the node's word in `words`.
std::string read_word(const YamlNode& node, std::span<const std::string_view> words, std::size_t& index);

// "got 'abc'", "got a list"
std::string got(const YamlNode& node);

template <class T, std::size_t N>
std::string read_value(const YamlNode& node, const Rule& rule, std::array<T, N>& values) {
    static_assert(N == 2 || N == 4);
    constexpr std::string_view count = N == 2 ? "two" : "four";
    std::array<T, N> read{};
    if (node.kind == YamlNode::Kind::scalar && rule.one_for_both) {
        std::string complaint = read_value(node, rule, read[0]);
        if (complaint.empty()) values.fill(read[0]);
        return complaint;
    }
    if (node.kind != YamlNode::Kind::sequence || node.children.size() != N) {
        return rule.one_for_both ? fmt::format("expected one value or a list of {}, {}", count, got(node))
                                 : fmt::format("expected a list of {} values, {}", count, got(node));
    }
    for (std::size_t i = 0; i < N; ++i) {
        std::string complaint = read_value(node.children[i], rule, read[i]);
        if (!complaint.empty()) return complaint;
    }
    values = read;
    return {};
}

template <class T, std::size_t N>
std::string value_text(const std::array<T, N>& values, const Rule& rule) {
    std::string text;
    for (const T& value : values) text += (text.empty() ? "[" : ", ") + value_text(value, rule);
    return text + "]";
}

template <class T>
std::string read_value(const YamlNode& node, const Rule& rule, std::vector<T>& list) {
    if (node.kind == YamlNode::Kind::scalar) {
        T read{};
        std::string complaint = read_value(node, rule, read);
        if (complaint.empty()) list.assign(rule.count, read);
        return complaint;
    }
    if (node.kind != YamlNode::Kind::sequence || node.children.size() != rule.count) {
        return fmt::format("expected one value for all or a list of {}, {}", rule.count, got(node));
    }
    std::vector<T> read(rule.count);
    for (std::size_t i = 0; i < rule.count; ++i) {
        std::string complaint = read_value(node.children[i], rule, read[i]);
        if (!complaint.empty()) return complaint;
    }
    list = std::move(read);
    return {};
}

// One value where all are equal.
template <class T>
std::string value_text(const std::vector<T>& list, const Rule& rule) {
    if (list.empty()) return "null";
    const bool are_equal = std::all_of(list.begin(), list.end(), [&](const T& v) { return v == list[0]; });
    if (are_equal) return value_text(list[0], rule);
    std::string text;
    for (const T& value : list) text += (text.empty() ? "[" : ", ") + value_text(value, rule);
    return text + "]";
}

template <class T>
std::string read_value(const YamlNode& node, const Rule& rule, std::optional<T>& value) {
    if (!rule.unset_word.empty() && node.kind == YamlNode::Kind::scalar && node.text == rule.unset_word) {
        value.reset();
        return {};
    }
    T read{};
    std::string complaint = read_value(node, rule, read);
    if (complaint.empty()) {
        value = std::move(read);
    } else if (!rule.unset_word.empty()) {
        complaint += fmt::format(" (or {})", rule.unset_word);
    }
    return complaint;
}

template <class T>
std::string value_text(const std::optional<T>& value, const Rule& rule) {
    if (value) return value_text(*value, rule);
    return rule.unset_word.empty() ? "null" : std::string(rule.unset_word);
}

}  // namespace tessera
