#pragma once

#include <filesystem>
#include <string>

namespace tessera {

// What is in a scan or result file, for people: format, conventions found, shapes, types, units, masks,
// doubtful values (bright pixels, centre of the patterns, energies out of range, duplicate positions, frames
// without counts). Of a folder of checkpoints, or a manifest in it: io/inspect_checkpoints.hpp.
std::string inspect_file(const std::filesystem::path& file);

}  // namespace tessera
