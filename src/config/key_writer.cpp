#include "config/key_writer.hpp"

namespace tessera {

void KeyWriter::begin_line(std::string_view name) {
    text_.append(indent_, ' ');
    if (starts_item_) text_.replace(text_.size() - 2, 1, "-");
    starts_item_ = false;
    text_ += name;
    text_ += ':';
}

void KeyWriter::visit_key(std::string_view name, const Rule& rule, const Read&, const Text& text) {
    if (!rule.owner.empty()) return;
    begin_line(name);
    text_ += ' ';
    text_ += text();
    text_ += '\n';
}

void KeyWriter::visit_group(std::string_view name, const std::function<void()>& describe_members) {
    begin_line(name);
    text_ += '\n';
    indent_ += 2;
    describe_members();
    indent_ -= 2;
}

void KeyWriter::visit_list(std::string_view name, std::size_t size, const std::function<void(std::size_t)>&,
                           const std::function<void(std::size_t)>& describe_item) {
    begin_line(name);
    text_ += size == 0 ? " []\n" : "\n";
    indent_ += 4;
    for (std::size_t i = 0; i < size; ++i) {
        starts_item_ = true;
        describe_item(i);
    }
    indent_ -= 4;
}

}  // namespace tessera
