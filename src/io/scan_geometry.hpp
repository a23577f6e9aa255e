#pragma once

#include <array>
#include <string>
#include <vector>

#include "config/run_config.hpp"
#include "io/scan_layout.hpp"
#include "scan/geometry.hpp"

namespace tessera {

// far_field unless the run file or the scan says near_field, or one gives a focus-to-sample distance.
Propagation resolve_propagation(const GeometryConfig& config, const ScanLayout& layout,
                                const std::string& file);

// Joins what the run file says with what the scan file says. A value of the run file fills what the file
// lacks or has unusable; if the file has one too, they must agree to 1e-6 (data error otherwise: a silent
// choice would scale the object). A file that contradicts itself about the energy is settled by the run file.
// Pixel sizes are those of the stored frames (y, x).
Geometry resolve_geometry(const GeometryConfig& config, const ScanLayout& layout, const std::string& file,
                          std::vector<std::string>& notes);

}  // namespace tessera
