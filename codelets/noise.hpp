#pragma once

#include "config/run_config.hpp"
#include "math/host_device.hpp"

namespace tessera {

// The constant that keeps roots and quotients finite where the intensity vanishes, in counts. The Poisson
// factor 1 - d / (I + e) grows without bound as I falls to 0, so it needs a larger one.
TESSERA_HD constexpr float noise_epsilon(NoiseModel model) {
    return model == NoiseModel::poisson ? 1e-2f : 1e-9f;
}

}  // namespace tessera
