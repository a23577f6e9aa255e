#include <fmt/format.h>
#include <fmt/ranges.h>

#include "config/schema.hpp"
#include "config/wording.hpp"

namespace tessera {

std::string read_value(const YamlNode& node, const Rule&, VariedKeys& varied) {
    constexpr std::string_view expected =
        "expected a map from keys to lists of values, such as {tiling.batch_size: [5, 10]}";
    if (node.kind != YamlNode::Kind::map) return fmt::format("{}, {}", expected, got(node));
    VariedKeys read;
    for (const YamlNode& child : node.children) {
        if (child.kind != YamlNode::Kind::sequence || child.children.empty())
            return fmt::format("{}: {}, {}", shown(child.key), expected, got(child));
        VariedKey key{child.key, {}};
        for (const YamlNode& value : child.children) key.values.push_back(flow_text(value));
        read.keys.push_back(std::move(key));
    }
    varied = std::move(read);
    return {};
}

std::string value_text(const VariedKeys& varied, const Rule&) {
    std::vector<std::string> keys;
    for (const VariedKey& key : varied.keys)
        keys.push_back(fmt::format("{}: [{}]", value_text(key.key, {}), fmt::join(key.values, ", ")));
    return fmt::format("{{{}}}", fmt::join(keys, ", "));
}

}  // namespace tessera
