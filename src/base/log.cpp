#include "base/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <algorithm>

namespace tessera::log {
namespace {

struct State {
    Format format = Format::text;
    std::shared_ptr<spdlog::logger> logger = [] {
        auto made =
            std::make_shared<spdlog::logger>("tessera", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        made->set_pattern("%v");
        return made;
    }();
};

State& state() {
    static State instance;
    return instance;
}

spdlog::level::level_enum to_spdlog(Level level) {
    switch (level) {
        case Level::debug:
            return spdlog::level::debug;
        case Level::info:
            return spdlog::level::info;
        case Level::warning:
            return spdlog::level::warn;
        case Level::error:
            return spdlog::level::err;
    }
    return spdlog::level::info;
}

std::string_view name(Level level) {
    switch (level) {
        case Level::debug:
            return "debug";
        case Level::info:
            return "info";
        case Level::warning:
            return "warning";
        case Level::error:
            return "error";
    }
    return "info";
}

}  // namespace

void configure(Format format, Level level) {
    state().format = format;
    state().logger->set_level(to_spdlog(level));
    state().logger->flush_on(spdlog::level::info);
    state().logger->set_pattern(format == Format::json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z",%v})" : "%v");
}

void at_least(Level level) {
    state().logger->set_level(std::max(state().logger->level(), to_spdlog(level)));
}

Format format() {
    return state().format;
}

void message(Level level, std::string_view text) {
    if (state().format == Format::json) {
        state().logger->log(to_spdlog(level), R"("level":"{}","message":{})", name(level), json_string(text));
    } else if (level == Level::info || level == Level::debug) {
        state().logger->log(to_spdlog(level), "{}", text);
    } else {
        state().logger->log(to_spdlog(level), "{}: {}", name(level), text);
    }
}

void event(std::string_view event_name, std::string_view fields_json, std::string_view sentence) {
    if (state().format == Format::json) {
        state().logger->log(spdlog::level::info, R"("event":"{}",{})", event_name, fields_json);
    } else {
        state().logger->log(spdlog::level::info, "{}", sentence);
    }
}

std::string json_string(std::string_view text) {
    std::string quoted = "\"";
    for (const char c : text) {
        switch (c) {
            case '"':
                quoted += "\\\"";
                break;
            case '\\':
                quoted += "\\\\";
                break;
            case '\n':
                quoted += "\\n";
                break;
            case '\t':
                quoted += "\\t";
                break;
            default:
                if (static_cast<unsigned char>(c) < 0x20) {
                    quoted += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
                } else {
                    quoted += c;
                }
        }
    }
    return quoted + "\"";
}

}  // namespace tessera::log
