#pragma once

#include <cooperative_groups.h>
#include <cuda_runtime.h>

#include "codelets/device/on_chip_layout.hpp"

namespace tessera {

// One thread's place in its team (see on_chip_transform.hpp).
template <class Layout>
class CudaPlace {
  public:
    __device__ explicit CudaPlace(cfloat* on_chip)
        : field_(on_chip),
          roots_(on_chip + Layout::rows * Layout::pitch),
          plane_(reinterpret_cast<float*>(roots_ + Layout::num_roots)) {
#if __CUDA_ARCH__ >= 900
        if constexpr (Layout::num_blocks > 1) {
            // The remainder tells the compiler that it is a small number.
            const unsigned rank = cooperative_groups::this_cluster().block_rank() % Layout::num_blocks;
            block_ = static_cast<std::int32_t>(rank);
        }
#endif
    }

    __device__ __forceinline__ std::int32_t thread() const {
        return static_cast<std::int32_t>(threadIdx.x);
    }
    __device__ __forceinline__ std::int32_t block() const {
        return block_;
    }
    __device__ __forceinline__ cfloat& own(std::int32_t y, std::int32_t x) const {
        return field_[(y - block_ * Layout::rows) * Layout::pitch + x];
    }
    __device__ __forceinline__ cfloat& any(std::int32_t y, std::int32_t k, std::int32_t x) const {
#if __CUDA_ARCH__ >= 900
        if constexpr (Layout::num_blocks > 1) {
            // Once loops over k are unrolled, each other block's memory is looked up once.
            const std::int32_t row = k * Layout::inner, block = row / Layout::rows;
            cfloat* there = cooperative_groups::this_cluster().map_shared_rank(field_ + y * Layout::pitch + x,
                                                                               static_cast<unsigned>(block));
            return there[row % Layout::rows * Layout::pitch];
        }
#endif
        return own(y + k * Layout::inner, x);
    }
    __device__ __forceinline__ cfloat& root(std::int32_t i) const {
        return roots_[i];
    }
    __device__ __forceinline__ float& plane(std::int32_t y, std::int32_t x) const {
        return plane_[(y - block_ * Layout::rows) * Layout::size + x];
    }

  private:
    cfloat* field_;
    cfloat* roots_;
    float* plane_;
    std::int32_t block_ = 0;
};

template <class Layout>
class CudaTeam {
  public:
    __device__ explicit CudaTeam(cfloat* on_chip) : place_(on_chip) {}

    __device__ __forceinline__ std::int32_t index() const {
        return static_cast<std::int32_t>(blockIdx.x) / Layout::num_blocks;
    }
    template <class Pass>
    __device__ __forceinline__ void each(const Pass& pass) {
        pass(place_);
#if __CUDA_ARCH__ >= 900
        if constexpr (Layout::num_blocks > 1) {
            cooperative_groups::this_cluster().sync();
            return;
        }
#endif
        __syncthreads();
    }
    template <class Pass>
    __device__ __forceinline__ void each_in_block(const Pass& pass) {
        pass(place_);
        __syncthreads();
    }

  private:
    CudaPlace<Layout> place_;
};

template <class Program>
__global__ void __launch_bounds__(Program::Layout::threads, Program::Layout::blocks_per_multiprocessor)
    run_team(const __grid_constant__ Program program) {
    extern __shared__ float4 on_chip[];
    CudaTeam<typename Program::Layout> team(reinterpret_cast<cfloat*>(on_chip));
    program(team);
}

// Whether the current device has the fast memory, and clusters if a team is more than one block.
inline bool device_has_teams(std::size_t bytes, std::int32_t num_blocks) {
    int device = 0, most = 0, major = 0;
    return cudaGetDevice(&device) == cudaSuccess &&
           cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device) == cudaSuccess &&
           cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) == cudaSuccess &&
           bytes <= static_cast<std::size_t>(most) && (num_blocks == 1 || major >= 9);
}

template <class Program>
cudaError_t launch_teams(std::int32_t num_teams, const Program& program, cudaStream_t stream) {
    using Layout = typename Program::Layout;
    const std::size_t bytes = program.on_chip_bytes();
    const cudaError_t allowed = cudaFuncSetAttribute(
        run_team<Program>, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes));
    if (allowed != cudaSuccess) return allowed;
    cudaLaunchAttribute cluster = {};
    cluster.id = cudaLaunchAttributeClusterDimension;
    cluster.val.clusterDim = {Layout::num_blocks, 1, 1};
    cudaLaunchConfig_t launch = {};
    launch.gridDim = dim3(static_cast<unsigned>(num_teams * Layout::num_blocks));
    launch.blockDim = dim3(Layout::threads);
    launch.dynamicSmemBytes = bytes;
    launch.stream = stream;
    launch.attrs = &cluster;
    launch.numAttrs = Layout::num_blocks > 1 ? 1 : 0;
    return cudaLaunchKernelEx(&launch, run_team<Program>, program);
}

}  // namespace tessera
