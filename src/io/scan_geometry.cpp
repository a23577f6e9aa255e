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

Radiation resolve_radiation(const GeometryConfig& config, const ScanLayout& layout, const std::string& file) {
    if (config.accelerating_voltage_kV && layout.radiation == Radiation::photons) {
        throw data_error(
            "{}: the file says that its beam is of photons, but the run file's "
            "scan.geometry.accelerating_voltage_kV says electrons (remove that key)",
            file);
    }
    if (config.energy_eV && layout.radiation == Radiation::electrons) {
        throw data_error(
            "{}: the file says that its beam is of electrons, but the run file's scan.geometry.energy_eV is "
            "that of photons (remove that key, or set accelerating_voltage_kV in its place)",
            file);
    }
    if (config.accelerating_voltage_kV) return Radiation::electrons;
    return layout.radiation.value_or(Radiation::photons);
}

// Every statement of the file as an energy in units of `unit_eV`.
std::vector<FileValue> energies_of(const ScanLayout& layout, Radiation radiation, double unit_eV) {
    std::vector<FileValue> found;
    for (const auto& [energy_eV, where] : layout.energies_eV) found.push_back({energy_eV / unit_eV, where});
    for (const auto& [wavelength_m, where] : layout.wavelengths_m)
        found.push_back({energy_of_wavelength(radiation, wavelength_m) / unit_eV, where});
    return found;
}

// In the unit of `energy`; the run file says it as that key or as the wavelength.
double join_energy(const GeometryConfig& config, const std::vector<FileValue>& found, Radiation radiation,
                   const Quantity& energy, const std::string& file, std::vector<std::string>& notes) {
    constexpr Quantity wavelength{"wavelength", "scan.geometry.wavelength_m", "m"};
    const bool are_electrons = radiation == Radiation::electrons;
    std::optional<double> said = are_electrons ? config.accelerating_voltage_kV : config.energy_eV;
    if (said) positive(*said, energy);
    if (config.wavelength_m) {
        const double from_wavelength =
            energy_of_wavelength(radiation, positive(*config.wavelength_m, wavelength)) /
            (are_electrons ? 1e3 : 1);
        if (said && !agree(*said, from_wavelength)) {
            throw usage_error(
                "{} {:.9g} and wavelength_m {:.9g} (= {:.9g} {}) contradict each other (give one of them)",
                energy.key, *said, *config.wavelength_m, from_wavelength, energy.unit);
        }
        if (!said) said = from_wavelength;
    }
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
            "{}: {} says {:.9g} {}, but {} says {:.9g} {} (set {} in the run file to the right one)", file,
            found.front().where, found.front().value, energy.unit, contradiction->where, contradiction->value,
            energy.unit, energy.key);
    }
    notes.push_back(fmt::format(
        "the file contradicts itself ({} {:.9g} {}, {} {:.9g} {}): the run file's {:.9g} {} is used",
        found.front().where, found.front().value, energy.unit, contradiction->where, contradiction->value,
        energy.unit, *said, energy.unit));
    return *said;
}

double join_wavelength(const GeometryConfig& config, const ScanLayout& layout, Radiation radiation,
                       const std::string& file, std::vector<std::string>& notes) {
    constexpr Quantity photons{"photon energy", "scan.geometry.energy_eV", "eV"};
    constexpr Quantity electrons{"accelerating voltage", "scan.geometry.accelerating_voltage_kV", "kV"};
    const bool are_electrons = radiation == Radiation::electrons;
    const double unit_eV = are_electrons ? 1e3 : 1;
    const double energy = join_energy(config, energies_of(layout, radiation, unit_eV), radiation,
                                      are_electrons ? electrons : photons, file, notes);
    return wavelength_of_energy(radiation, energy * unit_eV);
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
    geometry.radiation = resolve_radiation(config, layout, file);
    geometry.wavelength_m = join_wavelength(config, layout, geometry.radiation, file, notes);
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
