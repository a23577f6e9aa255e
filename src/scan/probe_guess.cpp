#include "scan/probe_guess.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "scan/probe_modes.hpp"
#include "scan/probe_shapes.hpp"
#include "scan/wave_optics.hpp"

namespace tessera {

namespace {

double required(const std::optional<double>& value, const char* key, const char* shape) {
    if (!value) throw usage_error("probe.{}: missing (probe.initial: {} needs it)", key, shape);
    if (!(std::isfinite(*value) && *value > 0))
        throw usage_error("probe.{}: {} (a number above zero is needed)", key, *value);
    return *value;
}

// The given modes, or nothing where the scan and the run file give none.
std::vector<Wave> given_modes(const ScanInfo& info, const Array<cfloat, 3>* from_file) {
    if (from_file == nullptr && !info.probe) return {};
    std::vector<Wave> modes = unstacked(from_file != nullptr ? from_file->view() : info.probe->view());
    double total = 0;
    for (const auto& mode : modes) total += power(mode);
    if (!std::isfinite(total) || !(total > 0))
        throw data_error("{}: the given probe has the power {} (a finite one above zero is needed)",
                         info.file, total);
    return modes;
}

ZonePlate zone_plate_of(const ProbeConfig& config, double wavelength_m) {
    ZonePlate zone_plate;
    zone_plate.diameter_m = required(config.diameter_m, "diameter_m", "zone_plate");
    zone_plate.central_stop_m = config.central_stop_m.value_or(0);
    if (!(zone_plate.central_stop_m >= 0 && zone_plate.central_stop_m < zone_plate.diameter_m))
        throw usage_error("probe.central_stop_m: {} (it must be at least 0 and below the diameter, {})",
                          zone_plate.central_stop_m, zone_plate.diameter_m);
    if (!config.focal_length_m && !config.outer_zone_width_m)
        throw usage_error(
            "probe.focal_length_m: missing (probe.initial: zone_plate needs it or outer_zone_width_m)");
    zone_plate.focal_length_m =
        config.focal_length_m
            ? required(config.focal_length_m, "focal_length_m", "zone_plate")
            : zone_plate.diameter_m *
                  required(config.outer_zone_width_m, "outer_zone_width_m", "zone_plate") / wavelength_m;
    return zone_plate;
}

Wave zone_plate_guess(const ProbeConfig& config, const ScanInfo& info, const BeamGrid& grid) {
    const ZonePlate zone_plate = zone_plate_of(config, grid.wavelength_m);
    const Geometry& geometry = info.geometry;
    if (geometry.propagation == Propagation::near_field && geometry.focus_to_sample_m != 0) {
        Wave wave = flattened_zone_plate_beam(grid, zone_plate, geometry.focus_to_sample_m);
        propagate(wave, grid.pixel_size_m, grid.wavelength_m, config.defocus_m);
        return wave;
    }
    const double cone = zone_plate.diameter_m / zone_plate.focal_length_m;
    const double largest_cone = grid.wavelength_m / std::max(grid.pixel_size_m[0], grid.pixel_size_m[1]);
    if (cone > largest_cone)
        throw usage_error(
            "probe.diameter_m: the zone plate's cone of {:.4g} rad (diameter / focal length) does not fit "
            "the detector "
            "(at most wavelength / object pixel, {:.4g} rad)",
            cone, largest_cone);
    return zone_plate_beam(grid, zone_plate, config.defocus_m);
}

Wave convergent_guess(const ProbeConfig& config, const ScanInfo& info, const BeamGrid& grid) {
    if (info.geometry.propagation == Propagation::near_field)
        throw usage_error(
            "probe.initial: convergent is for the far field (this is a near-field scan: zone_plate, "
            "aperture, "
            "gaussian or from_data)");
    const double angle_mrad = required(config.convergence_angle_mrad, "convergence_angle_mrad", "convergent");
    if (angle_mrad > 1e3 * largest_semi_angle(grid))
        throw usage_error(
            "probe.convergence_angle_mrad: a cone of {:.4g} mrad does not fit the detector (at most "
            "wavelength / "
            "(2 object pixels), {:.4g} mrad)",
            angle_mrad, 1e3 * largest_semi_angle(grid));
    return convergent_beam(grid, {1e-3 * angle_mrad, config.defocus_m, config.spherical_aberration_m});
}

// Masked pixels know nothing: each gets the mean of the used pixels in the smallest square around it that has
// any.
Array<float, 2> masked_pixels_filled(const Array<float, 2>& pattern, const Array<float, 2>& mask) {
    Array<float, 2> filled = pattern;
    const auto [n_y, n_x] = pattern.extents();
    for (std::ptrdiff_t y = 0; y < n_y; ++y)
        for (std::ptrdiff_t x = 0; x < n_x; ++x) {
            if (mask(y, x) != 0) continue;
            double sum = 0, count = 0;
            for (std::ptrdiff_t reach = 1; count == 0 && reach < std::max(n_y, n_x); ++reach)
                for (std::ptrdiff_t v = std::max<std::ptrdiff_t>(y - reach, 0);
                     v < std::min(y + reach + 1, n_y); ++v)
                    for (std::ptrdiff_t u = std::max<std::ptrdiff_t>(x - reach, 0);
                         u < std::min(x + reach + 1, n_x); ++u)
                        if (mask(v, u) != 0) {
                            sum += pattern(v, u);
                            count += 1;
                        }
            filled(y, x) = count > 0 ? static_cast<float>(sum / count) : 0.0F;
        }
    return filled;
}

// Mean counts of the beam itself: without the background, nothing on masked pixels.
Array<float, 2> beam_counts(const ScanInfo& info, const Array<float, 2>& mean_pattern) {
    Array<float, 2> counts(mean_pattern.extents());
    for (std::ptrdiff_t i = 0; i < counts.size(); ++i) {
        const float background = info.background ? (*info.background)[i] : 0.0F;
        if (info.mask[i] != 0) counts[i] = std::max(mean_pattern[i] - background, 0.0F);
    }
    return counts;
}

Wave wave_of_data(const ScanInfo& info, const Array<float, 2>& counts) {
    const bool near_field = info.geometry.propagation == Propagation::near_field;
    const Array<float, 2> pattern = near_field ? masked_pixels_filled(counts, info.mask) : counts;
    Wave wave(pattern.extents());
    for (std::ptrdiff_t i = 0; i < wave.size(); ++i)
        wave[i] = {std::sqrt(static_cast<double>(pattern[i])), 0};
    if (near_field) {
        propagate(wave, info.pixel_size_m, info.geometry.wavelength_m, -info.geometry.effective_distance_m());
        return wave;
    }
    ifft2(wave);
    return origin_to_centre(wave);
}

// Counts that the empty beam leaves on the used pixels of the detector.
double detected_power(const std::vector<Wave>& modes, const ScanInfo& info) {
    const Extents<2> frame_shape = info.mask.extents();
    double counts = 0;
    for (const auto& mode : modes) {
        Wave wave = pad_into_frame(mode, frame_shape);
        if (info.geometry.propagation == Propagation::near_field)
            propagate(wave, info.pixel_size_m, info.geometry.wavelength_m,
                      info.geometry.effective_distance_m());
        else
            fft2(wave);
        for (std::ptrdiff_t i = 0; i < wave.size(); ++i)
            if (info.mask[i] != 0) counts = norm_add(wave[i], counts);
    }
    return counts;
}

void rescale_to(std::vector<Wave>& modes, const ScanInfo& info, const Array<float, 2>& counts) {
    double mean_counts = 0;
    for (const float value : counts) mean_counts += static_cast<double>(value);
    const double now = detected_power(modes, info);
    if (!(mean_counts > 0) || !(now > 0))
        throw data_error(
            "{}: the probe cannot be scaled to the data (mean counts per frame on the used pixels: {:.4g}; "
            "of the "
            "probe's own power: {:.4g})",
            info.file, mean_counts, now);
    const double factor = std::sqrt(mean_counts / now);
    for (auto& mode : modes)
        for (auto& value : mode) value = factor * value;
}

// Of config.size, of the frame where that is unset.
BeamGrid grid_of(const ProbeConfig& config, const ScanInfo& info) {
    BeamGrid grid{info.mask.extents(), info.pixel_size_m, info.geometry.wavelength_m};
    if (!config.size) return grid;
    grid.shape = {(*config.size)[0], (*config.size)[1]};
    for (std::size_t axis = 0; axis < 2; ++axis)
        if (grid.shape[axis] < 1 || grid.shape[axis] > info.mask.extents()[axis])
            throw usage_error("probe.size: {} x {} pixels (1 x 1 up to the frame's {} x {} are allowed)",
                              grid.shape[0], grid.shape[1], info.mask.extent(0), info.mask.extent(1));
    return grid;
}

// Without a size of its own the probe keeps the given shape, as far as the frame has room for it.
void resize_given(std::vector<Wave>& modes, const ProbeConfig& config, const BeamGrid& grid) {
    Extents<2> shape = grid.shape;
    if (!config.size)
        for (std::size_t axis = 0; axis < 2; ++axis)
            shape[axis] = std::min(shape[axis], modes.front().extents()[axis]);
    for (auto& mode : modes) mode = resize_about_centre(mode, shape);
    sort_by_power(modes);
}

std::vector<Wave> starting_modes(const ProbeConfig& config, const ScanInfo& info,
                                 const Array<float, 2>& counts, const Array<cfloat, 3>* from_file) {
    const BeamGrid grid = grid_of(config, info);
    std::vector<Wave> modes;
    if (config.initial == InitialProbe::automatic || config.initial == InitialProbe::file)
        modes = given_modes(info, from_file);
    if (!modes.empty()) {
        resize_given(modes, config, grid);
        return modes;
    }
    switch (config.initial) {
        case InitialProbe::file:
            throw data_error("{}: it has no probe (probe.initial: file needs one; try from_data)", info.file);
        case InitialProbe::automatic:
        case InitialProbe::from_data:
            modes.push_back(resize_about_centre(wave_of_data(info, counts), grid.shape));
            break;
        case InitialProbe::aperture:
            modes.push_back(aperture_beam(grid, required(config.diameter_m, "diameter_m", "aperture")));
            propagate(modes.front(), grid.pixel_size_m, grid.wavelength_m, config.defocus_m);
            break;
        case InitialProbe::gaussian:
            modes.push_back(gaussian_beam(grid, required(config.diameter_m, "diameter_m", "gaussian")));
            propagate(modes.front(), grid.pixel_size_m, grid.wavelength_m, config.defocus_m);
            break;
        case InitialProbe::zone_plate:
            modes.push_back(zone_plate_guess(config, info, grid));
            break;
        case InitialProbe::convergent:
            modes.push_back(convergent_guess(config, info, grid));
            break;
    }
    return modes;
}

}  // namespace

Array<cfloat, 3> make_probe(const ProbeConfig& config, const ScanInfo& info,
                            const Array<float, 2>& mean_pattern, const Array<cfloat, 3>* from_file) {
    TESSERA_EXPECT(mean_pattern.extents() == info.mask.extents());
    TESSERA_EXPECT(!info.background || info.background->extents() == info.mask.extents());
    TESSERA_EXPECT(config.num_modes >= 1);
    const Array<float, 2> counts = beam_counts(info, mean_pattern);
    std::vector<Wave> modes = starting_modes(config, info, counts, from_file);
    const auto num_modes = static_cast<std::size_t>(config.num_modes);
    if (modes.size() > num_modes) modes.resize(num_modes);
    if (!(power(modes.front()) > 0))
        throw data_error("{}: the starting probe has no power (is everything masked, or the frames empty?)",
                         info.file);
    add_modes(modes, config.num_modes, config.mode_power);
    if (config.rescale) rescale_to(modes, info, counts);
    return stacked(modes);
}

}  // namespace tessera
