#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/array.hpp"
#include "config/run_config.hpp"
#include "io/hdf5.hpp"
#include "math/complex.hpp"
#include "scan/geometry.hpp"

namespace tessera {

// A number as a file gives it, in SI units (energies: eV), and the dataset it stands in.
struct FileValue {
    double value = 0;
    std::string where;
};

// Where one file keeps what a reconstruction needs: what every format's layout finds and scan_reader.cpp
// works on. Detector maps are as stored: not cropped, not turned, not shifted.
struct ScanLayout {
    std::string format;           // for people
    hdf5::Dataset frames;         // (frame, y, x) or a raster (row, column, y, x)
    Array<double, 2> positions;   // (frame, 2): (y, x) of the probe along the object's rows and columns
    std::string positions_where;  // "scan.cxi:/entry_1/data_1/translation", for messages
    PositionUnit position_unit = PositionUnit::m;

    // What the file says about geometry. Values that cannot be are left out, with a note.
    std::optional<Radiation> radiation;    // where the file names it
    std::vector<FileValue> energies_eV;    // every statement, the most trustworthy first
    std::vector<FileValue> wavelengths_m;  // the same; less trustworthy than energies
    std::optional<FileValue> distance_m;
    std::optional<FileValue> pixel_size_y_m, pixel_size_x_m;  // of the detector
    std::optional<FileValue> focus_to_sample_m;
    Propagation propagation = Propagation::automatic;

    std::optional<hdf5::Dataset> mask;
    std::optional<hdf5::Dataset> background;
    std::optional<hdf5::Dataset> probe;
    std::vector<std::string> notes;

    std::ptrdiff_t num_frames() const;
    std::array<int, 2> frame_shape() const;  // (y, x)
};

// Opens the frames, checks type and shape: at least two frames, three axes (or four: a raster).
hdf5::Dataset open_frames(const hdf5::File& file, const std::string& path);

// A table of vectors, one per frame, stored (frame, k), (k, frame) or (row, column, k) with k in `widths`: as
// (frame, k), or none where the shape says otherwise. Both readings possible: (frame, k).
std::optional<Array<double, 2>> read_table(const hdf5::Dataset& dataset, std::ptrdiff_t num_frames,
                                           std::initializer_list<std::ptrdiff_t> widths);

// Two coordinates per frame as two datasets: one value per frame in any shape, or the axes of a raster (slow
// y, fast x) that are multiplied out. (frame, 2) as (y, x). Data error naming both sizes otherwise.
Array<double, 2> read_axes(const hdf5::Dataset& y, const hdf5::Dataset& x, std::ptrdiff_t num_frames);

// Probe modes (mode, y, x) from 2, 3 or more axes, the first of which must be of length 1.
Array<cfloat, 3> read_probe(const hdf5::Dataset& dataset);

// Detector counts (y, x) from (y, x) or the mean of (n, y, x).
Array<float, 2> read_background(const hdf5::Dataset& dataset, std::array<int, 2> frame_shape);

// Factor to SI units (energy: eV) of a unit's usual spellings; none if unknown.
std::optional<double> metres_per(const std::string& unit);
std::optional<double> electronvolts_per(const std::string& unit);

}  // namespace tessera
