#pragma once

#include <filesystem>
#include <string>

#include "scan/synthetic.hpp"

namespace tessera {

// Writes a simulated scan as CXI 1.6, readable by the field's programs, with the truth under
// /entry_1/truth_1: object (slice, y, x), probe (mode, y, x), positions_px (frame, 2). Written beside `file`
// and renamed. `simulation`: the resolved simulation file as text, kept in /entry_1/process_1/simulation.
void write_scan(const std::filesystem::path& file, const SyntheticScan& scan, const std::string& simulation);

}  // namespace tessera
