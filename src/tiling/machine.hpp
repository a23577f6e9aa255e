#pragma once

#include <cstddef>
#include <cstdint>

namespace tessera {

// What the arithmetic runs on: sizes of tiles and batches depend on it.
enum class DeviceKind { cpu, gpu };

// The workers and the memory of one process.
struct Machine {
    int num_cpus = 1;                  // CPU workers
    int num_gpus = 0;                  // one worker each
    std::size_t gpu_memory_bytes = 0;  // that each GPU may use; 0: not known
    std::size_t host_memory_bytes = SIZE_MAX;

    int num_workers() const { return num_cpus + num_gpus; }
    DeviceKind kind() const { return num_gpus > 0 ? DeviceKind::gpu : DeviceKind::cpu; }
};

}  // namespace tessera
