#pragma once

#include <cstdlib>
#include <string_view>

#include "config/run_config.hpp"

namespace tessera::test {

// One CPU worker; with TESSERA_TEST_DEVICE=cuda one GPU, and no test passes without it.
inline void run_on_test_device(RuntimeConfig& config) {
    const char* device = std::getenv("TESSERA_TEST_DEVICE");
    config.gpus = device != nullptr && std::string_view(device) == "cuda" ? 1 : 0;
    if (config.gpus == 0) config.cpus = 1;
}

}  // namespace tessera::test
