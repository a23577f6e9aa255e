#include "app/simulated_machine.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "io/result_file.hpp"

namespace tessera::app {
namespace {

NominalSpeed speed_of(const WorkerSpeedConfig& config) {
    return {config.gflops * 1e3, config.gb_per_s * 1e3, config.task_us};
}

// Says where durations come from.
std::string calibrate(const WorkerSpeedConfig& config, WorkerKind kind) {
    const std::string rates =
        fmt::format("flops and bytes of each task, {:g} GFLOP/s, {:g} GB/s and {:g} us a task", config.gflops,
                    config.gb_per_s, config.task_us);
    if (!config.calibration) return rates;
    const std::map<std::string, double> timings =
        ResultReader(*config.calibration).without_object().timings_s;
    std::vector<std::string> calibrated, left_out;
    for (CodeletStatistics* codelet : codelet_statistics()) {
        const auto measured = timings.find(fmt::format("codelet_{}", codelet->name));
        const auto nominal = timings.find(fmt::format("nominal_{}", codelet->name));
        if (measured == timings.end() || nominal == timings.end()) continue;
        if (!(measured->second >= 0) || !(nominal->second > 0)) continue;
        constexpr double left_out_s = 1e-9;  // what a run always left out takes next to no time
        codelet->calibration[static_cast<std::size_t>(kind)] =
            std::max(measured->second, left_out_s) / nominal->second;
        (measured->second > 0 ? calibrated : left_out).emplace_back(codelet->name);
    }
    if (calibrated.empty()) {
        throw data_error("{}: no times of codelets to calibrate with (a result of this version is needed)",
                         config.calibration->string());
    }
    return fmt::format(
        "measured in {} ({}){}; of others {}", config.calibration->string(), fmt::join(calibrated, ", "),
        left_out.empty() ? "" : fmt::format(", always left out there: {}", fmt::join(left_out, ", ")), rates);
}

}  // namespace

SimulatedNode node_of(const NodeConfig& config) {
    SimulatedNode node;
    node.num_cores = config.cores;
    node.host_memory_bytes = config.memory_bytes;
    node.core = speed_of(config.core);
    const GpusConfig gpus = config.gpus.value_or(GpusConfig{});
    node.gpu = speed_of(gpus.speed);
    if (!config.gpus) return node;
    node.num_gpus = gpus.count;
    node.gpu_memory_bytes = gpus.memory_bytes;
    return node;
}

std::vector<std::string> durations_of(const NodeConfig& node, const Machine& machine) {
    std::vector<std::string> lines;
    if (machine.num_cpus > 0) lines.push_back("on cores: " + calibrate(node.core, WorkerKind::core));
    if (machine.num_gpus > 0) lines.push_back("on GPUs: " + calibrate(node.gpus->speed, WorkerKind::gpu));
    return lines;
}

}  // namespace tessera::app
