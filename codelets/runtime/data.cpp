#include "codelets/runtime/data.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <exception>

#include "base/error.hpp"
#include "codelets/runtime/graph_recorder.hpp"
#include "codelets/runtime/simulation.hpp"

namespace tessera {
namespace {

constexpr std::size_t element_bytes = 64;
bool is_shared_between_ranks = false;

// In a simulation, and where a graph is only recorded, all data of a rank has the same addresses. What the
// host writes there (positions, masks) and what messages carry takes as much memory as the largest of it;
// nothing else touches any.
void* memory_without_content() {
    static void* const all = [] {
        constexpr std::size_t largest = element_bytes << 32;
        void* reserved = mmap(nullptr, largest, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (reserved == MAP_FAILED) throw runtime_failure("no addresses left for the data of a simulation");
        return reserved;
    }();
    return all;
}

// Null: there is no more.
void* allocate(std::size_t bytes) {
    if (!data_have_content()) return memory_without_content();
    void* memory = nullptr;
    if (starpu_malloc_flags(&memory, bytes, STARPU_MALLOC_PINNED) != 0) return nullptr;
    if (memory != nullptr) std::memset(memory, 0, bytes);
    return memory;
}

void release(void* memory, std::size_t bytes) {
    if (data_have_content()) starpu_free_flags(memory, bytes, STARPU_MALLOC_PINNED);
}

}  // namespace

std::size_t Data::elements_of(std::size_t bytes) {
    const std::size_t elements = bytes == 0 ? 1 : (bytes + element_bytes - 1) / element_bytes;
    TESSERA_EXPECT(elements <= UINT32_MAX);
    return elements;
}

Data Data::without_home(std::size_t bytes) {
    Data data;
    const std::size_t elements = elements_of(bytes);
    data.bytes_ = elements * element_bytes;
    if (GraphRecorder* recorder = GraphRecorder::current(); recorder != nullptr) {
        data.handle_ = recorder->add_datum(data.bytes_);
        return data;
    }
    starpu_vector_data_register(&data.handle_, -1, 0, static_cast<std::uint32_t>(elements), element_bytes);
    return data;
}

Data::Data(std::size_t bytes) {
    const std::size_t elements = elements_of(bytes);
    bytes_ = elements * element_bytes;
    memory_ = allocate(bytes_);
    if (memory_ == nullptr) {
        throw runtime_failure(
            "out of memory: {} more bytes are not to be had (tessera check prints what a run needs)", bytes_);
    }
    if (GraphRecorder* recorder = GraphRecorder::current(); recorder != nullptr) {
        handle_ = recorder->add_datum(bytes_);
        return;
    }
    starpu_vector_data_register(&handle_, STARPU_MAIN_RAM, reinterpret_cast<std::uintptr_t>(memory_),
                                static_cast<std::uint32_t>(elements), element_bytes);
}

Data::~Data() {
    if (handle_ == nullptr || must_leave_at_once() || GraphRecorder::current() != nullptr) return;
    if (memory_ == nullptr) {
        starpu_data_unregister_no_coherency(handle_);
        return;
    }
    starpu_data_unregister(handle_);
    release(memory_, bytes_);
}

void data_is_shared_between_ranks(bool shared) {
    is_shared_between_ranks = shared;
}

bool must_leave_at_once() {
    return is_shared_between_ranks && std::uncaught_exceptions() > 0;
}

starpu_data_access_mode to_starpu(Access access) {
    switch (access) {
        case Access::read:
            return STARPU_R;
        case Access::write:
            return STARPU_W;
        case Access::read_write:
            return STARPU_RW;
    }
    return STARPU_RW;
}

HostAccess::HostAccess(const Data& data, Access access) : handle_(data.handle()) {
    if (GraphRecorder::current() != nullptr) return;
    if (starpu_data_acquire(handle_, to_starpu(access)) != 0)
        throw runtime_failure("StarPU: data cannot be acquired");
}

HostAccess::~HostAccess() {
    if (GraphRecorder::current() != nullptr) return;
    starpu_data_release(handle_);
}

}  // namespace tessera
