#include "base/error.hpp"

namespace tessera {

void broken_promise(const char* condition, const char* file, int line) {
    throw Error(
        ExitCode::runtime,
        fmt::format("internal error: {} does not hold at {}:{} (please report this with the run file)",
                    condition, file, line));
}

}  // namespace tessera
