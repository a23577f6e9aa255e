#include "codelets/runtime/cuda_resources.hpp"

#include <cuda_runtime.h>
#include <cufft.h>
#include <starpu.h>

#include <algorithm>
#include <memory>

#include "base/error.hpp"
#include "codelets/device/device.hpp"

namespace tessera {
namespace {

void check(cudaError_t status, const char* what) {
    if (status != cudaSuccess) CudaResources::fail(what, cudaGetErrorString(status));
}

void check(cufftResult status, const char* what) {
    if (status != CUFFT_SUCCESS) CudaResources::fail(what, fmt::format("cuFFT's error {}", status).c_str());
}

std::unique_ptr<CudaResources>& resources_of_this_worker() {
    thread_local std::unique_ptr<CudaResources> resources;
    return resources;
}

std::size_t second_level_cache_bytes() {
    int device = 0, bytes = 0;
    check(cudaGetDevice(&device), "cudaGetDevice");
    check(cudaDeviceGetAttribute(&bytes, cudaDevAttrL2CacheSize, device), "cudaDeviceGetAttribute");
    return static_cast<std::size_t>(std::max(bytes, 0));
}

}  // namespace

CudaResources& CudaResources::of_this_worker() {
    auto& resources = resources_of_this_worker();
    if (!resources) resources = std::make_unique<CudaResources>();
    return *resources;
}

void CudaResources::release_of_this_worker() {
    resources_of_this_worker().reset();
}

void CudaResources::fail(const char* what, const char* why) {
    throw runtime_failure("CUDA: {} failed: {}", what, why);
}

CudaResources::CudaResources()
    : stream_(starpu_cuda_get_local_stream()),
      node_(starpu_worker_get_local_memory_node()),
      scratch_(static_cast<std::size_t>(Scratch::count)) {
    constexpr std::size_t least = std::size_t{4} << 20;
    wave_budget_bytes_ = std::max(second_level_cache_bytes() / 3, least);
}

CudaResources::~CudaResources() {
    for (const auto& plan : plans_) cufftDestroy(plan.second);
    for (Memory& memory : scratch_) free(memory);
    free(work_area_);
}

void CudaResources::free(Memory& memory) {
    if (memory.data == nullptr) return;
    starpu_free_on_node(node_, reinterpret_cast<std::uintptr_t>(memory.data), memory.bytes);
    memory = {};
}

void CudaResources::grow(Memory& memory, std::size_t bytes) {
    // Earlier tasks on the stream may still use what is given back.
    if (memory.data != nullptr) check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
    free(memory);
    const std::uintptr_t address = starpu_malloc_on_node(node_, bytes);
    if (address == 0) {
        throw runtime_failure(
            "{:.0f} MiB more of GPU memory are not to be had: a larger runtime.memory_limit.gpu or a smaller "
            "tiling.batch_size may help",
            static_cast<double>(bytes) / (1 << 20));
    }
    memory = {reinterpret_cast<void*>(address), bytes};
}

void* CudaResources::scratch(Scratch slot, std::size_t bytes) {
    Memory& memory = scratch_[static_cast<std::size_t>(slot)];
    if (memory.bytes < bytes) grow(memory, bytes);
    return memory.data;
}

int CudaResources::plan_of(Shape2 shape, int count) {
    const auto [found, is_new] = plans_.try_emplace({shape.y, shape.x, count}, 0);
    if (!is_new) return found->second;
    cufftHandle plan = 0;
    check(cufftCreate(&plan), "cufftCreate");
    found->second = plan;
    check(cufftSetAutoAllocation(plan, 0), "cufftSetAutoAllocation");
    int sides[] = {shape.y, shape.x};
    const int size = shape.y * shape.x;
    std::size_t bytes = 0;
    check(cufftMakePlanMany(plan, 2, sides, nullptr, 1, size, nullptr, 1, size, CUFFT_C2C, count, &bytes),
          "cufftMakePlanMany");
    check(cufftSetStream(plan, stream_), "cufftSetStream");
    if (bytes > work_area_.bytes) {
        grow(work_area_, bytes);
        for (const auto& other : plans_)
            check(cufftSetWorkArea(other.second, work_area_.data), "cufftSetWorkArea");
    } else {
        check(cufftSetWorkArea(plan, work_area_.data), "cufftSetWorkArea");
    }
    return plan;
}

void CudaResources::transform(cfloat* fields, Shape2 shape, int count, Way way) {
    if (count == 0 || shape.area() == 1) return;
    auto* data = reinterpret_cast<cufftComplex*>(fields);
    check(
        cufftExecC2C(plan_of(shape, count), data, data, way == Way::forward ? CUFFT_FORWARD : CUFFT_INVERSE),
        "cufftExecC2C");
}

}  // namespace tessera
