#pragma once

#include <filesystem>

#include "trace/schedule_analysis.hpp"

namespace tessera {

// Trace Event JSON, as https://ui.perfetto.dev and chrome://tracing open it: a process per rank, a thread per
// worker with its tasks and what it waited for between them, messages beside them. Runtime error where the
// file cannot be written.
void write_perfetto_file(const std::filesystem::path& file, const Schedule& schedule,
                         const Dependencies& dependencies, const ScheduleAnalysis& analysis);

}  // namespace tessera
