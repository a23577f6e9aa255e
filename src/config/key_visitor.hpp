#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/key_values.hpp"
#include "config/rule.hpp"
#include "config/yaml_document.hpp"

// A schema is written once, as functions describe(KeyVisitor&, SomeConfig&) beside the structs: one line per
// key, in the order in which the keys are written. A visitor that reads fills the struct, one that writes
// prints it. What a line can say:
//
//   io.key("start", c.start, at_least(0));           // a type of key_values.hpp, and the rule it obeys
//   io.key("stop", c.stop, at_least(1));             // std::optional: null is unset
//   io.key("cpus", c.cpus, at_least(1).or_auto());   // so is `auto`
//   io.choice("format", c.format, scan_formats);     // words, from a table of Word<T>
//   io.group("frames", c.frames);                    // a nested map, with its own describe()
//   io.optional_group("tune", c.tune);               // one that may be missing: std::optional
//   io.list("engines", c.engines);                   // a list of such maps
//   io.also_called("beta_LSQ", "optimal_step_size_scaler");  // a name that users of another program know
//
// and, below the keys they depend on, what only some settings use and what contradicts what:
//
//   io.key("step", c.step, above(0).only_if(c.name == EngineName::GD, "engine GD"));
//   io.check(!c.stop || *c.stop > c.start, "stop", "must be above start");
namespace tessera {

template <class T>
struct Word {
    std::string_view word;
    T value;
};

class KeyVisitor {
  public:
    virtual ~KeyVisitor() = default;

    template <class T>
    void key(std::string_view name, T& value, const Rule& rule = {}) {
        visit_key(
            name, rule, [&](const YamlNode& node) { return read_value(node, rule, value); },
            [&] { return value_text(value, rule); });
    }

    template <class T, std::size_t N>
    void choice(std::string_view name, T& value, const Word<T> (&words)[N], const Rule& rule = {}) {
        std::array<std::string_view, N> names;
        for (std::size_t i = 0; i < N; ++i) names[i] = words[i].word;
        const auto read = [&](const YamlNode& node) {
            std::size_t index = 0;
            std::string complaint = read_word(node, names, index);
            if (complaint.empty()) value = words[index].value;
            return complaint;
        };
        const auto text = [&] {
            for (const Word<T>& word : words) {
                if (word.value == value) return std::string(word.word);
            }
            return std::string("null");
        };
        visit_key(name, rule, read, text);
    }

    template <class T>
    void group(std::string_view name, T& value) {
        visit_group(name, [&] { describe(*this, value); });
    }

    template <class T>
    void optional_group(std::string_view name, std::optional<T>& value) {
        if (!is_there(name, value.has_value())) return;
        if (!value) value.emplace();
        group(name, *value);
    }

    template <class T>
    void list(std::string_view name, std::vector<T>& items) {
        visit_list(
            name, items.size(), [&](std::size_t size) { items.assign(size, T{}); },
            [&](std::size_t i) { describe(*this, items[i]); });
    }

    // What another program calls a key; told before the key. Written are our names only.
    virtual void also_called(std::string_view, std::string_view /* elsewhere */) {}

    // What must hold between the keys read so far; `message` is told at `key`, which may be a path
    // ("frames.stop"). Not told where that key has a problem already.
    virtual void check(bool holds, std::string_view key, std::string_view message) = 0;

  protected:
    using Read = std::function<std::string(const YamlNode&)>;  // sets the member; returns what is wrong
    using Text = std::function<std::string()>;                 // the member as YAML

    // Of a group that may be missing; `has_value`: the struct's side.
    virtual bool is_there(std::string_view, bool has_value) { return has_value; }
    virtual void visit_key(std::string_view name, const Rule& rule, const Read& read, const Text& text) = 0;
    virtual void visit_group(std::string_view name, const std::function<void()>& describe_members) = 0;
    virtual void visit_list(std::string_view name, std::size_t size,
                            const std::function<void(std::size_t)>& resize,
                            const std::function<void(std::size_t)>& describe_item) = 0;
};

}  // namespace tessera
