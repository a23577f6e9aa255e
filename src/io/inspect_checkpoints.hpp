#pragma once

#include <filesystem>
#include <string>

namespace tessera {

// Of a folder of checkpoints, or of one manifest: how far each had come, what files it has, whether they are
// as they were written (all are read), and which one a run would go on from. Throws a data Error where the
// folder has none.
std::string inspect_checkpoints(const std::filesystem::path& path);

}  // namespace tessera
