#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>

namespace tessera {

// What a run ends with; main() returns it.
enum class ExitCode : int {
    done = 0,
    usage = 2,     // command line or run file
    data = 3,      // scan or result file
    runtime = 4,   // runtime, device, memory, disk
    diverged = 5,  // the engine could not go on
    stopped = 75,  // by a signal or a time limit, with a result written
};

// The only exception of Tessera. Messages are for people: "<where>: <problem> (<why, or what is allowed>)".
class Error : public std::runtime_error {
  public:
    Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
    ExitCode code() const noexcept { return code_; }

  private:
    ExitCode code_;
};

// The Error that it is, or a runtime Error that says what it says.
Error as_error(const std::exception& problem);

template <class... Args>
Error usage_error(fmt::format_string<Args...> format, Args&&... args) {
    return {ExitCode::usage, fmt::format(format, std::forward<Args>(args)...)};
}

template <class... Args>
Error data_error(fmt::format_string<Args...> format, Args&&... args) {
    return {ExitCode::data, fmt::format(format, std::forward<Args>(args)...)};
}

template <class... Args>
Error runtime_failure(fmt::format_string<Args...> format, Args&&... args) {
    return {ExitCode::runtime, fmt::format(format, std::forward<Args>(args)...)};
}

// For mistakes of ours, not of the user's: throws with the location of the broken promise.
[[noreturn]] void broken_promise(const char* condition, const char* file, int line);

}  // namespace tessera

// A precondition of a public function, checked in every build (never in a loop over pixels).
#define TESSERA_EXPECT(condition) \
    ((condition) ? static_cast<void>(0) : ::tessera::broken_promise(#condition, __FILE__, __LINE__))
