#pragma once

#include <cstddef>
#include <cstdint>

namespace tessera {

// What the arithmetic runs on: sizes of tiles and batches depend on it.
enum class DeviceKind { cpu, gpu };

// CPU workers that read frames where GPUs do the arithmetic and not all patterns stay in memory.
inline constexpr int num_reading_workers = 2;

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
