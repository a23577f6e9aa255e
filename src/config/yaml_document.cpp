#include "config/yaml_document.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <exception>
#include <map>
#include <sstream>
#include <utility>

#include "config/wording.hpp"

namespace tessera {

namespace {

// Ends the parsing: a document beyond repair.
struct Unreadable {
    int line;  // 0: unknown
    std::string message;
};

int line_of(const YAML::Mark& mark) {
    return mark.is_null() ? 0 : mark.line + 1;
}

std::size_t count_nodes(const YamlNode& node) {
    std::size_t count = 1;
    for (const YamlNode& child : node.children) count += count_nodes(child);
    return count;
}

std::size_t depth_of(const YamlNode& node) {
    std::size_t deepest = 0;
    for (const YamlNode& child : node.children) deepest = std::max(deepest, depth_of(child));
    return deepest + 1;
}

// Builds the tree from the parser's events rather than through YAML::Node, which loses equal keys and the
// lines of keys, follows aliases without a limit and is recursive throughout.
class TreeBuilder final : public YAML::EventHandler {
  public:
    YamlNode take_root() {
        if (bad_key_line_) throw Unreadable{*bad_key_line_, "a key must be a word"};
        return std::move(root_);
    }

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (++num_documents_ > 1)
            throw Unreadable{line_of(mark), "a second document begins (only one is allowed)"};
    }
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        YamlNode node;
        node.line = line_of(mark);
        finish(std::move(node), anchor);
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        refuse_tag(mark, tag);
        YamlNode node;
        node.kind = YamlNode::Kind::scalar;
        node.text = value;
        node.is_quoted = tag == "!";
        node.line = line_of(mark);
        finish(std::move(node), anchor);
    }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        const auto found = anchors_.find(anchor);
        if (found == anchors_.end()) throw Unreadable{line_of(mark), "an alias stands inside its own anchor"};
        if (open_.size() + depth_of(found->second) > YamlLimits::max_depth) refuse_depth(line_of(mark));
        spend(count_nodes(found->second), line_of(mark));
        finish(found->second, YAML::NullAnchor);
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        begin(YamlNode::Kind::sequence, mark, tag, anchor);
    }
    void OnSequenceEnd() override { end(); }

    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        begin(YamlNode::Kind::map, mark, tag, anchor);
    }
    void OnMapEnd() override { end(); }

  private:
    struct Open {  // a sequence or map whose end has not come
        YamlNode node;
        YAML::anchor_t anchor;
        bool has_key = false;  // a map: the key has been read, its value comes next
        std::string key;
        int key_line = 0;
    };

    static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
        if (tag.empty() || tag == "?" || tag == "!") return;  // none; plain; quoted
        throw Unreadable{line_of(mark), fmt::format("tags such as {} are not supported", shown(tag))};
    }
    [[noreturn]] static void refuse_depth(int line) {
        throw Unreadable{line, fmt::format("nested deeper than {} levels", YamlLimits::max_depth)};
    }

    void spend(std::size_t num_nodes, int line) {
        num_nodes_ += num_nodes;
        if (num_nodes_ > YamlLimits::max_nodes) {
            throw Unreadable{line, fmt::format("more than {} values", YamlLimits::max_nodes)};
        }
    }

    void begin(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
        refuse_tag(mark, tag);
        if (open_.size() >= YamlLimits::max_depth) refuse_depth(line_of(mark));
        Open open;
        open.node.kind = kind;
        open.node.line = line_of(mark);
        open.anchor = anchor;
        open_.push_back(std::move(open));
    }

    void end() {
        Open done = std::move(open_.back());
        open_.pop_back();
        finish(std::move(done.node), done.anchor);
    }

    // A node is complete: remember it for aliases, and put it where it belongs.
    void finish(YamlNode node, YAML::anchor_t anchor) {
        spend(1, node.line);
        if (anchor != YAML::NullAnchor) {
            spend(count_nodes(node), node.line);
            anchors_[anchor] = node;
        }
        if (open_.empty()) {
            root_ = std::move(node);
            return;
        }
        Open& parent = open_.back();
        if (parent.node.kind == YamlNode::Kind::map && !parent.has_key) {
            // Told at the end only: to the parser, an unclosed bracket looks like a key until it finds the
            // end missing.
            if (node.kind != YamlNode::Kind::scalar && !bad_key_line_) bad_key_line_ = node.line;
            parent.has_key = true;
            parent.key = std::move(node.text);
            parent.key_line = node.line;
            return;
        }
        node.key = std::exchange(parent.key, {});
        node.key_line = std::exchange(parent.key_line, 0);
        parent.has_key = false;
        parent.node.children.push_back(std::move(node));
    }

    YamlNode root_;
    std::vector<Open> open_;
    std::map<YAML::anchor_t, YamlNode> anchors_;
    std::optional<int> bad_key_line_;
    std::size_t num_nodes_ = 0;
    int num_documents_ = 0;
};

