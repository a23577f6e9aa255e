#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "config/key_visitor.hpp"

namespace tessera {

// Writes structs as block YAML, two spaces a level; keys without a meaning (Rule::only_if) are left out.
class KeyWriter final : public KeyVisitor {
  public:
    const std::string& text() const { return text_; }

    void check(bool, std::string_view, std::string_view) override {}

  private:
    void visit_key(std::string_view name, const Rule& rule, const Read& read, const Text& text) override;
    void visit_group(std::string_view name, const std::function<void()>& describe_members) override;
    void visit_list(std::string_view name, std::size_t size, const std::function<void(std::size_t)>& resize,
                    const std::function<void(std::size_t)>& describe_item) override;
    void begin_line(std::string_view name);

    std::string text_;
    std::size_t indent_ = 0;
    bool starts_item_ = false;  // the next line carries the list's dash
};

}  // namespace tessera
