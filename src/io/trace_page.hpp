#pragma once

#include <filesystem>
#include <string>

#include "trace/schedule_analysis.hpp"

namespace tessera {

// One HTML page that needs nothing else: the workers' timelines to zoom into, where their time went, the
// bounds, the tasks. At most `max_events` of the last events are drawn (the figures are of all). Runtime
// error where the file cannot be written.
void write_trace_page(const std::filesystem::path& file, const std::string& title, const Schedule& schedule,
                      const Dependencies& dependencies, const ScheduleAnalysis& analysis,
                      std::size_t max_events = 200'000);

}  // namespace tessera