// Length of the UTF-8 character at the beginning of `text`; 0 where it is none (overlong forms, surrogates)
// or NUL.
std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
    };
    const auto continues = [&](std::size_t i) { return (byte(i) & 0xC0u) == 0x80u; };
    const unsigned first = byte(0);
    if (first == 0) return 0;
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        const bool overlong = first == 0xE0 && byte(1) < 0xA0;
        const bool surrogate = first == 0xED && byte(1) > 0x9F;
        return continues(1) && continues(2) && !overlong && !surrogate ? 3 : 0;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        const bool overlong = first == 0xF0 && byte(1) < 0x90;
        const bool beyond = first == 0xF4 && byte(1) > 0x8F;
        return continues(1) && continues(2) && continues(3) && !overlong && !beyond ? 4 : 0;
    }
    return 0;
}

// yaml-cpp would replace bad bytes silently, and so read another file name than was written.
void require_text(std::string_view text) {
    int line = 1;
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t length = utf8_length(text.substr(i));
        if (length == 0) throw Unreadable{line, "not UTF-8 text"};
        if (text[i] == '\n') ++line;
        i += length;
    }
}

YamlNode build_tree(std::string_view text) {
    if (text.size() > YamlLimits::max_bytes) {
        throw Unreadable{0, fmt::format("larger than {} bytes", YamlLimits::max_bytes)};
    }
    require_text(text);
    TreeBuilder builder;
    try {
        std::istringstream stream{std::string(text)};
        YAML::Parser parser(stream);
        while (parser.HandleNextDocument(builder)) continue;
    } catch (const YAML::Exception& error) {
        throw Unreadable{line_of(error.mark), fmt::format("not valid YAML: {}", shown(error.msg))};
    } catch (const std::exception& error) {
        throw Unreadable{0, fmt::format("not readable as YAML: {}", shown(error.what()))};
    }
    return builder.take_root();
}

}  // namespace

std::string ConfigProblem::text() const {
    return key.empty() ? fmt::format("{}: {}", where, message)
                       : fmt::format("{}: {}: {}", where, key, message);
}

std::string YamlDocument::where(const YamlNode& node) const {
    if (node.i_override >= 0) return "--set " + shown(overrides[static_cast<std::size_t>(node.i_override)]);
    const int line = node.kind == YamlNode::Kind::scalar || node.key_line == 0 ? node.line : node.key_line;
    return line > 0 ? fmt::format("{}:{}", name, line) : name;
}

std::string YamlDocument::where_key(const YamlNode& node) const {
    if (node.i_override >= 0 || node.key_line == 0) return where(node);
    return fmt::format("{}:{}", name, node.key_line);
}

std::optional<YamlDocument> parse_yaml(std::string_view text, std::string_view name,
                                       std::vector<ConfigProblem>& problems) {
    YamlDocument document;
    document.name = name;
    try {
        document.root = build_tree(text);
    } catch (const Unreadable& problem) {
        const std::string where = problem.line > 0 ? fmt::format("{}:{}", name, problem.line) : document.name;
        problems.push_back({where, "", problem.message});
        return std::nullopt;
    }
    return document;
}

const YamlNode* find_key(const YamlNode& map, std::string_view key) {
    if (map.kind != YamlNode::Kind::map) return nullptr;
    for (const YamlNode& child : map.children) {
        if (child.key == key) return &child;
    }
    return nullptr;
}

}  // namespace tessera
