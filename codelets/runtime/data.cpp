#include "codelets/runtime/data.hpp"

#include <sys/mman.h>
#include <unistd.h>

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

// In a simulation, and where a graph is only recorded, all data of all ranks has the same addresses. What the
// host writes there (positions, masks) and what messages carry takes as much memory as the largest of it;
// nothing else touches any.
void* memory_without_content() {
    const auto reserve = [] {
        constexpr std::size_t largest = element_bytes << 32;
        void* reserved = mmap(nullptr, largest, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (reserved == MAP_FAILED) throw runtime_failure("no addresses left for the data of a simulation");
        return static_cast<std::byte*>(reserved);
    };
    static void* const all = is_simulation ? &once_for_all_ranks("DATA", reserve) : reserve();
    return all;
}

// Fewer and cheaper faults when memory is first touched. Only a wish: what it cannot have it does without.
void ask_for_huge_pages(void* memory, std::size_t bytes) {
    constexpr std::size_t huge_page = std::size_t{2} << 20;
    if (bytes < huge_page) return;
    const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    const auto begin = (reinterpret_cast<std::uintptr_t>(memory) + page - 1) / page * page;
    const auto end = (reinterpret_cast<std::uintptr_t>(memory) + bytes) / page * page;
    if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
}

}  // namespace

std::size_t Data::elements_of(std::size_t bytes) {
    const std::size_t elements = bytes == 0 ? 1 : (bytes + element_bytes - 1) / element_bytes;
    TESSERA_EXPECT(elements <= UINT32_MAX);
    return elements;
}

std::size_t Data::bytes_of(std::size_t bytes) {
    return elements_of(bytes) * element_bytes;
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

HostMemory::HostMemory(std::size_t bytes) : bytes_(bytes), has_content_(data_have_content()) {
    if (!has_content_) {
        memory_ = memory_without_content();
        return;
    }
    if (starpu_malloc_flags(&memory_, bytes, STARPU_MALLOC_PINNED) != 0 || memory_ == nullptr) {
        throw runtime_failure(
            "out of memory: {} more bytes are not to be had (tessera check prints what a run needs)", bytes);
    }
}

HostMemory::~HostMemory() {
    if (!has_content_ || must_leave_at_once()) return;
    starpu_free_flags(memory_, bytes_, STARPU_MALLOC_PINNED);
}

std::shared_ptr<HostMemory> HostMemory::for_parts(std::size_t bytes) {
    auto memory = std::make_shared<HostMemory>(bytes);
    if (memory->has_content_) ask_for_huge_pages(memory->memory_, bytes);
    return memory;
}

std::byte* HostMemory::at(std::size_t offset) const {
    return static_cast<std::byte*>(memory_) + (has_content_ ? offset : 0);
}

Data::Data(std::size_t bytes) {
    home_ = std::make_shared<HostMemory>(bytes_of(bytes));
    if (data_have_content()) std::memset(home_->at(0), 0, bytes_of(bytes));
    register_at(home_->at(0), bytes);
}

Data Data::part_of(std::shared_ptr<HostMemory> memory, std::size_t offset, std::size_t bytes) {
    TESSERA_EXPECT(offset % element_bytes == 0 && offset + bytes_of(bytes) <= memory->bytes());
    Data data;
    data.home_ = std::move(memory);
    data.register_at(data.home_->at(offset), bytes);
    return data;
}

void Data::register_at(std::byte* memory, std::size_t bytes) {
    memory_ = memory;
    bytes_ = bytes_of(bytes);
    if (GraphRecorder* recorder = GraphRecorder::current(); recorder != nullptr) {
        handle_ = recorder->add_datum(bytes_);
        return;
    }
    starpu_vector_data_register(&handle_, STARPU_MAIN_RAM, reinterpret_cast<std::uintptr_t>(memory),
                                static_cast<std::uint32_t>(elements_of(bytes)), element_bytes);
}

Data::~Data() {
    if (handle_ == nullptr || must_leave_at_once() || GraphRecorder::current() != nullptr) return;
    if (memory_ == nullptr) {
        starpu_data_unregister_no_coherency(handle_);
        return;
    }
    starpu_data_unregister(handle_);
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
