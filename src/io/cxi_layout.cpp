#include "io/cxi_layout.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "io/hdf5_layout.hpp"
#include "scan/geometry.hpp"

namespace tessera {

namespace {

using hdf5::Dataset;
using hdf5::File;
using Vector = std::array<double, 3>;  // x, y, z
using Entry = File::Entry;

// The groups of one entry; NeXus names differ by a suffix, so the first that exists is taken.
struct CxiEntry {
    const File& file;
    std::string entry;
    std::vector<std::string> detectors, data, sources, beams, samples;  // full paths, preferred first
};

std::vector<std::string> groups_starting(const File& file, const std::string& parent,
                                         const std::string& prefix) {
    std::vector<std::string> found;
    for (const auto& child : file.children(parent)) {
        const std::string path = parent + "/" + child;
        if (child.starts_with(prefix) && file.has_group(path)) found.push_back(path);
    }
    // CXI's own names end in _1; a name without number is NeXus' and may be the raster beside the flat copy.
    std::stable_partition(found.begin(), found.end(),
                          [](const std::string& path) { return path.ends_with("_1"); });
    return found;
}

CxiEntry groups_of(const File& file, const std::string& entry) {
    CxiEntry groups{file, entry, {}, {}, {}, {}, {}};
    const auto append = [](std::vector<std::string>& all, const std::vector<std::string>& more) {
        all.insert(all.end(), more.begin(), more.end());
    };
    for (const auto& instrument : groups_starting(file, entry, "instrument")) {
        append(groups.detectors, groups_starting(file, instrument, "detector"));
        append(groups.sources, groups_starting(file, instrument, "source"));
        append(groups.beams, groups_starting(file, instrument, "beam"));
        append(groups.beams, groups_starting(file, instrument, "monochromator"));
    }
    groups.data = groups_starting(file, entry, "data");
    groups.samples = groups_starting(file, entry, "sample");
    return groups;
}

std::vector<std::string> with_suffix(const std::vector<std::string>& groups, const std::string& suffix) {
    std::vector<std::string> paths;
    for (const auto& group : groups) paths.push_back(group + suffix);
    return paths;
}

// Flat frames before rasters: that is what the translations beside them count.
std::string find_frames(const CxiEntry& groups) {
    auto candidates = with_suffix(groups.detectors, "/data");
    for (const auto& path : with_suffix(groups.data, "/data")) candidates.push_back(path);
    std::string raster, dangling;
    for (const auto& path : candidates) {
        const Entry entry = groups.file.what_is(path);
        if (entry == Entry::dangling && dangling.empty()) dangling = path;
        if (entry != Entry::dataset) continue;
        if (groups.file.dataset(path).shape().size() != 4) return path;
        if (raster.empty()) raster = path;
    }
    return raster.empty() ? dangling : raster;
}

std::vector<std::string> entry_groups(const File& file) {
    auto entries = groups_starting(file, "", "entry");
    std::erase_if(entries, [](const std::string& path) { return path == "/entry_last"; });
    return entries;
}

// The entry that has frames, else the first.
CxiEntry find_entry(const File& file, std::vector<std::string>& notes) {
    const auto entries = entry_groups(file);
    if (entries.empty()) throw data_error("{}: has no group entry_1 (is this a CXI file?)", file.name());
    std::vector<std::string> with_frames;
    for (const auto& entry : entries) {
        if (!find_frames(groups_of(file, entry)).empty()) with_frames.push_back(entry);
    }
    if (with_frames.size() > 1) {
        notes.push_back(
            fmt::format("{} entries hold frames: {} is read", with_frames.size(), with_frames.front()));
    }
    return groups_of(file, with_frames.empty() ? entries.front() : with_frames.front());
}

std::string describe_format(const File& file, const std::string& entry) {
    std::string format = "CXI";
    if (const auto version = file.number("/cxi_version"); version && *version >= 100) {
        format += fmt::format(" {:g}", *version / 100);
    }
    if (const auto definition = file.text(entry + "/definition"); definition && !definition->empty()) {
        format += " (" + *definition + ")";
    }
    return format;
}

std::optional<std::string> unit_of(const Dataset& dataset) {
    auto unit = dataset.text_attribute("units");
    if (!unit) unit = dataset.text_attribute("unit");
    return unit && !unit->empty() ? unit : std::nullopt;
}

// ---- geometry

// A length in metres, or none (with a note) where the file's value cannot be one.
std::optional<FileValue> length(const File& file, const std::string& path, double least_m, double most_m,
                                std::vector<std::string>& notes) {
    const auto value = file.number(path);
    if (!value) return std::nullopt;
    const Dataset dataset = file.dataset(path);
    const auto unit = unit_of(dataset);
    const double metres = *value * (unit ? metres_per(*unit).value_or(1) : 1);
    if (!(metres >= least_m && metres <= most_m)) {
        notes.push_back(
            fmt::format("{}: {:g} {} is no usable value, it is ignored", path, *value, unit.value_or("m")));
        return std::nullopt;
    }
    if (unit && *unit != "m")
        notes.push_back(fmt::format("{}: {:g} {} taken as {:g} m", path, *value, *unit, metres));
    return FileValue{metres, path};
}

std::optional<FileValue> first_length(const File& file, const std::vector<std::string>& paths, double least_m,
                                      double most_m, std::vector<std::string>& notes) {
    for (const auto& path : paths) {
        if (auto found = length(file, path, least_m, most_m, notes)) return found;
    }
    return std::nullopt;
}

// CXI says joules, but keV and eV are common: without a unit attribute the magnitude decides.
std::optional<FileValue> energy(const File& file, const std::string& path, Radiation radiation,
                                std::vector<std::string>& notes) {
    const auto value = file.number(path);
    if (!value) return std::nullopt;
    std::string unit = unit_of(file.dataset(path)).value_or("");
    const bool stated = electronvolts_per(unit).has_value();
    const double most_keV = radiation == Radiation::electrons ? 2000 : 200;
    if (!stated) unit = *value < 1e-10 ? "J" : *value < most_keV ? "keV" : "eV";
    const double electronvolts = *value * *electronvolts_per(unit);
    if (!(electronvolts >= 1 && electronvolts <= 2e6)) {  // machine energies of GeV, zeros, slips of the unit
        notes.push_back(
            fmt::format("{}: {:g} {} is no usable beam energy, it is ignored", path, *value, unit));
        return std::nullopt;
    }
    if (unit != "J") {
        notes.push_back(fmt::format("{}: {:g} taken as {}{}", path, *value, unit,
                                    stated ? "" : " by its magnitude (CXI asks for J)"));
    }
    return FileValue{electronvolts, path};
}

void read_energies(const CxiEntry& groups, ScanLayout& layout) {
    std::vector<std::string> energies, wavelengths;
    for (const char* key : {"/incident_energy", "/incident_beam_energy", "/energy"}) {
        for (const auto& beam : groups.beams) energies.push_back(beam + key);
    }
    for (const auto& source : groups.sources) energies.push_back(source + "/energy");
    for (const auto& beam : groups.beams) wavelengths.push_back(beam + "/incident_wavelength");
    for (const auto& source : groups.sources) wavelengths.push_back(source + "/wavelength");
    for (const auto& beam : groups.beams) wavelengths.push_back(beam + "/wavelength");

    for (const auto& source : groups.sources) {  // NeXus: NXsource/probe
        const auto word = groups.file.text(source + "/probe");
        if (word == "electron") layout.radiation = Radiation::electrons;
        if (word == "x-ray") layout.radiation = Radiation::photons;
    }
    const Radiation radiation = layout.radiation.value_or(Radiation::photons);
    for (const auto& path : energies) {
        if (auto found = energy(groups.file, path, radiation, layout.notes))
            layout.energies_eV.push_back(*found);
    }
    for (const auto& path : wavelengths) {
        const auto found = length(groups.file, path, 1e-13, 1e-6, layout.notes);
        if (found) layout.wavelengths_m.push_back(*found);
    }
}

void read_geometry(const CxiEntry& groups, ScanLayout& layout) {
    const File& file = groups.file;
    read_energies(groups, layout);
    layout.distance_m =
        first_length(file, with_suffix(groups.detectors, "/distance"), 1e-6, 1e5, layout.notes);
    layout.pixel_size_y_m =
        first_length(file, with_suffix(groups.detectors, "/y_pixel_size"), 1e-9, 1e-2, layout.notes);
    layout.pixel_size_x_m =
        first_length(file, with_suffix(groups.detectors, "/x_pixel_size"), 1e-9, 1e-2, layout.notes);
    for (const auto& path : with_suffix(groups.detectors, "/propagation")) {
        const auto propagation = file.text(path);
        if (propagation == "near_field") layout.propagation = Propagation::near_field;
        if (propagation == "far_field") layout.propagation = Propagation::far_field;
    }
    layout.focus_to_sample_m = first_length(
        file, with_suffix(groups.samples, "/geometry_1/focus_to_sample_m"), 1e-9, 1e5, layout.notes);
}

// ---- positions

double dot(const Vector& a, const Vector& b) {
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}
double length_of(const Vector& a) {
    return std::sqrt(dot(a, a));
}

// The detector's row and column steps from a (2, 3) or (3, 2) dataset; none where they are unusable.
std::optional<std::array<Vector, 2>> read_basis(const Dataset& dataset, std::vector<std::string>& notes) {
    const auto& shape = dataset.shape();
    const bool by_vector = shape == hdf5::Shape{2, 3};
    if ((!by_vector && shape != hdf5::Shape{3, 2}) || !dataset.type().is_real()) {
        notes.push_back(fmt::format("{}: shape {} is neither (2, 3) nor (3, 2), it is ignored",
                                    dataset.path(), hdf5::text(shape)));
        return std::nullopt;
    }
    const auto values = dataset.read_vector<double>();
    std::array<Vector, 2> basis{};
    for (std::size_t vector = 0; vector < 2; ++vector) {
        for (std::size_t k = 0; k < 3; ++k)
            basis[vector][k] = values[by_vector ? 3 * vector + k : 2 * k + vector];
    }
    const double length_y = length_of(basis[0]), length_x = length_of(basis[1]);
    const double cosine = dot(basis[0], basis[1]) / (length_y * length_x);
    if (!(std::abs(cosine) < 0.01)) {  // also zero and NaN
        notes.push_back(
            fmt::format("{}: the vectors are zero or not at right angles, they are ignored", dataset.path()));
        return std::nullopt;
    }
    return basis;
}

// Unit vectors of the object's rows and columns; takes pixel sizes from the basis where nothing else gives
// them.
std::array<Vector, 2> object_axes(const CxiEntry& groups, ScanLayout& layout) {
    std::array<Vector, 2> axes = {Vector{0, -1, 0}, Vector{-1, 0, 0}};
    for (const auto& path : with_suffix(groups.detectors, "/basis_vectors")) {
        if (!groups.file.has_dataset(path)) continue;
        const auto basis = read_basis(groups.file.dataset(path), layout.notes);
        if (!basis) continue;
        const std::array<double, 2> lengths = {length_of((*basis)[0]), length_of((*basis)[1])};
        for (std::size_t vector = 0; vector < 2; ++vector) {
            for (std::size_t k = 0; k < 3; ++k) axes[vector][k] = (*basis)[vector][k] / lengths[vector];
        }
        if (!layout.pixel_size_y_m) layout.pixel_size_y_m = FileValue{lengths[0], path};
        if (!layout.pixel_size_x_m) layout.pixel_size_x_m = FileValue{lengths[1], path};
        layout.notes.push_back(
            fmt::format("positions: rows run along ({:g}, {:g}, {:g}) and columns along ({:g}, {:g}, {:g}) "
                        "of (x, y, z), from {}",
                        axes[0][0], axes[0][1], axes[0][2], axes[1][0], axes[1][1], axes[1][2], path));
        return axes;
    }
    layout.notes.emplace_back("positions: no basis_vectors, CXI's default: row = +T_y, column = +T_x");
    return axes;
}

// Sample translations (frame, 2 or 3) as x, y(, z) in metres.
struct Translations {
    Array<double, 2> table;
    std::string path;
};

std::vector<std::string> translation_paths(const CxiEntry& groups) {
    std::vector<std::string> paths = with_suffix(groups.data, "/translation");
    for (const auto& path : with_suffix(groups.samples, "/geometry_1/translation")) paths.push_back(path);
    for (const auto& path : with_suffix(groups.detectors, "/translation")) paths.push_back(path);
    return paths;
}

bool same(const Array<double, 2>& a, const Array<double, 2>& b) {
    return a.extents() == b.extents() && std::equal(a.begin(), a.end(), b.begin());
}

double translation_unit(const Dataset& dataset, std::vector<std::string>& notes) {
    const auto unit = unit_of(dataset);
    if (!unit || *unit == "m") return 1;
    const auto factor = metres_per(*unit);
    notes.push_back(factor
                        ? fmt::format("{}: values are in {}", dataset.path(), *unit)
                        : fmt::format("{}: unit {} is unknown, metres are assumed", dataset.path(), *unit));
    return factor.value_or(1);
}

// NXptycho: one dataset per sample axis.
std::optional<Translations> read_sample_axes(const CxiEntry& groups, std::ptrdiff_t num_frames,
                                             ScanLayout& layout) {
    std::vector<std::string> parents = with_suffix(groups.samples, "/transformations");
    parents.insert(parents.end(), groups.data.begin(), groups.data.end());
    for (const auto& parent : parents) {
        if (!groups.file.has_dataset(parent + "/x") || !groups.file.has_dataset(parent + "/y")) continue;
        const Dataset x = groups.file.dataset(parent + "/x"), y = groups.file.dataset(parent + "/y");
        if (!x.type().is_real() || !y.type().is_real() || x.size() != num_frames || y.size() != num_frames)
            continue;
        const double unit_x = translation_unit(x, layout.notes), unit_y = translation_unit(y, layout.notes);
        const auto positions = read_axes(y, x, num_frames);
        Translations found{Array<double, 2>({num_frames, 2}), parent + "/{x,y}"};
        for (std::ptrdiff_t i = 0; i < num_frames; ++i) {
            found.table(i, 0) = positions(i, 1) * unit_x;
            found.table(i, 1) = positions(i, 0) * unit_y;
        }
        return found;
    }
    return std::nullopt;
}

Translations read_translations(const CxiEntry& groups, ScanLayout& layout) {
    const std::ptrdiff_t num_frames = layout.num_frames();
    std::optional<Translations> used;
    std::string refused;
    for (const auto& path : translation_paths(groups)) {
        const Entry entry = groups.file.what_is(path);
        if (entry == Entry::dangling) {
            refused += fmt::format("; {} is a link to {}, which does not exist", path,
                                   groups.file.link_target(path));
        }
        if (entry != Entry::dataset) continue;
        const Dataset dataset = groups.file.dataset(path);
        auto table = read_table(dataset, num_frames, {2, 3});
        if (!table) {
            refused += fmt::format("; {} has shape {}", path, hdf5::text(dataset.shape()));
        } else if (!used) {
            const double unit = translation_unit(dataset, layout.notes);
            for (auto& value : *table) value *= unit;
            used = Translations{std::move(*table), path};
            if (dataset.shape().size() == 2 && dataset.shape()[0] != num_frames) {
                layout.notes.push_back(fmt::format("{}: shape {} read as (component, frame)", path,
                                                   hdf5::text(dataset.shape())));
            }
        } else if (!same(*table, used->table)) {
            layout.notes.push_back(fmt::format("{} differs from {}, which is used", path, used->path));
        }
    }
    if (!used) used = read_sample_axes(groups, num_frames, layout);
    if (used) return std::move(*used);
    if (refused.empty()) {
        throw data_error(
            "{}: no positions found (data_1/translation, sample_1/geometry_1/translation and "
            "detector_1/translation of {} are missing; set scan.keys.positions)",
            groups.file.name(), groups.entry);
    }
    throw data_error(
        "{}: positions do not fit the {} frames of {}{} ((frame, 3), (3, frame), (frame, 2) or (2, frame) "
        "is expected; set scan.keys.positions)",
        groups.file.name(), num_frames, layout.frames.path(), refused);
}

void place_probe(const CxiEntry& groups, const std::array<Vector, 2>& axes, ScanLayout& layout) {
    const Translations translations = read_translations(groups, layout);
    layout.notes.push_back(fmt::format("positions: sample translations of {}", translations.path));
    layout.positions_where = groups.file.name() + ":" + translations.path;
    const std::ptrdiff_t width = translations.table.extent(1);
    layout.positions = Array<double, 2>({translations.table.extent(0), 2});
    for (std::ptrdiff_t i = 0; i < translations.table.extent(0); ++i) {
        Vector sample{};
        for (std::ptrdiff_t k = 0; k < width; ++k)
            sample[static_cast<std::size_t>(k)] = translations.table(i, k);
        for (std::size_t axis = 0; axis < 2; ++axis) {
            double along = 0;
            for (std::size_t k = 0; k < 3; ++k) {
                // Not a plain dot product: a z that nobody recorded (NaN) counts only where the detector is
                // tilted.
                if (axes[axis][k] != 0) along -= sample[k] * axes[axis][k];
            }
            layout.positions(i, static_cast<std::ptrdiff_t>(axis)) = along;
        }
    }
    layout.position_unit = PositionUnit::m;
}

// ---- detector maps and probe

std::optional<Dataset> first_numbers(const File& file, const std::vector<std::string>& paths, bool complex) {
    for (const auto& path : paths) {
        if (!file.has_dataset(path)) continue;
        Dataset dataset = file.dataset(path);
        const bool numbers =
            dataset.type().is_real() || (complex && dataset.type().kind == hdf5::Kind::complex);
        if (numbers && dataset.shape().size() >= 2)
            return dataset;  // NeXus: source_1/probe is the word "x-ray"
    }
    return std::nullopt;
}

}  // namespace

bool looks_like_cxi(const File& file) {
    if (file.has_dataset("/cxi_version")) return true;
    return std::ranges::any_of(entry_groups(file), [&](const std::string& entry) {
        return entry.starts_with("/entry_") && !find_frames(groups_of(file, entry)).empty();
    });
}

ScanLayout find_cxi_layout(const File& file, const ScanConfig& config) {
    ScanLayout layout;
    const CxiEntry groups = find_entry(file, layout.notes);
    layout.format = describe_format(file, groups.entry);
    const std::string frames = config.keys.frames ? *config.keys.frames : find_frames(groups);
    if (frames.empty()) {
        throw data_error(
            "{}: {} holds no frames (instrument_1/detector_1/data and data_1/data are missing; set "
            "scan.keys.frames)",
            file.name(), groups.entry);
    }
    layout.frames = open_frames(file, frames);
    read_geometry(groups, layout);

    const auto axes = object_axes(groups, layout);
    const auto& keys = config.keys;
    if (!keys.positions && !keys.positions_y && !keys.positions_x) place_probe(groups, axes, layout);

    if (!keys.mask) layout.mask = first_numbers(file, with_suffix(groups.detectors, "/mask"), false);
    if (!keys.background) {
        auto darks = with_suffix(groups.detectors, "/background");
        for (const char* key : {"/data_dark", "/dark"}) {
            for (const auto& path : with_suffix(groups.detectors, key)) darks.push_back(path);
        }
        layout.background = first_numbers(file, darks, false);
    }
    if (!keys.probe) {
        auto probes = with_suffix(groups.sources, "/illumination");
        for (const auto& path : with_suffix(groups.sources, "/probe")) probes.push_back(path);
        for (const auto& path : with_suffix(groups.beams, "/illumination")) probes.push_back(path);
        layout.probe = first_numbers(file, probes, true);
    }
    apply_keys(file, keys, layout);
    return layout;
}

}  // namespace tessera
