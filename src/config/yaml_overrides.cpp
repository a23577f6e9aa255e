#include <fmt/format.h>

#include <cstdint>

#include "config/quantities.hpp"
#include "config/wording.hpp"
#include "config/yaml_document.hpp"

// "--set key.path=value" on the tree of a YAML file.
namespace tessera {

namespace {

// "engines[0].num_iter" and "engines.0.num_iter" -> engines, 0, num_iter. Empty where it is no path.
std::vector<std::string> split_path(std::string_view path) {
    std::vector<std::string> parts;
    std::string part;
    bool in_brackets = false;
    bool after_bracket = false;  // ']' ends its part, and only '.' or '[' may follow
    for (const char c : path) {
        const bool ends = c == '.' || c == '[' || c == ']';
        if (in_brackets ? (c == '.' || c == '[') : c == ']') return {};
        if (!ends) {
            part += c;
            continue;
        }
        if (part.empty() != (after_bracket && c != ']')) return {};
        if (!part.empty()) parts.push_back(std::move(part));
        part.clear();
        in_brackets = c == '[';
        after_bracket = c == ']';
    }
    if (in_brackets || part.empty() != after_bracket) return {};
    if (!part.empty()) parts.push_back(std::move(part));
    if (parts.size() > YamlLimits::max_depth) return {};
    return parts;
}

void mark_override(YamlNode& node, int i_override) {
    node.i_override = i_override;
    for (YamlNode& child : node.children) mark_override(child, i_override);
}

// The item or key `part` of `node`, made where it is missing; nullptr with `message` where that makes no
// sense.
YamlNode* descend(YamlNode& node, const std::string& part, const std::string& path, int i_override,
                  std::string& message) {
    const auto index = parse_unsigned(part);
    if (node.kind == YamlNode::Kind::null) {
        node.kind = index ? YamlNode::Kind::sequence : YamlNode::Kind::map;
        node.i_override = i_override;
    }
    if (node.kind == YamlNode::Kind::scalar) {
        message =
            fmt::format("{} is the single value '{}', not a map or a list", shown(path), shown(node.text));
        return nullptr;
    }
    if (node.kind == YamlNode::Kind::map) {
        for (YamlNode& child : node.children) {
            if (child.key == part) return &child;
        }
        YamlNode child;
        child.key = part;
        child.i_override = i_override;
        return &node.children.emplace_back(std::move(child));
    }
    if (index && *index < node.children.size()) return &node.children[static_cast<std::size_t>(*index)];
    if (index && *index == 0) {
        YamlNode item;
        item.i_override = i_override;
        return &node.children.emplace_back(std::move(item));
    }
    if (!index) {
        message = fmt::format("{} is a list: its items are {}[0], {}[1], ...", shown(path), shown(path),
                              shown(path));
    } else {
        message = fmt::format("{} has no item {} (there are {})", shown(path), *index, node.children.size());
    }
    return nullptr;
}

// Walks a copy of the path down; `message` says what is wrong, empty when the value was set.
std::string set_value(YamlNode& root, const std::vector<std::string>& parts, YamlNode value, int i_override) {
    YamlNode* node = &root;
    std::string path;
    std::string message;
    for (const std::string& part : parts) {
        node = descend(*node, part, path.empty() ? "the file" : path, i_override, message);
        if (node == nullptr) return message;
        path += path.empty() ? part : "." + part;
    }
    value.key = node->key;
    value.key_line = node->key_line;
    *node = std::move(value);
    return {};
}

}  // namespace

void apply_overrides(YamlDocument& document, const std::vector<std::string>& overrides,
                     std::vector<ConfigProblem>& problems) {
    for (const std::string& text : overrides) {
        const int i_override = static_cast<int>(document.overrides.size());
        document.overrides.push_back(text);
        const std::string where = "--set " + shown(text);
        const std::size_t equals = text.find('=');
        const auto parts = split_path(std::string_view(text).substr(0, equals));
        if (equals == text.npos || parts.empty()) {
            problems.push_back({where, "", "expected key.path=value, such as engines[0].num_iter=10"});
            continue;
        }
        const std::string key = shown(std::string_view(text).substr(0, equals));
        std::vector<ConfigProblem> value_problems;
        auto value = parse_yaml(std::string_view(text).substr(equals + 1), where, value_problems);
        for (const ConfigProblem& problem : value_problems) problems.push_back({where, key, problem.message});
        if (!value) continue;
        mark_override(value->root, i_override);
        YamlNode changed = document.root;
        const std::string message = set_value(changed, parts, std::move(value->root), i_override);
        if (!message.empty()) {
            problems.push_back({where, key, message});
            continue;
        }
        document.root = std::move(changed);
    }
}

}  // namespace tessera
