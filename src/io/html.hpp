#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

// Pages that need nothing but themselves: no network, no other file.
namespace tessera::html {

std::string escaped(std::string_view text);
// `text` as a string in a script inside a page.
std::string script_string(std::string_view text);

class Table {
  public:
    explicit Table(std::vector<std::string> header);
    void row(const std::vector<std::string>& cells);  // text; as many as the header has
    std::string text() const;

  private:
    std::size_t num_columns_;
    std::string text_;
};

class Page {
  public:
    explicit Page(std::string_view title);
    void heading(std::string_view text);
    void paragraph(std::string_view text);
    void add(std::string_view html);  // as it is
    void script(std::string_view script);
    std::string text() const;

  private:
    std::string text_;
};

}  // namespace tessera::html
