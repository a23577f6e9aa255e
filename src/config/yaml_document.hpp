#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/problem.hpp"

namespace tessera {

// A YAML value that remembers where it came from. Children keep the order of the file, and a map keeps equal
// keys, so that duplicates can be told.
struct YamlNode {
    enum class Kind { null, scalar, sequence, map };
    Kind kind = Kind::null;
    std::string text;                // of a scalar, quotes and escapes resolved
    bool is_quoted = false;          // of a scalar
    std::string key;                 // its name in the map that holds it; empty in a sequence
    std::vector<YamlNode> children;  // of a sequence or map
    int line = 0;                    // from 1; where the value begins
    int key_line = 0;                // from 1; where its key stands; 0 outside a map
    int i_override = -1;             // index into YamlDocument::overrides; -1: from the file
};

// The limits keep hostile input cheap: nothing a person writes comes near them.
struct YamlLimits {
    static constexpr std::size_t max_bytes = std::size_t{1} << 20;
    static constexpr std::size_t max_depth = 32;
    static constexpr std::size_t max_nodes = 20000;  // aliases count as what they stand for
};

struct YamlDocument {
    std::string name;                    // of the file, for messages
    std::vector<std::string> overrides;  // as given
    YamlNode root;

    // "run.yaml:12", or "--set key=value". Of a null, list or map, the line of its key.
    std::string where(const YamlNode& node) const;
    std::string where_key(const YamlNode& node) const;
};

// Parses one YAML document of plain values (no tags). Text that is not UTF-8, not YAML or beyond the limits
// gives one problem and nothing. An empty text gives a null root.
std::optional<YamlDocument> parse_yaml(std::string_view text, std::string_view name,
                                       std::vector<ConfigProblem>& problems);

// Sets each "key.path=value" in the tree, making maps (and the first item of a missing list) on the way. What
// cannot be set is a problem and leaves the tree alone; whether the key means something is for the reader to
// say.
void apply_overrides(YamlDocument& document, const std::vector<std::string>& overrides,
                     std::vector<ConfigProblem>& problems);

// The value of `key` in a map (the first, where it is given twice), or nullptr.
const YamlNode* find_key(const YamlNode& map, std::string_view key);

}  // namespace tessera
