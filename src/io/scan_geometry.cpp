#include "io/scan_geometry.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace tessera {

namespace {

constexpr double agreement = 1e-6;

bool agree(double a, double b, double tolerance = agreement) {
    return std::abs(a - b) <= tolerance * std::max(std::abs(a), std::abs(b));
}

const char* name_of(Propagation propagation) {
    return propagation == Propagation::near_field ? "near_field" : "far_field";
}

struct Quantity {
    const char* what;
    const char* key;   // of the run file
    const char* unit;  // of both values
};

double positive(double value, const Quantity& quantity) {
    if (value > 0 && std::isfinite(value)) return value;
    throw usage_error("{}: {} {} (a positive number is expected)", quantity.key, value, quantity.unit);
}

double join(const std::optional<double>& said, const std::optional<FileValue>& found,
            const Quantity& quantity, const std::string& file) {
    if (said) positive(*said, quantity);
    if (said && found && !agree(*said, found->value)) {
        throw data_error(
            "{}:{}: the {} is {:.9g} {}, but the run file's {} says {:.9g} (remove that key to use the "
            "scan's value, or correct the value in the scan file)",
            file, found->where, quantity.what, found->value, quantity.unit, quantity.key, *said);
    }
    if (said) return *said;
    if (found) return found->value;
    throw data_error("{}: the {} is not in the file (set {} in the run file)", file, quantity.what,
                     quantity.key);
}

double join_energy(const GeometryConfig& config, const ScanLayout& layout, const std::string& file,
                   std::vector<std::string>& notes) {
    constexpr Quantity energy{"photon energy", "scan.geometry.energy_eV", "eV"};
    constexpr Quantity wavelength{"wavelength", "scan.geometry.wavelength_m", "m"};
    std::optional<double> said;
    if (config.energy_eV) said = positive(*config.energy_eV, energy);
    if (config.wavelength_m) {
        const double from_wavelength = energy_of_wavelength(positive(*config.wavelength_m, wavelength));
        if (said && !agree(*said, from_wavelength)) {
            throw usage_error(
                "scan.geometry: energy_eV {:.9g} and wavelength_m {:.9g} (= {:.9g} eV) contradict each other "
                "(give one of them)",
                *said, *config.wavelength_m, from_wavelength);
        }
        if (!said) said = from_wavelength;
    }
    const auto& found = layout.energies_eV;
    if (found.empty()) return join(said, std::nullopt, energy, file);

    constexpr double same_within_rounding = 1e-3;  // hc/e is rounded differently from program to program
    const auto contradiction = std::ranges::find_if(found, [&](const FileValue& other) {
        return !agree(found.front().value, other.value, same_within_rounding);
    });
    if (contradiction == found.end()) {
        const auto match = std::ranges::find_if(
            found, [&](const FileValue& other) { return said && agree(*said, other.value); });
        return join(said, match == found.end() ? found.front() : *match, energy, file);
    }
    if (!said) {
        throw data_error(
            "{}: {} says {:.9g} eV, but {} says {:.9g} eV (set scan.geometry.energy_eV in the run file to "
            "the right one)",
            file, found.front().where, found.front().value, contradiction->where, contradiction->value);
    }
    notes.push_back(fmt::format(
        "the file contradicts itself ({} {:.9g} eV, {} {:.9g} eV): the run file's {:.9g} eV is "
        "used",
        found.front().where, found.front().value, contradiction->where, contradiction->value, *said));
    return *said;
}

}  // namespace

Propagation resolve_propagation(const GeometryConfig& config, const ScanLayout& layout,
                                const std::string& file) {
    const bool said = config.propagation != Propagation::automatic;
    const bool found = layout.propagation != Propagation::automatic;
    if (said && found && config.propagation != layout.propagation) {
        throw data_error(
            "{}: the file is a {} scan, but the run file's scan.geometry.propagation says {} (remove that "
            "key "
            "to use the scan's)",
            file, name_of(layout.propagation), name_of(config.propagation));
    }
    if (said) return config.propagation;
    if (found) return layout.propagation;
    return config.focus_to_sample_m || layout.focus_to_sample_m ? Propagation::near_field
                                                                : Propagation::far_field;
}

Geometry resolve_geometry(const GeometryConfig& config, const ScanLayout& layout, const std::string& file,
                          std::vector<std::string>& notes) {
    constexpr Quantity distance{"sample-to-detector distance", "scan.geometry.detector_distance_m", "m"};
    constexpr Quantity pixel{"detector pixel size", "scan.geometry.detector_pixel_size_m", "m"};
    constexpr Quantity focus{"focus-to-sample distance", "scan.geometry.focus_to_sample_m", "m"};
    Geometry geometry;
    geometry.propagation = resolve_propagation(config, layout, file);
    geometry.wavelength_m = wavelength_of_energy(join_energy(config, layout, file, notes));
    geometry.distance_m = join(config.detector_distance_m, layout.distance_m, distance, file);
    geometry.detector_pixel_size_m = {join(config.detector_pixel_size_m, layout.pixel_size_y_m, pixel, file),
                                      join(config.detector_pixel_size_m, layout.pixel_size_x_m, pixel, file)};
    if (geometry.propagation == Propagation::near_field &&
        (config.focus_to_sample_m || layout.focus_to_sample_m)) {
        geometry.focus_to_sample_m = join(config.focus_to_sample_m, layout.focus_to_sample_m, focus, file);
    }
    if (geometry.propagation == Propagation::far_field && config.focus_to_sample_m) {
        throw usage_error(
            "scan.geometry.focus_to_sample_m: {} m is for near-field scans only (remove it, or set "
            "scan.geometry.propagation: near_field)",
            *config.focus_to_sample_m);
    }
    return geometry;
}

}  // namespace tessera
