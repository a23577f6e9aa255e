#include "config/wording.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace tessera {

namespace {

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result) c = lower(c);
    return result;
}

// Optimal string alignment: insertions, deletions, substitutions and exchanges of neighbours cost 1 each.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t substituted = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = std::min({substituted, last[j] + 1, row[j - 1] + 1});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = std::min(row[j], before[j - 2] + 1);
            }
        }
        before = last;
        last = row;
    }
    return last[b.size()];
}

}  // namespace

std::string_view nearest_word(std::string_view word, std::span<const std::string_view> candidates) {
    constexpr std::size_t longest = 64;  // no key comes near this; bounds the work for hostile input
    if (word.empty() || word.size() > longest) return {};
    const std::string wanted = lower(word);
    std::string_view nearest;
    std::size_t least = std::max<std::size_t>(1, word.size() / 3) + 1;
    for (const std::string_view candidate : candidates) {
        const std::string name = lower(candidate);
        const bool begins =
            wanted.size() >= 3 && name.size() >= 3 && (name.starts_with(wanted) || wanted.starts_with(name));
        const std::size_t distance =
            begins ? std::min<std::size_t>(1, edit_distance(wanted, name)) : edit_distance(wanted, name);
        if (distance < least) {
            least = distance;
            nearest = candidate;
        }
    }
    return nearest;
}

std::string shown(std::string_view text) {
    constexpr std::size_t longest = 60;
    std::size_t length = std::min(text.size(), longest);
    // Never end inside a multi-byte UTF-8 character.
    while (length < text.size() && length > 0 &&
           (static_cast<unsigned char>(text[length]) & 0xC0u) == 0x80u) {
        --length;
    }
    std::string result(text.substr(0, length));
    for (char& c : result) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    }
    if (length < text.size()) result += "...";
    return result;
}

std::string listed(std::span<const std::string_view> words) {
    std::string result;
    for (const std::string_view word : words) {
        if (!result.empty()) result += ", ";
        result += word;
    }
    return result;
}

}  // namespace tessera
