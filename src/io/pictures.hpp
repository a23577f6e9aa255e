#pragma once

#include <filesystem>

#include "io/result_file.hpp"

namespace tessera {

// PNG pictures for people, in a folder beside the result: object_phase.png, object_amplitude.png, probe.png
// (modes side by side, phase as hue and amplitude as brightness), error.png (data error against iteration,
// logarithmic). The phase of the object is shown after removing its mean and linear ramp inside the scanned
// area. Of an object of several slices those two show the projection (phases added, amplitudes multiplied),
// and slices_phase.png and slices_amplitude.png all slices in rows, one scale of values for all. Of an object
// with modes they show the first, and modes_phase.png and modes_amplitude.png all.
// They are made from the file, a few rows at a time: the memory they take is bounded by their own size, which
// is 4096 pixels at most in each direction (larger objects are averaged over blocks).
void write_pictures(const std::filesystem::path& folder, const std::filesystem::path& result_file);

}  // namespace tessera
