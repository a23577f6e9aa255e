#pragma once

#include <cstdlib>
#include <string_view>

#include "config/run_config.hpp"

namespace tessera::test {

// With TESSERA_TEST_DEVICE=cuda on one GPU, and no test passes without it; otherwise on one CPU worker.
inline bool tests_run_on_gpu() {
    const char* device = std::getenv("TESSERA_TEST_DEVICE");
    return device != nullptr && std::string_view(device) == "cuda";
}

inline void run_on_test_device(RuntimeConfig& config) {
    config.gpus = tests_run_on_gpu() ? 1 : 0;
    if (config.gpus == 0) config.cpus = 1;
}

#if defined(TESSERA_WALKED)
inline constexpr bool device_bodies_are_walked = true;
#else
inline constexpr bool device_bodies_are_walked = false;
#endif

}  // namespace tessera::test
