#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/array.hpp"
#include "io/hdf5.hpp"
#include "io/hdf5_writer.hpp"
#include "math/complex.hpp"

namespace tessera {

// What object and probe can trade, and the result's are without: the object's first slice was divided by
// mean e^{ik.r}, the probe multiplied.
struct RemovedRamp {
    std::array<double, 2> rad_per_px = {0, 0};  // k (y, x)
    std::array<double, 2> mean = {1, 0};        // (re, im); amplitude and phase
};

// What a reconstruction ends with. Written as HDF5, CXI-compatible with NeXus attributes:
//   /entry_1/image_1/data   complex64 (slice, y, x)  object; attributes pixel_size_m, origin_m and, of
//                                                    several slices, slice_spacings_m; z, y and x of its
//                                                    pixels beside it. Of an object with modes (mode, y, x),
//                                                    and num_modes
//   /entry_1/image_2/data   complex64 (mode, y, x)   probe
//   /entry_1/image_3/data   complex64 (i, y, x)      eigen-probes of power 1, where the probe varies
//   /entry_1/process_1/     the rest
struct Result {
    Array<cfloat, 3> object;                      // (slice, y, x), or (mode, y, x)
    int num_object_modes = 1;                     // above 1: the planes of the object are its modes
    std::vector<double> object_mode_powers;       // of their waves: mean counts of a frame, falling
    Array<cfloat, 3> probe;                       // (mode, y, x), by falling power, in sqrt(counts)
    std::vector<double> mode_powers;              // of the probe, in counts
    std::array<double, 2> pixel_size_m = {0, 0};  // (y, x)
    std::array<double, 2> origin_m = {0, 0};      // of object pixel (0, 0) in scan coordinates (y, x)
    std::vector<double> slice_spacings_m;         // num_slices - 1; empty also where they are not known
    Array<double, 2> positions_px;        // (frame, 2): top-left corner of each probe window in the object
    Array<double, 2> position_shifts_px;  // (frame, 2): how far refinement moved each; empty: it did not
    std::array<double, 4> position_model = {};  // of the shifts: scale, asymmetry, rotation and shear (rad)
    std::optional<RemovedRamp> removed_ramp;    // null: nothing was taken off
    // Of a probe that varies, all empty where it does not: frame j sees probe_amplitude[j] times the modes,
    // the first of them with the sum of opr_weights(j, i) opr_modes[i].
    std::vector<double> probe_amplitude;
    std::vector<double> intensity_scale;                 // power of what each frame sees, 1 on average
    Array<cfloat, 3> opr_modes;                          // (i, y, x): orthonormal, by falling power
    Array<cfloat, 2> opr_weights;                        // (frame, i), in sqrt(counts)
    std::vector<double> opr_mode_powers;                 // mean |weight|^2, in counts
    Array<float, 2> background;                          // (y, x) of the frames; empty: not refined
    std::vector<std::int64_t> frames;                    // index in the scan file
    std::vector<double> cost, data_error, step, time_s;  // per iteration
    double final_cost = 0;                               // of the object and probe above
    double final_data_error = 0;
    std::vector<double> data_error_per_frame;
    std::map<std::string, double> timings_s;   // per phase
    std::string run;                           // the resolved run file
    std::map<std::string, std::string> about;  // version, commit, host, devices, starpu, fftw, tiling, ...
};

// Writes a result whose object comes in pieces, so that nothing of its size is ever held. Beside `file`, and
// renamed: an earlier result stays whole until the new one is. Throws data/runtime errors.
class ResultWriter {
  public:
    // All of `result` but its object.
    ResultWriter(const std::filesystem::path& file, const Result& result, const Extents<3>& object_shape);
    // All slices of a rectangle whose first pixel is (y, x). The pieces cover the object.
    void write_object(std::ptrdiff_t y, std::ptrdiff_t x, const View<const cfloat, 3>& pixels);
    void finish();

  private:
    hdf5::Writer file_;
};
void write_result(const std::filesystem::path& file, const Result& result);

// Reads of a result what is asked for.
class ResultReader {
  public:
    explicit ResultReader(const std::filesystem::path& file);
    ~ResultReader();
    ResultReader(const ResultReader&) = delete;
    ResultReader& operator=(const ResultReader&) = delete;

    Result without_object() const;
    const Extents<3>& object_shape() const { return object_shape_; }
    // The rectangle of one slice whose first pixel is (y, x).
    void read_object(std::ptrdiff_t slice, std::ptrdiff_t y, std::ptrdiff_t x,
                     const View<cfloat, 2>& pixels) const;

  private:
    std::optional<hdf5::File> file_;
    hdf5::Dataset object_;
    Extents<3> object_shape_{};
};
Result read_result(const std::filesystem::path& file);

}  // namespace tessera
