#pragma once

#include <cuda_runtime.h>

#include <limits>

#include "codelets/device/cuda_team.cuh"
#include "codelets/device/device.hpp"
#include "codelets/runtime/cuda_resources.hpp"

namespace tessera {

template <class Body>
__global__ void for_each_index(Body body, Extent extent) {
    const auto x = static_cast<std::int32_t>(blockIdx.x * blockDim.x + threadIdx.x);
    const auto y = static_cast<std::int32_t>(blockIdx.y * blockDim.y + threadIdx.y);
    if (x < extent.x && y < extent.y) body(x, y, static_cast<std::int32_t>(blockIdx.z));
}

template <class Body>
__global__ void run_once(Body body) {
    body();
}

// One block, one chunk of a row: see pixels_per_sum.
template <int N, class Combine, class Body>
__global__ void __launch_bounds__(threads_per_sum)
    reduce_chunks(Body body, std::int32_t num_pixels, float* partial) {
    __shared__ float of_thread[N][threads_per_sum];
    const auto t = static_cast<std::int32_t>(threadIdx.x);
    const auto chunk = static_cast<std::int32_t>(blockIdx.x), row = static_cast<std::int32_t>(blockIdx.y);
    const std::int32_t begin = chunk * pixels_per_sum;
    const std::int32_t end = num_pixels - begin < pixels_per_sum ? num_pixels : begin + pixels_per_sum;
    float sums[N] = {};
    for (std::int32_t i = begin + t; i < end; i += threads_per_sum) body(i, row, sums);
    for (int n = 0; n < N; ++n) of_thread[n][t] = sums[n];
    for (std::int32_t half = threads_per_sum / 2; half > 0; half /= 2) {
        __syncthreads();
        if (t >= half) continue;
        for (int n = 0; n < N; ++n) Combine::combine(of_thread[n][t], of_thread[n][t + half]);
    }
    if (t != 0) return;
    float* mine = partial + (static_cast<std::size_t>(row) * gridDim.x + static_cast<std::size_t>(chunk)) * N;
    for (int n = 0; n < N; ++n) mine[n] = of_thread[n][0];
}

// The chunks of a row in ascending order: (n, row).
template <int N, class Combine>
struct ChunksFinishSums {
    const float* partial;
    std::int32_t num_chunks;
    double* totals;
    __device__ void operator()(std::int32_t n, std::int32_t row, std::int32_t) const {
        const float* mine =
            partial + static_cast<std::size_t>(row) * static_cast<std::size_t>(num_chunks) * N + n;
        double total = 0;
        for (std::int32_t c = 0; c < num_chunks; ++c) {
            Combine::combine(total, static_cast<double>(mine[static_cast<std::size_t>(c) * N]));
        }
        totals[static_cast<std::size_t>(row) * N + static_cast<std::size_t>(n)] = total;
    }
};

// Device bodies as kernels on a CUDA stream (see device.hpp). One per worker.
class Device {
  public:
    explicit Device(CudaResources& resources) : resources_(resources) {}

    template <class Body>
    void for_each(Extent extent, const Body& body) {
        if (extent.x <= 0 || extent.y <= 0 || extent.z <= 0) return;
        const dim3 block = extent.y == 1 ? dim3(256, 1) : dim3(32, 8);
        const dim3 grid(blocks(extent.x, block.x), blocks(extent.y, block.y),
                        static_cast<unsigned>(extent.z));
        for_each_index<<<grid, block, 0, resources_.stream()>>>(body, extent);
        check_launch();
    }

    template <class Body>
    void once(const Body& body) {
        run_once<<<1, 1, 0, resources_.stream()>>>(body);
        check_launch();
    }

    template <int N, class Combine, class Body>
    void reduce_rows(std::int32_t num_rows, std::int32_t num_pixels, const Body& body, double* totals) {
        if (num_rows <= 0 || num_pixels <= 0) return;
        const dim3 grid(blocks(num_pixels, pixels_per_sum), static_cast<unsigned>(num_rows));
        auto* partial = scratch<float>(Scratch::partial_sums, std::size_t{grid.x} * grid.y * N);
        reduce_chunks<N, Combine>
            <<<grid, threads_per_sum, 0, resources_.stream()>>>(body, num_pixels, partial);
        check_launch();
        for_each({N, num_rows},
                 ChunksFinishSums<N, Combine>{partial, static_cast<std::int32_t>(grid.x), totals});
    }

    template <class Program>
    bool can_run_teams(const Program& program) const {
        return device_has_teams(program.on_chip_bytes(), Program::Layout::num_blocks);
    }
    template <class Program>
    void run_teams(std::int32_t num_teams, const Program& program) {
        if (num_teams <= 0) return;
        check(launch_teams(num_teams, program, resources_.stream()), "a launch of teams");
    }

    void forward(cfloat* fields, Shape2 shape, std::int32_t count) {
        resources_.transform(fields, shape, count, CudaResources::Way::forward);
    }
    void backward(cfloat* fields, Shape2 shape, std::int32_t count) {
        resources_.transform(fields, shape, count, CudaResources::Way::backward);
    }

    void clear(void* to, std::size_t bytes) {
        check(cudaMemsetAsync(to, 0, bytes, resources_.stream()), "cudaMemsetAsync");
    }
    void copy(void* to, const void* from, std::size_t bytes) {
        check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, resources_.stream()),
              "cudaMemcpyAsync");
    }

    template <class T>
    T* scratch(Scratch slot, std::size_t count) {
        return static_cast<T*>(resources_.scratch(slot, count * sizeof(T)));
    }

    std::size_t wave_budget_bytes() const { return resources_.wave_budget_bytes(); }

  private:
    static unsigned blocks(std::int32_t count, unsigned size) {
        return (static_cast<unsigned>(count) + size - 1) / size;
    }
    static void check_launch() { check(cudaGetLastError(), "a kernel launch"); }
    static void check(cudaError_t status, const char* what) {
        if (status != cudaSuccess) CudaResources::fail(what, cudaGetErrorString(status));
    }

    CudaResources& resources_;
};

}  // namespace tessera
