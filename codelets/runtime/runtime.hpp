#pragma once

#include <string>

#include "config/run_config.hpp"

namespace tessera {

// StarPU from start to shutdown: one at a time in a process. Errors are exit code 4.
class Runtime {
  public:
    explicit Runtime(const RuntimeConfig& config);
    ~Runtime();
    Runtime(const Runtime&) = delete;
    Runtime& operator=(const Runtime&) = delete;

    int num_workers() const { return num_workers_; }
    const std::string& scheduler() const { return scheduler_; }
    std::string description() const;  // "StarPU 1.3.10, 2 CPU workers, scheduler lws"

  private:
    int num_workers_ = 0;
    std::string scheduler_;
};

int num_usable_cores();  // that this process may run on

}  // namespace tessera
