#pragma once

#include <optional>
#include <string>
#include <utility>

#include "io/hdf5.hpp"

// How HDF5 describes element types, and how they become ours. For src/io/hdf5*.cpp.
namespace tessera::hdf5 {

Type type_of(Id stored_type);

// The names of a compound's real and imaginary member, if it is a complex number: {r, i}, {real, imag}, {re,
// im}.
std::optional<std::pair<std::string, std::string>> complex_members(Id stored_type);

// cfloat in memory, with the member names of the file: HDF5 matches them by name.
Handle complex_type(const std::string& real_name, const std::string& imaginary_name);

std::string name_of_filter(int filter);  // "bitshuffle"; "unknown"

// Copies a text that HDF5 allocated, and frees it.
std::string take(char* hdf5_text);

}  // namespace tessera::hdf5
