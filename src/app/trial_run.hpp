#pragma once

#include <string>
#include <vector>

#include "app/commands.hpp"
#include "config/run_config.hpp"
#include "tuning/trials.hpp"

namespace tessera::app {

// Runs a few iterations of every engine in a process of its own, where whatever goes wrong ends that trial
// alone, and listens to its log.
class TrialRun {
  public:
    TrialRun(const TuneOptions& options, const RunConfig& config, const TuneConfig& tune);

    TrialOutcome operator()(const std::vector<std::string>& settings) const;
    std::string machine() const;

  private:
    std::vector<std::string> command(const std::vector<std::string>& settings) const;
    TrialOutcome outcome_of(const std::string& log, int status, double wall_s) const;
    double run_s(const std::string& log, std::string& failure) const;

    const TuneOptions& options_;
    const RunConfig& config_;
    const TuneConfig& tune_;
};

}  // namespace tessera::app
