#pragma once

#include <atomic>

namespace tessera::app {

// From now on the first signal that asks for an end (SIGINT, SIGTERM, and what batch systems send before a
// job's time is over: SIGUSR1, SIGUSR2) sets the flag; a second one ends the program.
const std::atomic<bool>& catch_stop_signals();

}  // namespace tessera::app
