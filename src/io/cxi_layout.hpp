#pragma once

#include "config/run_config.hpp"
#include "io/scan_layout.hpp"

namespace tessera {

bool looks_like_cxi(const hdf5::File& file);

// CXI 1.x and its relatives NXcxi_ptycho and NXptycho, as the field's programs write them.
// Positions: a CXI translation T says where the sample is, so the beam hits -T; the object's rows and columns
// run along the detector's basis vectors e_r and e_c: row = -T.e_r, col = -T.e_c. CXI's default e_r = -y, e_c
// = -x gives row = +T_y, col = +T_x. Keys set in config.keys replace what was found.
ScanLayout find_cxi_layout(const hdf5::File& file, const ScanConfig& config);

}  // namespace tessera
