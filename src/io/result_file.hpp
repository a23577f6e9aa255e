#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/array.hpp"
#include "math/complex.hpp"

namespace tessera {

// What a reconstruction ends with. Written as HDF5, CXI-compatible with NeXus attributes:
//   /entry_1/image_1/data   complex64 (slice, y, x)  object; attributes pixel_size_m, origin_m and, of
//   several
//                                                    slices, slice_spacings_m; z, y and x of its pixels
//                                                    beside it
//   /entry_1/image_2/data   complex64 (mode, y, x)   probe
//   /entry_1/process_1/     the rest
struct Result {
    Array<cfloat, 3> object;                      // (slice, y, x)
    Array<cfloat, 3> probe;                       // (mode, y, x), by falling power, in sqrt(counts)
    std::array<double, 2> pixel_size_m = {0, 0};  // (y, x)
    std::array<double, 2> origin_m = {0, 0};      // of object pixel (0, 0) in scan coordinates (y, x)
    std::vector<double> slice_spacings_m;         // num_slices - 1; empty also where they are not known
    Array<double, 2> positions_px;     // (frame, 2): top-left corner of each probe window in the object
    std::vector<std::int64_t> frames;  // index in the scan file
    std::vector<double> cost, data_error, step, time_s;  // per iteration
    double final_cost = 0;                               // of the object and probe above
    double final_data_error = 0;
    std::vector<double> data_error_per_frame;
    std::map<std::string, double> timings_s;   // per phase
    std::string run;                           // the resolved run file
    std::map<std::string, std::string> about;  // version, commit, host, devices, starpu, fftw, tiling, ...
};

// Writes beside `file` and renames, so an earlier result stays whole until the new one is. Throws
// data/runtime errors.
void write_result(const std::filesystem::path& file, const Result& result);
Result read_result(const std::filesystem::path& file);

}  // namespace tessera
