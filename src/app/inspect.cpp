#include "io/inspect.hpp"

#include <cstdio>

#include "app/commands.hpp"

namespace tessera::app {

ExitCode inspect(const std::filesystem::path& file) {
    fmt::print("{}", inspect_file(file));
    return ExitCode::done;
}

}  // namespace tessera::app
