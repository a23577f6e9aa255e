#include "codelets/runtime/gpus.hpp"

#if defined(TESSERA_WITH_CUDA)
#include <cuda_runtime.h>
#include <starpu.h>

#include <algorithm>
#include <cstdlib>

#include "base/error.hpp"
#include "codelets/runtime/cuda_resources.hpp"

namespace tessera {
namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;

struct Found {
    int count = 0;
    std::string why;
};

Found find_gpus() {
    int count = 0;
    const cudaError_t status = cudaGetDeviceCount(&count);
    if (status != cudaSuccess) return {0, cudaGetErrorString(status)};
    return {count, count == 0 ? "no CUDA device is visible" : "that is all of them"};
}

const Found& found_gpus() {
    static const Found found = find_gpus();
    return found;
}

}  // namespace

int num_usable_gpus() {
    return found_gpus().count;
}

std::string why_no_more_gpus() {
    return found_gpus().why;
}

std::string why_no_gpu(const RuntimeConfig& config) {
    return config.gpus || num_usable_gpus() > 0 ? "" : why_no_more_gpus();
}

std::string gpu_names() {
    std::string names;
    for (int gpu = 0; gpu < num_usable_gpus(); ++gpu) {
        cudaDeviceProp properties{};
        if (cudaGetDeviceProperties(&properties, gpu) != cudaSuccess) continue;
        names += fmt::format("{}{}", names.empty() ? "" : ", ", properties.name);
    }
    return names;
}

std::size_t usable_gpu_memory(const RuntimeConfig& config, int num_gpus) {
    std::size_t smallest = SIZE_MAX;
    for (int gpu = 0; gpu < num_gpus; ++gpu) {
        std::size_t free = 0, total = 0;
        if (cudaSetDevice(gpu) != cudaSuccess || cudaMemGetInfo(&free, &total) != cudaSuccess) {
            throw runtime_failure("GPU {}: its memory cannot be asked for ({})", gpu,
                                  cudaGetErrorString(cudaGetLastError()));
        }
        smallest = std::min(smallest, free);
    }
    cudaSetDevice(0);
    const std::size_t usable = smallest / 10 * 9;
    return std::min<std::size_t>(usable, config.memory_limit_gpu_bytes.value_or(usable));
}

void limit_gpu_memory(const Machine& machine) {
    if (machine.num_gpus == 0) return;
    const std::size_t limit = std::max(machine.gpu_memory_bytes / mebibyte, std::size_t{1});
    setenv("STARPU_LIMIT_CUDA_MEM", std::to_string(limit).c_str(), 1);
}

void release_gpus() {
    starpu_execute_on_each_worker([](void*) { CudaResources::release_of_this_worker(); }, nullptr,
                                  STARPU_CUDA);
}

}  // namespace tessera

#elif defined(TESSERA_WITH_SIMGRID)
#include <cstdlib>

#include "codelets/runtime/simulation.hpp"

namespace tessera {

int num_usable_gpus() {
    return simulated_node()->num_gpus;
}

std::string why_no_more_gpus() {
    return "the machine file says so";
}

std::string why_no_gpu(const RuntimeConfig&) {
    return {};
}

std::string gpu_names() {
    return "simulated";
}

std::size_t usable_gpu_memory(const RuntimeConfig& config, int) {
    return usable_gpu_memory(config, *simulated_node());
}

void limit_gpu_memory(const Machine& machine) {
    if (machine.num_gpus == 0) return;
    setenv("STARPU_LIMIT_CUDA_MEM", std::to_string(machine.gpu_memory_bytes >> 20).c_str(), 1);
}

void release_gpus() {}

}  // namespace tessera

#else

namespace tessera {

int num_usable_gpus() {
    return 0;
}

std::string why_no_more_gpus() {
    return "this program is built without CUDA";
}

std::string why_no_gpu(const RuntimeConfig&) {
    return {};
}

std::string gpu_names() {
    return {};
}

std::size_t usable_gpu_memory(const RuntimeConfig&, int) {
    return 0;
}

void limit_gpu_memory(const Machine&) {}

void release_gpus() {}

}  // namespace tessera

#endif
