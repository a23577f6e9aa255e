#include "app/about.hpp"

#include <unistd.h>

#include <fstream>

#include "base/version.hpp"
#include "codelets/runtime/gpus.hpp"
#include "math/fft.hpp"

namespace tessera::app {
namespace {

std::string host_name() {
    char name[256] = "";
    return gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

std::string processor() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        if (line.rfind("model name", 0) != 0) continue;
        const auto begin = line.find_first_not_of(" \t", line.find(':') + 1);
        if (begin != std::string::npos) return line.substr(begin);
    }
    return "unknown";
}

std::string devices(const Machine& machine) {
    const std::string cores = fmt::format("{}, {} cores in use", processor(), machine.num_cpus);
    return machine.num_gpus == 0 ? cores : fmt::format("{}; {}", gpu_names(), cores);
}

}  // namespace

std::string describe_host() {
    const std::string gpus = num_usable_gpus() > 0 ? ", " + gpu_names() : "";
    return fmt::format("{}: {}, {} cores{}", host_name(), processor(), num_usable_cores(), gpus);
}

std::map<std::string, std::string> about_run(const Problem& problem, const Runtime& runtime) {
    const Tiling& tiling = problem.tiling;
    return {
        {"program", "Tessera"},
        {"version", version()},
        {"commit", commit()},
        {"host", host_name()},
        {"devices", devices(runtime.machine())},
        {"runtime", runtime.description()},
        {"transforms", fft_identity()},
        {"tiles", fmt::format("{} x {}", tiling.grid[0], tiling.grid[1])},
        {"batch_size", fmt::format("{}", tiling.batch_size)},
        {"waves", problem.keep_waves ? "keep" : "recompute"},
        {"scan_file", problem.scan.file},
        {"scan_format", problem.scan.format},
    };
}

}  // namespace tessera::app
