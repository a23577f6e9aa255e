#pragma once

#include "config/run_config.hpp"
#include "io/scan_layout.hpp"

namespace tessera {

// Any HDF5 file by config.keys: frames and positions must be named there. Positions say where the probe is.
ScanLayout find_hdf5_layout(const hdf5::File& file, const ScanConfig& config);

// Puts the datasets named in `keys`, and only those, into `layout`; positions when keys name them or frames
// changed.
void apply_keys(const hdf5::File& file, const Hdf5KeysConfig& keys, ScanLayout& layout);

// Datasets with three or four axes, "name (shape) type", for messages: what could be the frames.
std::vector<std::string> frame_candidates(const hdf5::File& file);

}  // namespace tessera
