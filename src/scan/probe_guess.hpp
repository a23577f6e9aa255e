#pragma once

#include "base/array.hpp"
#include "config/run_config.hpp"
#include "math/complex.hpp"
#include "scan/scan.hpp"

namespace tessera {

// The probe a reconstruction starts from: (mode, y, x), `num_modes` modes of config.size (default: the
// frame's).
// - file: info.probe, or `from_file` (a probe read elsewhere, which wins), padded or cropped about
// floor(M/2).
//   With config.size unset the given probe keeps its shape, cut to the frame. The strongest modes stay.
// - aperture, gaussian (full width at half the intensity), zone_plate: made from the geometry, then
//   propagated over config.defocus_m. In a divergent near-field scan the zone plate's beam is the one
//   focus_to_sample_m behind its focus, without the spherical phase.
// - convergent (far field): an aperture focused to a cone of convergence_angle_mrad, with defocus and Cs.
// - from_data: far field, the inverse transform of the square root of the mean pattern; near field, that
//   square root propagated back (masked pixels filled from their neighbours).
// Missing modes are made from the first by Hermite-like factors, mutually orthogonal, each with `mode_power`
// of its power. With rescale, the modes' total power is set so that a frame of empty beam has the mean counts
// on the used pixels, background taken off.
// `mean_pattern`: (y, x) mean over frames in transform order (masked pixels 0).
// Throws usage errors for missing or impossible keys of `probe`, data errors where there is no power.
Array<cfloat, 3> make_probe(const ProbeConfig& config, const ScanInfo& info,
                            const Array<float, 2>& mean_pattern, const Array<cfloat, 3>* from_file);

}  // namespace tessera
