#include "io/scan_writer.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.hpp"
#include "io/hdf5_writer.hpp"
#include "scan/scan.hpp"

namespace tessera {

namespace {

const std::string entry = "/entry_1";
const std::string detector = entry + "/instrument_1/detector_1";
const std::string source = entry + "/instrument_1/source_1";
const std::string sample_geometry = entry + "/sample_1/geometry_1";
const std::string truth = entry + "/truth_1";

constexpr double joules_per_electronvolt = 1.602176634e-19;

template <std::size_t N>
hdf5::Shape shape_of(const Extents<N>& extents) {
    return {extents.begin(), extents.end()};
}

template <class Count>
void write_patterns(hdf5::Writer& file, const Array<float, 3>& patterns) {
    const std::ptrdiff_t height = patterns.extent(1), width = patterns.extent(2);
    const std::string path = detector + "/data";
    file.create<Count>(path, shape_of(patterns.extents()));
    std::vector<Count> frame(static_cast<std::size_t>(height * width));
    for (std::ptrdiff_t i = 0; i < patterns.extent(0); ++i) {
        std::ranges::transform(patterns.slice(i), frame.begin(), [](float counts) {
            if constexpr (std::is_integral_v<Count>) return static_cast<Count>(std::lround(counts));
            return static_cast<Count>(counts);
        });
        file.write_block(path, {i, 0, 0}, {1, height, width}, frame.data());
    }
    file.attribute(path, "axes", "translation:y:x");
    file.attribute(path, "interpretation", "image");
}

void write_counts(hdf5::Writer& file, const SyntheticScan& scan) {
    const float most = *std::ranges::max_element(scan.patterns);
    if (!scan.integer_counts) {
        write_patterns<float>(file, scan.patterns);
    } else if (most < static_cast<float>(unused_count<std::uint16_t>)) {
        write_patterns<std::uint16_t>(file, scan.patterns);
    } else if (most < 0x1p31F) {
        write_patterns<std::int32_t>(file, scan.patterns);
    } else {
        throw usage_error(
            "the brightest pixel of the simulated scan has {:g} counts, more than an integer detector holds "
            "(lower probe.photons_per_frame, or set detector.integer_counts: false)",
            most);
    }
}

void write_number(hdf5::Writer& file, const std::string& path, double value, const char* units) {
    file.write_scalar(path, value);
    file.attribute(path, "units", units);
}

void write_detector(hdf5::Writer& file, const SyntheticScan& scan) {
    const Geometry& geometry = scan.geometry;
    const auto [pixel_y, pixel_x] = geometry.detector_pixel_size_m;
    write_counts(file, scan);
    write_number(file, detector + "/distance", geometry.distance_m, "m");
    write_number(file, detector + "/y_pixel_size", pixel_y, "m");
    write_number(file, detector + "/x_pixel_size", pixel_x, "m");
    const std::vector<double> basis = {0,        -pixel_y, 0,
                                       -pixel_x, 0,        0};  // CXI's default: rows down, columns to -x
    file.write(detector + "/basis_vectors", {2, 3}, basis.data());
    file.write_text(detector + "/propagation",
                    geometry.propagation == Propagation::near_field ? "near_field" : "far_field");

    std::vector<std::uint32_t> bad;
    for (const float good : scan.mask) bad.push_back(good != 0 ? 0 : 1);
    file.write(detector + "/mask", shape_of(scan.mask.extents()), bad.data());
    const bool has_background =
        std::ranges::any_of(scan.background, [](float counts) { return counts != 0; });
    if (has_background)
        file.write(detector + "/data_dark", shape_of(scan.background.extents()), scan.background.data());
    file.link(detector + "/translation", sample_geometry + "/translation");
}

// CXI translations say where the sample is: with the default basis, row = +T_y and column = +T_x.
void write_sample(hdf5::Writer& file, const SyntheticScan& scan) {
    const Array<double, 2>& told =
        scan.told_positions_px.empty() ? scan.positions_px : scan.told_positions_px;
    const std::ptrdiff_t num_frames = told.extent(0);
    std::vector<double> translations;
    for (std::ptrdiff_t i = 0; i < num_frames; ++i) {
        translations.push_back(told(i, 1) * scan.pixel_size_m[1]);
        translations.push_back(told(i, 0) * scan.pixel_size_m[0]);
        translations.push_back(0);
    }
    file.write(sample_geometry + "/translation", {num_frames, 3}, translations.data());
    file.attribute(sample_geometry + "/translation", "units", "m");
    if (scan.geometry.propagation == Propagation::near_field && scan.geometry.focus_to_sample_m > 0) {
        write_number(file, sample_geometry + "/focus_to_sample_m", scan.geometry.focus_to_sample_m, "m");
    }
}

void write_source(hdf5::Writer& file, const SyntheticScan& scan) {
    write_number(file, source + "/energy", scan.geometry.energy_eV() * joules_per_electronvolt, "J");
    write_number(file, source + "/wavelength", scan.geometry.wavelength_m, "m");
    const bool are_electrons = scan.geometry.radiation == Radiation::electrons;
    file.write_text(source + "/probe", are_electrons ? "electron" : "x-ray");  // NeXus' words
    if (are_electrons) write_number(file, source + "/voltage", scan.geometry.energy_eV(), "V");
    file.write(source + "/illumination", shape_of(scan.probe_guess.extents()), scan.probe_guess.data());
}

void write_beams(hdf5::Writer& file, const std::vector<BeamOfFrame>& beams) {
    if (beams.empty()) return;
    std::vector<double> intensity, pointing_px, defocus_m;
    for (const BeamOfFrame& beam : beams) {
        intensity.push_back(beam.intensity);
        pointing_px.insert(pointing_px.end(), beam.pointing_px.begin(), beam.pointing_px.end());
        defocus_m.push_back(beam.defocus_m);
    }
    file.write(truth + "/intensity_scale", intensity);
    file.attribute(truth + "/intensity_scale", "long_name", "power of the beam in each frame, 1 on average");
    file.write(truth + "/pointing_px", {std::ssize(beams), 2}, pointing_px.data());
    file.attribute(truth + "/pointing_px", "units", "px");
    file.attribute(truth + "/pointing_px", "long_name",
                   "how far (y, x) the tilt of each frame's beam moves its pattern");
    file.write(truth + "/defocus_m", defocus_m);
    file.attribute(truth + "/defocus_m", "units", "m");
}

void write_truth(hdf5::Writer& file, const SyntheticScan& scan) {
    file.group(truth, "NXcollection");
    file.write(truth + "/object", shape_of(scan.object.extents()), scan.object.data());
    file.attribute(truth + "/object", "pixel_size_m",
                   std::vector<double>{scan.pixel_size_m[0], scan.pixel_size_m[1]});
    const bool has_modes = scan.num_object_modes > 1;
    file.attribute(truth + "/object", "long_name",
                   has_modes ? "object (mode, y, x)" : "object (slice, y, x)");
    if (has_modes)
        file.attribute(truth + "/object", "num_modes",
                       std::vector<double>{static_cast<double>(scan.num_object_modes)});
    if (!scan.slice_spacings_m.empty())
        file.attribute(truth + "/object", "slice_spacings_m", scan.slice_spacings_m);
    file.write(truth + "/probe", shape_of(scan.probe.extents()), scan.probe.data());
    file.write(truth + "/positions_px", shape_of(scan.positions_px.extents()), scan.positions_px.data());
    file.attribute(truth + "/positions_px", "long_name",
                   "top-left corner (y, x) of each probe window in object");
    write_beams(file, scan.beams);
}

}  // namespace

void write_scan(const std::filesystem::path& path, const SyntheticScan& scan, const std::string& simulation) {
    hdf5::Writer file(path);
    file.attribute("/", "default", "entry_1");
    file.write_scalar<std::int32_t>("/cxi_version", 160);
    file.write_scalar<std::int32_t>("/number_of_entries", 1);
    file.group(entry, "NXentry");
    file.attribute(entry, "default", "data_1");
    file.group(entry + "/instrument_1", "NXinstrument");
    file.write_text(entry + "/instrument_1/name", "simulation");  // some programs insist on a name
    file.group(detector, "NXdetector");
    file.group(source, "NXsource");
    file.group(entry + "/sample_1", "NXsample");
    file.group(sample_geometry, "NXcollection");
    write_sample(file, scan);
    write_detector(file, scan);
    write_source(file, scan);
    file.group(entry + "/data_1", "NXdata");
    file.attribute(entry + "/data_1", "signal", "data");
    file.attribute(entry + "/data_1", "axes", std::vector<std::string>{".", ".", "."});
    file.link(entry + "/data_1/data", detector + "/data");
    file.link(entry + "/data_1/translation", sample_geometry + "/translation");
    file.group(entry + "/process_1", "NXprocess");
    file.write_text(entry + "/process_1/program", "tessera");
    file.write_text(entry + "/process_1/simulation", simulation);
    write_truth(file, scan);
    file.finish();
}

}  // namespace tessera
