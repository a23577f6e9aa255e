#pragma once

#include <array>
#include <vector>

#include "config/simulation_config.hpp"
#include "scan/geometry.hpp"
#include "scan/probe_shapes.hpp"

namespace tessera {

// Modes with photons_per_frame in all, orthogonal, in sqrt(counts).
// `defocus_factor` multiplies the distance from focus (zone plate) or the defocus (other shapes): 1 for
// the truth.
std::vector<Wave> make_simulated_probe(const SimulatedProbeConfig& config, const BeamGrid& grid,
                                       const Geometry& geometry, double defocus_factor);

}  // namespace tessera
