#pragma once

#include <filesystem>

#include "config/machine_config.hpp"
#include "config/run_config.hpp"

namespace tessera::app {

// `tessera forecast --model`: records what every rank would submit, one rank after the other, and reports
// when it would run (cluster/list_schedule.hpp). `folder`: of the run file.
void forecast_by_model(const RunConfig& config, const MachineConfig& machine,
                       const std::filesystem::path& folder, int num_iter);

}  // namespace tessera::app
