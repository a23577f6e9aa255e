#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace tessera::inspection {

// One line of what `tessera inspect` says.
inline std::string row(std::string_view label, std::string_view value) {
    return fmt::format("{:<12}{}\n", label, value);
}

}  // namespace tessera::inspection
