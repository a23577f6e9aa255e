#pragma once

#include <filesystem>

#include "trace/schedule_analysis.hpp"

namespace tessera {

// A Paje trace, as ViTE opens it: a container per rank and one in it per worker, whose state is the task that
// runs. Runtime error where the file cannot be written.
void write_paje_file(const std::filesystem::path& file, const Schedule& schedule,
                     const ScheduleAnalysis& analysis);

}  // namespace tessera
