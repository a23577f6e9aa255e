#include "base/error.hpp"

#include <new>

namespace tessera {

void broken_promise(const char* condition, const char* file, int line) {
    throw Error(
        ExitCode::runtime,
        fmt::format("internal error: {} does not hold at {}:{} (please report this with the run file)",
                    condition, file, line));
}

Error as_error(const std::exception& problem) {
    if (const auto* error = dynamic_cast<const Error*>(&problem)) return *error;
    if (dynamic_cast<const std::bad_alloc*>(&problem) != nullptr)
        return runtime_failure("out of memory (tessera check prints what a run needs)");
    return runtime_failure("{}", problem.what());
}

}  // namespace tessera
