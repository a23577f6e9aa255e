#include "io/html.hpp"

#include "base/error.hpp"
#include "base/log.hpp"

namespace tessera::html {
namespace {

constexpr const char* style = R"css(
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .2rem .9rem .2rem 0; border-bottom: 1px solid #8884; }
th { font-weight: 600; }
canvas { width: 100%; display: block; touch-action: none; }
svg { max-width: 100%; height: auto; }
#told { min-height: 1.5em; color: #777; }
)css";

}  // namespace

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

// JSON, without what could end the script.
std::string script_string(std::string_view text) {
    std::string out;
    for (const char c : log::json_string(text)) {
        if (c == '<') {
            out += "\\u003c";
        } else {
            out += c;
        }
    }
    return out;
}

Table::Table(std::vector<std::string> header) : num_columns_(header.size()), text_("<table><thead><tr>") {
    for (const std::string& cell : header) text_ += "<th>" + escaped(cell) + "</th>";
    text_ += "</tr></thead><tbody>\n";
}

void Table::row(const std::vector<std::string>& cells) {
    TESSERA_EXPECT(cells.size() == num_columns_);
    text_ += "<tr>";
    for (const std::string& cell : cells) text_ += "<td>" + escaped(cell) + "</td>";
    text_ += "</tr>\n";
}

std::string Table::text() const {
    return text_ + "</tbody></table>\n";
}

Page::Page(std::string_view title) {
    const std::string name = escaped(title);
    text_ =
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width\"><title>" +
        name + "</title>\n<style>" + style + "</style></head><body>\n<h1>" + name + "</h1>\n";
}

void Page::heading(std::string_view text) {
    text_ += "<h2>" + escaped(text) + "</h2>\n";
}

void Page::paragraph(std::string_view text) {
    text_ += "<p>" + escaped(text) + "</p>\n";
}

void Page::add(std::string_view html) {
    text_ += html;
    text_ += '\n';
}

void Page::script(std::string_view script) {
    text_ += "<script>";
    text_ += script;
    text_ += "</script>\n";
}

std::string Page::text() const {
    return text_ + "</body></html>\n";
}

}  // namespace tessera::html
