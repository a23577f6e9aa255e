#include "codelets/runtime/data.hpp"

#include <cstdint>
#include <cstring>
#include <exception>

#include "base/error.hpp"

namespace tessera {
namespace {

constexpr std::size_t element_bytes = 64;
bool is_shared_between_ranks = false;

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
    starpu_vector_data_register(&data.handle_, -1, 0, static_cast<std::uint32_t>(elements), element_bytes);
    return data;
}

Data::Data(std::size_t bytes) {
    const std::size_t elements = elements_of(bytes);
    bytes_ = elements * element_bytes;
    if (starpu_malloc_flags(&memory_, bytes_, STARPU_MALLOC_PINNED) != 0 || memory_ == nullptr) {
        throw runtime_failure(
            "out of memory: {} more bytes are not to be had (tessera check prints what a run needs)", bytes_);
    }
    std::memset(memory_, 0, bytes_);
    starpu_vector_data_register(&handle_, STARPU_MAIN_RAM, reinterpret_cast<std::uintptr_t>(memory_),
                                static_cast<std::uint32_t>(elements), element_bytes);
}

Data::~Data() {
    if (handle_ == nullptr || must_leave_at_once()) return;
    if (memory_ == nullptr) {
        starpu_data_unregister_no_coherency(handle_);
        return;
    }
    starpu_data_unregister(handle_);
    starpu_free_flags(memory_, bytes_, STARPU_MALLOC_PINNED);
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
    if (starpu_data_acquire(handle_, to_starpu(access)) != 0)
        throw runtime_failure("StarPU: data cannot be acquired");
}

HostAccess::~HostAccess() {
    starpu_data_release(handle_);
}

}  // namespace tessera
