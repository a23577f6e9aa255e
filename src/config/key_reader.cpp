#include "config/key_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <tuple>
#include <utility>

#include "config/wording.hpp"

namespace tessera {
namespace {

// What a step of a path leads to: a key, or with an index (engines[2]) an item of its list.
const YamlNode* find_step(const YamlNode& map, std::string_view step) {
    const std::size_t bracket = std::min(step.find('['), step.size());
    const YamlNode* found = find_key(map, step.substr(0, bracket));
    if (found == nullptr || bracket == step.size()) return found;
    std::size_t index = 0;
    const std::string_view digits = step.substr(bracket + 1);
    std::from_chars(digits.data(), digits.data() + digits.size(), index);
    return index < found->children.size() ? &found->children[index] : nullptr;
}

}  // namespace

std::vector<ConfigProblem> KeyReader::read(const std::function<void()>& describe_members) {
    const YamlNode& root = document_.root;
    if (root.kind == YamlNode::Kind::null || root.kind == YamlNode::Kind::map) {
        read_map(root.kind == YamlNode::Kind::map ? &root : nullptr, &root, "", describe_members);
    } else {
        add_problem(root, document_.where(root), "", "expected keys such as 'scan: ...', " + got(root));
    }
    for (const Level& level : finished_) refuse_unknown(level);

    // The file's problems by line, then those of --set in their order.
    std::stable_sort(findings_.begin(), findings_.end(), [](const Finding& a, const Finding& b) {
        const auto line = [](const YamlNode& node) { return node.key_line > 0 ? node.key_line : node.line; };
        return std::tuple(a.node->i_override, a.node->i_override >= 0 ? 0 : line(*a.node)) <
               std::tuple(b.node->i_override, b.node->i_override >= 0 ? 0 : line(*b.node));
    });
    std::vector<ConfigProblem> problems;
    problems.reserve(findings_.size());
    for (Finding& finding : findings_) problems.push_back(std::move(finding.problem));
    return problems;
}

void KeyReader::check(bool holds, std::string_view key, std::string_view message) {
    const std::string path = path_of(key);
    if (holds || faulty_.contains(path)) return;
    // Where the key stands, else what of its path there is.
    const YamlNode* node = levels_.back().place;
    const YamlNode* next = levels_.back().map;
    for (std::string_view rest = key; next != nullptr && !rest.empty();) {
        const std::size_t dot = std::min(rest.find('.'), rest.size());
        next = find_step(*next, rest.substr(0, dot));
        if (next != nullptr) node = next;
        rest.remove_prefix(std::min(dot + 1, rest.size()));
    }
    add_problem(*node, document_.where(*node), path, std::string(message));
}

bool KeyReader::is_there(std::string_view name, bool) {
    const YamlNode* node = ask(name);
    return node != nullptr && node->kind != YamlNode::Kind::null;
}

void KeyReader::visit_key(std::string_view name, const Rule& rule, const Read& read, const Text&) {
    const YamlNode* node = ask(name);
    if (node == nullptr || node->kind == YamlNode::Kind::null) return;
    const std::string complaint =
        rule.owner.empty() ? read(*node) : fmt::format("has no meaning here (only for {})", rule.owner);
    if (!complaint.empty()) add_problem(*node, document_.where(*node), path_of(name), complaint);
}

void KeyReader::visit_group(std::string_view name, const std::function<void()>& describe_members) {
    const YamlNode* node = ask(name);
    const std::string path = path_of(name);
    if (node == nullptr) return read_map(nullptr, levels_.back().place, path, describe_members);
    if (node->kind == YamlNode::Kind::null) return read_map(nullptr, node, path, describe_members);
    if (node->kind == YamlNode::Kind::map) return read_map(node, node, path, describe_members);
    add_problem(*node, document_.where(*node), path, "expected a map of keys, " + got(*node));
}

void KeyReader::visit_list(std::string_view name, std::size_t, const std::function<void(std::size_t)>& resize,
                           const std::function<void(std::size_t)>& describe_item) {
    const YamlNode* node = ask(name);
    if (node == nullptr || node->kind == YamlNode::Kind::null) return;
    const std::string path = path_of(name);
    if (node->kind != YamlNode::Kind::sequence) {
        return add_problem(*node, document_.where(*node), path, "expected a list, " + got(*node));
    }
    resize(node->children.size());
    for (std::size_t i = 0; i < node->children.size(); ++i) {
        const YamlNode& item = node->children[i];
        const std::string item_path = fmt::format("{}[{}]", path, i);
        if (item.kind == YamlNode::Kind::map) {
            read_map(&item, &item, item_path, [&] { describe_item(i); });
        } else {
            add_problem(item, document_.where(item), item_path, "expected a map of keys, " + got(item));
        }
    }
}

void KeyReader::read_map(const YamlNode* map, const YamlNode* place, const std::string& path,
                         const std::function<void()>& describe_members) {
    levels_.push_back({map, place, path, {}, {}});
    if (map != nullptr) refuse_duplicates(levels_.back());
    describe_members();
    if (map != nullptr) finished_.push_back(std::move(levels_.back()));
    levels_.pop_back();
}

void KeyReader::refuse_duplicates(const Level& level) {
    std::map<std::string_view, const YamlNode*> first;
    for (const YamlNode& child : level.map->children) {
        const auto [found, is_new] = first.emplace(child.key, &child);
        if (is_new) continue;
        const std::string path = (level.path.empty() ? "" : level.path + ".") + shown(child.key);
        add_problem(child, document_.where_key(child), path,
                    fmt::format("duplicate key (first on line {})", found->second->key_line));
    }
}

void KeyReader::refuse_unknown(const Level& level) {
    for (const YamlNode& child : level.map->children) {
        if (std::find(level.asked.begin(), level.asked.end(), child.key) != level.asked.end()) continue;
        std::string hint;
        if (const std::string_view nearest = nearest_word(child.key, level.asked); !nearest.empty()) {
            hint = fmt::format("did you mean {}?", nearest);
        } else if (const auto elsewhere = known_paths_.find(child.key); elsewhere != known_paths_.end()) {
            hint = fmt::format("did you mean {}?", elsewhere->second);
        } else {
            hint = fmt::format("known here: {}", listed(level.asked));
        }
        const std::string path = (level.path.empty() ? "" : level.path + ".") + shown(child.key);
        add_problem(child, document_.where_key(child), path, fmt::format("unknown key ({})", hint));
    }
}

void KeyReader::add_problem(const YamlNode& node, std::string where, const std::string& path,
                            std::string message) {
    faulty_.insert(path);
    findings_.push_back({&node, {std::move(where), path, std::move(message)}});
}

const YamlNode* KeyReader::ask(std::string_view name) {
    Level& level = levels_.back();
    level.asked.push_back(name);
    known_paths_.emplace(name, path_of(name));
    const YamlNode* found = level.map == nullptr ? nullptr : find_key(*level.map, name);
    for (const auto& [key, elsewhere] : level.other_names) {
        if (key != name) continue;
        level.asked.push_back(elsewhere);
        const YamlNode* other = level.map == nullptr ? nullptr : find_key(*level.map, elsewhere);
        if (other == nullptr) continue;
        if (found != nullptr) {
            add_problem(*other, document_.where_key(*other), path_of(elsewhere),
                        fmt::format("is another name of {}, which is given too", name));
        } else {
            found = other;
        }
    }
    return found;
}

void KeyReader::also_called(std::string_view name, std::string_view elsewhere) {
    levels_.back().other_names.emplace_back(name, elsewhere);
}

std::string KeyReader::path_of(std::string_view name) const {
    const std::string& path = levels_.back().path;
    return path.empty() ? std::string(name) : fmt::format("{}.{}", path, name);
}

}  // namespace tessera
