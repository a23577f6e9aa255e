#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "tasks/problem.hpp"

namespace tessera {

// What a halo narrower than half a window costs (tiling.halo_m): light that falls beyond it meets vacuum.

// The largest share of the probe's power, all modes together, that falls beyond the halo in any slice; in
// further slices after free space. Frames in the middle of their tile lose less: tiles are larger than the
// halo. `probe`: (mode, y, x).
double power_beyond_halo(const Problem& problem, const Array<cfloat, 3>& probe);

// The starting probe where it is known before the frames are read, in arbitrary units; null: it is made from
// them.
std::optional<Array<cfloat, 3>> probe_without_frames(const Problem& problem,
                                                     const std::filesystem::path& run_folder);

// For people: the halo in pixels and metres and, with a probe, what it costs. Empty without tiling.halo_m.
std::string halo_text(const Problem& problem, const std::optional<Array<cfloat, 3>>& probe);

}  // namespace tessera
