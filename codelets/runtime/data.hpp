#pragma once

#include <starpu.h>

#include <cstddef>
#include <memory>
#include <utility>

namespace tessera {

// Memory of the host, 64-byte aligned and pinned where there is a GPU, as it comes from the system: pages get
// their place, and cost their time, where they are first touched. A runtime Error where there is no more.
class HostMemory {
  public:
    explicit HostMemory(std::size_t bytes);
    ~HostMemory();
    HostMemory(const HostMemory&) = delete;
    HostMemory& operator=(const HostMemory&) = delete;
    // For many pieces of data that are filled one after the other: on huge pages where the system has them.
    static std::shared_ptr<HostMemory> for_parts(std::size_t bytes);

    std::byte* at(std::size_t offset) const;
    std::size_t bytes() const { return bytes_; }

  private:
    void* memory_ = nullptr;
    std::size_t bytes_ = 0;
    bool has_content_ = true;  // of its own; else all such memory is the same
};

// A piece of data that tasks read and write: 64-byte aligned host memory, zero-filled unless it is a part of
// other memory, registered with StarPU, which moves and copies it from then on. Registered as a vector of
// 64-byte elements, so 256 GiB fit StarPU's 32-bit counts. Destroying waits for the tasks that use it. In a
// simulation (codelets/runtime/simulation.hpp), or where the graph is only recorded, the memory is there and
// holds nothing of meaning.
class Data {
  public:
    Data() = default;
    explicit Data(std::size_t bytes);
    // A part of memory that others have parts of too, from `offset` (a multiple of 64) on, as it is: for what
    // the caller fills before the first task. Takes up bytes_of(bytes) there.
    static Data part_of(std::shared_ptr<HostMemory> memory, std::size_t offset, std::size_t bytes);
    static std::size_t bytes_of(std::size_t bytes);  // as many elements as hold them, in bytes
    // Without memory of its own: StarPU finds room when a task first writes it, and may put it on the disk
    // node (codelets/runtime/disk_node.hpp) when there is none. For tasks only; the first of them must write
    // it.
    static Data without_home(std::size_t bytes);
    ~Data();
    Data(Data&& other) noexcept { swap(other); }
    Data& operator=(Data&& other) noexcept {
        swap(other);
        return *this;
    }
    Data(const Data&) = delete;
    Data& operator=(const Data&) = delete;

    starpu_data_handle_t handle() const { return handle_; }
    std::size_t bytes() const { return bytes_; }
    bool empty() const { return handle_ == nullptr; }

    // The host memory itself: only before the first task, otherwise through HostAccess.
    template <class T>
    T* before_tasks() const {
        return reinterpret_cast<T*>(memory_);
    }

    // Exchanges roles with other data of the same size: tasks already submitted keep what they were given.
    void swap(Data& other) noexcept {
        home_.swap(other.home_);
        std::swap(memory_, other.memory_);
        std::swap(handle_, other.handle_);
        std::swap(bytes_, other.bytes_);
    }

  private:
    static std::size_t elements_of(std::size_t bytes);
    void register_at(std::byte* memory, std::size_t bytes);

    std::shared_ptr<HostMemory> home_;
    std::byte* memory_ = nullptr;
    starpu_data_handle_t handle_ = nullptr;
    std::size_t bytes_ = 0;
};

// With several ranks data may wait for a message that never comes once something failed: an exception then
// leaves data and its memory as they are instead of waiting for its tasks.
void data_is_shared_between_ranks(bool shared);
bool must_leave_at_once();  // several ranks, and an exception on its way

enum class Access { read, write, read_write };
starpu_data_access_mode to_starpu(Access access);

// The host's turn: waits for the tasks submitted so far that write the data (or use it, when writing), holds
// it, and gives it back on destruction.
class HostAccess {
  public:
    HostAccess(const Data& data, Access access);
    ~HostAccess();
    HostAccess(const HostAccess&) = delete;
    HostAccess& operator=(const HostAccess&) = delete;

    template <class T>
    T* as() const {
        return static_cast<T*>(starpu_data_get_local_ptr(handle_));
    }

  private:
    starpu_data_handle_t handle_;
};

}  // namespace tessera
