#include "app/stop_signals.hpp"

#include <csignal>

namespace tessera::app {
namespace {

std::atomic<bool> stop_requested = false;

void request_stop(int) {
    stop_requested = true;
}

}  // namespace

const std::atomic<bool>& catch_stop_signals() {
    struct sigaction action = {};
    action.sa_handler = request_stop;
    action.sa_flags = SA_RESETHAND;
    for (const int signal : {SIGINT, SIGTERM, SIGUSR1, SIGUSR2}) sigaction(signal, &action, nullptr);
    return stop_requested;
}

}  // namespace tessera::app
