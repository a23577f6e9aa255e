#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace tessera::log {

enum class Format { text, json };
enum class Level { debug, info, warning, error };

// Human output goes to stderr only, one line a message. `json`: one object a line,
// {"time": ISO 8601, "level": ..., "message": ...} or, for events, {"time", "event", fields...}.
void configure(Format format, Level level);
Format format();
// Only messages of this level and above from now on, where that is less than before.
void at_least(Level level);

void message(Level level, std::string_view text);

// A machine-readable event: `fields_json` is the inside of a JSON object ('"cost":1.5,"step":2').
// In text format only the human sentence is printed.
void event(std::string_view name, std::string_view fields_json, std::string_view sentence);

// `text` as a JSON string, with its quotes.
std::string json_string(std::string_view text);

template <class... Args>
void debug(fmt::format_string<Args...> f, Args&&... args) {
    message(Level::debug, fmt::format(f, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> f, Args&&... args) {
    message(Level::info, fmt::format(f, std::forward<Args>(args)...));
}
template <class... Args>
void warning(fmt::format_string<Args...> f, Args&&... args) {
    message(Level::warning, fmt::format(f, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> f, Args&&... args) {
    message(Level::error, fmt::format(f, std::forward<Args>(args)...));
}

}  // namespace tessera::log
