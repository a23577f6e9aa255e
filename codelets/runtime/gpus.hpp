#pragma once

#include <cstddef>
#include <string>

#include "config/run_config.hpp"
#include "tiling/machine.hpp"

namespace tessera {

// The GPUs of this machine, asked before StarPU starts. A build without CUDA has none.

int num_usable_gpus();
std::string why_no_more_gpus();  // for people: "no driver", "this build is without CUDA"
// Why a run with this configuration goes without, though GPUs would be welcome; empty: it has one, none was
// wanted, or this build is without CUDA.
std::string why_no_gpu(const RuntimeConfig& config);
std::string gpu_names();  // "NVIDIA H200, NVIDIA H200"; empty without any

// Of the smallest: runtime.memory_limit.gpu, or what is free now less a margin. Running out of a GPU's memory
// ends StarPU, so it is told the limit.
std::size_t usable_gpu_memory(const RuntimeConfig& config, int num_gpus);
void limit_gpu_memory(const Machine& machine);

// What workers keep on their GPUs: before StarPU shuts down.
void release_gpus();

}  // namespace tessera
