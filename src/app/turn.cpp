#include "app/turn.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.hpp"
#include "base/log.hpp"

namespace tessera::app {

void Turn::wait_to_set_up(std::size_t memory_bytes, int num_gpus) const {
    if (!is_taken()) return;
    log::event("wants_to_set_up", fmt::format(R"("memory_bytes":{},"gpus":{})", memory_bytes, num_gpus),
               "waits for a line on standard input to read its frames");
    wait_for_line();
}

void Turn::wait_to_compute() const {
    if (!is_taken()) return;
    log::event("wants_to_compute", R"("phase":"compute")", "waits for a line on standard input to compute");
    wait_for_line();
}

void Turn::say_computed() const {
    if (is_taken()) log::event("computed", R"("phase":"write")", "has computed its last iteration");
}

void Turn::wait_for_line() const {
    constexpr int between_looks_ms = 50;
    for (;;) {
        if (*stop_requested_) throw Error(ExitCode::stopped, "stopped while it waited for its turn");
        pollfd input{STDIN_FILENO, POLLIN, 0};
        if (poll(&input, 1, between_looks_ms) <= 0) continue;
        char letter = 0;
        const ssize_t got = ::read(STDIN_FILENO, &letter, 1);
        if (got == 1 && letter == '\n') return;
        if (got == 0 || (got < 0 && errno != EINTR))
            throw Error(ExitCode::stopped,
                        "nobody is there to say when its turn is (standard input has ended)");
    }
}

}  // namespace tessera::app
