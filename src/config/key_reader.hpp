#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/key_visitor.hpp"
#include "config/problem.hpp"
#include "config/yaml_document.hpp"

namespace tessera {

// Fills structs from a document. It keeps the names that it was asked for; every other key of the document is
// unknown. Keys that are missing, null or wrong leave the member as it was.
class KeyReader final : public KeyVisitor {
  public:
    explicit KeyReader(const YamlDocument& document) : document_(document) {}

    // Runs `describe_members` on the document's top level and returns all problems in the order of their
    // lines.
    std::vector<ConfigProblem> read(const std::function<void()>& describe_members);

    void check(bool holds, std::string_view key, std::string_view message) override;
    void also_called(std::string_view name, std::string_view elsewhere) override;

  private:
    struct Level {            // a map that is being read
        const YamlNode* map;  // nullptr: not in the document, all defaults
        const YamlNode*
            place;  // where a problem about a missing key is told: the map or the nearest one around it
        std::string path;  // "engines[0]"
        std::vector<std::string_view> asked;
        std::vector<std::pair<std::string_view, std::string_view>> other_names;  // key, another name
    };
    struct Finding {
        const YamlNode* node;
        ConfigProblem problem;
    };

    bool is_there(std::string_view name, bool has_value) override;
    void visit_key(std::string_view name, const Rule& rule, const Read& read, const Text& text) override;
    void visit_group(std::string_view name, const std::function<void()>& describe_members) override;
    void visit_list(std::string_view name, std::size_t size, const std::function<void(std::size_t)>& resize,
                    const std::function<void(std::size_t)>& describe_item) override;

    void read_map(const YamlNode* map, const YamlNode* place, const std::string& path,
                  const std::function<void()>& describe_members);
    void refuse_unknown(const Level& level);
    void refuse_duplicates(const Level& level);
    void add_problem(const YamlNode& node, std::string where, const std::string& path, std::string message);
    // The asked child of the current level, nullptr where it is missing.
    const YamlNode* ask(std::string_view name);
    std::string path_of(std::string_view name) const;

    const YamlDocument& document_;
    std::vector<Level> levels_;
    std::vector<Finding> findings_;
    std::set<std::string> faulty_;  // paths with a problem
    std::map<std::string, std::string>
        known_paths_;              // name of each key asked for anywhere -> the first path with it
    std::vector<Level> finished_;  // to tell unknown keys when all names are known
};

}  // namespace tessera
