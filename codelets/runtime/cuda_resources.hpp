#pragma once

#include <cstddef>
#include <map>
#include <tuple>
#include <vector>

#include "codelets/layout.hpp"

struct CUstream_st;  // cudaStream_t, without CUDA's headers

namespace tessera {

enum class Scratch;

// What a CUDA worker keeps between its tasks: StarPU's stream, cuFFT plans (made once per shape and count,
// all in one work area), scratch memory. Errors are runtime Errors.
class CudaResources {
  public:
    enum class Way { forward, backward };

    CudaResources();
    ~CudaResources();
    CudaResources(const CudaResources&) = delete;
    CudaResources& operator=(const CudaResources&) = delete;

    // Of the calling worker; made with its first task.
    static CudaResources& of_this_worker();
    // Frees those of the calling worker: its device may be shut down afterwards.
    static void release_of_this_worker();
    [[noreturn]] static void fail(const char* what, const char* why);

    CUstream_st* stream() const { return stream_; }
    // `count` consecutive fields in place, asynchronous.
    void transform(cfloat* fields, Shape2 shape, int count, Way way);
    // Grows on demand, from what StarPU accounts for on this device: cached data makes room for it.
    void* scratch(Scratch slot, std::size_t bytes);
    // A third of the second-level cache: waves, shifted probe and products live at the same time.
    std::size_t wave_budget_bytes() const { return wave_budget_bytes_; }

  private:
    struct Memory {
        void* data = nullptr;
        std::size_t bytes = 0;
    };
    void grow(Memory& memory, std::size_t bytes);
    void free(Memory& memory);
    int plan_of(Shape2 shape, int count);

    CUstream_st* stream_;
    unsigned node_;  // StarPU's number of this device's memory
    std::size_t wave_budget_bytes_;
    std::vector<Memory> scratch_;  // by slot
    Memory work_area_;
    std::map<std::tuple<int, int, int>, int> plans_;
};

}  // namespace tessera
