#pragma once

#include <filesystem>

#include "trace/schedule.hpp"

namespace tessera::app {

// The folder of a trace: index.html for people, trace.json for Perfetto, trace.paje for ViTE; the figures to
// the log. A folder that cannot be written is a warning: the result is there.
void write_trace_files(const std::filesystem::path& folder, const Schedule& schedule);

}  // namespace tessera::app
