#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/machine_config.hpp"
#include "tasks/problem.hpp"
#include "trace/schedule_analysis.hpp"

namespace tessera::app {

// Links inside a node: between host and GPUs, and among GPUs.
enum class LinkKind : std::int8_t { to_gpu, from_gpu, between_gpus };
struct LinkTraffic {
    LinkKind kind = LinkKind::to_gpu;
    double bytes = 0;  // in the whole simulation
};

// What a forecast is told with.
struct ForecastRun {
    const MachineConfig& machine;
    const Problem& problem;              // of the first rank
    std::string workers;                 // what each rank's StarPU says of itself
    std::vector<std::string> durations;  // where they come from, a line each
    int num_iter = 2;
    std::vector<LinkTraffic> links;  // of the first node; a model has none
    bool is_modelled = false;        // by a list of tasks, without the simulator
};

// Tells what came out, one event for programs and lines for people. What is before the end of the first
// iteration, in which data comes to where it is used and preconditioners are made, does not count.
void report(const ForecastRun& run, const Schedule& schedule);

}  // namespace tessera::app
