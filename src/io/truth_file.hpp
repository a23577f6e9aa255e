#pragma once

#include <filesystem>

#include "base/array.hpp"
#include "math/complex.hpp"

namespace tessera {

// What `simulate` leaves beside the scan for comparisons: /entry_1/truth_1 of its file.
struct Truth {
    Array<cfloat, 3> object;        // (slice, y, x) or (mode, y, x)
    Array<cfloat, 3> probe;         // (mode, y, x)
    Array<double, 2> positions_px;  // (frame, 2): top-left corner of each window in `object`
    int num_object_modes = 1;       // above 1: the planes of the object are its modes
};

bool has_truth(const std::filesystem::path& file);
Truth read_truth(const std::filesystem::path& file);  // throws data Errors

}  // namespace tessera
