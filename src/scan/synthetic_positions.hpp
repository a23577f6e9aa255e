#pragma once

#include <cstdint>

#include "base/array.hpp"
#include "config/simulation_config.hpp"

namespace tessera {

// Probe positions (frame, 2): (y, x) in object pixels, any origin, in the order in which they are visited.
// raster: rows of equal steps. jittered: each point moved by up to jitter * step each way. spiral: Fermat's
// with the golden angle, one point per step^2.
Array<double, 2> make_positions(const SimulatedScanConfig& config, std::uint64_t seed);

// What to add to them to be where the beam really was; of mean zero.
Array<double, 2> make_position_errors(const PositionErrorConfig& config, const Array<double, 2>& positions_px,
                                      std::uint64_t seed);

}  // namespace tessera
