#pragma once

#include <optional>
#include <string>

#include "codelets/runtime/disk_node.hpp"
#include "codelets/runtime/ranks.hpp"
#include "config/run_config.hpp"
#include "tiling/machine.hpp"

namespace tessera {

// What a run needs of StarPU when it does not fit into memory.
struct OutOfCoreNeeds {
    bool reads_frames = false;           // tasks do: GPUs need CPU workers beside them
    std::optional<DiskNodeConfig> disk;  // for data without a home
};

// StarPU from start to shutdown: one at a time in a process. Errors are exit code 4.
class Runtime {
  public:
    // With several ranks each has its own StarPU, and a thread that communicates.
    Runtime(const RuntimeConfig& config, const Ranks& ranks, const OutOfCoreNeeds& needs = {});
    ~Runtime();
    Runtime(const Runtime&) = delete;
    Runtime& operator=(const Runtime&) = delete;

    const Machine& machine() const { return machine_; }
    int num_workers() const { return machine_.num_workers(); }
    const std::string& scheduler() const { return scheduler_; }
    std::string description() const;  // "StarPU 1.3.10, 2 CPU workers, scheduler lws"

  private:
    std::optional<DiskNode> disk_;  // goes after StarPU
    bool communicates_ = false;
    Machine machine_;
    std::string scheduler_;
};

// While it lives workers sleep instead of looking for tasks: others on this machine have the cores. There
// must be nothing that waits for a task.
class RestingWorkers {
  public:
    RestingWorkers();
    ~RestingWorkers();
    RestingWorkers(const RestingWorkers&) = delete;
    RestingWorkers& operator=(const RestingWorkers&) = delete;
};

int num_usable_cores();  // that this process may run on
// What a run with this configuration would run on: the ranks of a node share its memory, and its cores where
// nobody gave each its own. GPUs that are asked for and not there are a runtime Error.
Machine machine_for(const RuntimeConfig& config, const Ranks& ranks);

}  // namespace tessera
