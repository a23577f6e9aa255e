#include "tasks/truncation.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "scan/probe_modes.hpp"
#include "scan/wave_optics.hpp"
#include "tasks/starting_point.hpp"

namespace tessera {
namespace {

// Around the pixel at the centre of the window, as tiling/tiling.cpp keeps it.
double power_within(const Problem& problem, const Wave& mode) {
    const auto& [height, width] = problem.placement.window_shape;
    const auto& [halo_y, halo_x] = problem.halo_px;
    double kept = 0;
    for (int y = std::max(height / 2 - halo_y, 0); y <= height / 2 + halo_y && y < mode.extent(0); ++y) {
        for (int x = std::max(width / 2 - halo_x, 0); x <= width / 2 + halo_x && x < mode.extent(1); ++x)
            kept += norm(mode(y, x));
    }
    return kept;
}

double share_beyond(const Problem& problem, const std::vector<Wave>& modes) {
    double kept = 0, all = 0;
    for (const Wave& mode : modes) {
        kept += power_within(problem, mode);
        all += power(mode);
    }
    return all > 0 ? std::max(0.0, 1 - kept / all) : 0;
}

}  // namespace

double power_beyond_halo(const Problem& problem, const Array<cfloat, 3>& probe) {
    const ObjectConfig& object = problem.config.object;
    const SlicePropagator space = slice_propagator(object.slice_propagation, problem.scan.geometry);
    std::vector<Wave> modes = unstacked(probe);
    double largest = share_beyond(problem, modes);
    for (const double spacing_m : object.slice_spacings_m) {
        const Wave transfer =
            transfer_function(space, modes.front().extents(), problem.scan.pixel_size_m, spacing_m);
        for (Wave& mode : modes) {
            fft2(mode);
            for (std::ptrdiff_t i = 0; i < mode.size(); ++i) mode[i] = transfer[i] * mode[i];
            ifft2(mode);
        }
        largest = std::max(largest, share_beyond(problem, modes));
    }
    return largest;
}

std::optional<Array<cfloat, 3>> probe_without_frames(const Problem& problem,
                                                     const std::filesystem::path& run_folder) {
    const ProbeConfig& config = problem.config.probe;
    const bool is_given = problem.scan.probe || config.file;
    if (config.initial == InitialProbe::from_data || (config.initial == InitialProbe::automatic && !is_given))
        return std::nullopt;
    Problem without_counts = problem;
    without_counts.config.probe.rescale = false;
    FrameStatistics none;
    none.mean_pattern = Array<float, 2>({problem.scan.frame_shape[0], problem.scan.frame_shape[1]});
    return initial_probe(without_counts, none, run_folder);
}

std::string halo_text(const Problem& problem, const std::optional<Array<cfloat, 3>>& probe) {
    if (!problem.config.tiling.halo_m) return {};
    const auto& [pixel_y, pixel_x] = problem.scan.pixel_size_m;
    const auto& [height, width] = problem.placement.window_shape;
    const int halo_y = std::min(problem.halo_px[0], height / 2),
              halo_x = std::min(problem.halo_px[1], width / 2);
    const std::string size = fmt::format("halo: {} x {} pixels ({}) beyond the centres of frames", halo_y,
                                         halo_x, length_text({halo_y * pixel_y, halo_x * pixel_x}));
    if (!problem.is_truncated()) return size + ": whole windows";
    const std::string windows = fmt::format("{}, of windows of {} x {}", size, height, width);
    if (!probe) return windows + "; what of the probe falls beyond is known once the frames are read";
    return fmt::format("{}: no frame loses more than {:.3g} % of the probe's power to vacuum", windows,
                       100 * power_beyond_halo(problem, *probe));
}

}  // namespace tessera
