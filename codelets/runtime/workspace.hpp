#pragma once

#include <array>
#include <cstddef>

#include "base/array.hpp"

namespace tessera {

// Scratch memory of one worker thread, kept between tasks and grown on demand. Slots are what a body needs at
// the same time; the content of a slot does not survive the task.
class Workspace {
  public:
    enum class Slot {
        waves,
        waves_along,
        waves_along_twice,
        probe,
        direction,
        spectrum,
        direction_spectrum,
        object,
        object_direction,
        product,
        ramp,
        detector_ramp,
        count
    };

    // At least `count` elements of T, 64-byte aligned, contents undefined.
    template <class T>
    T* get(Slot slot, std::size_t count) {
        Array<std::byte, 1>& memory = slots_[static_cast<std::size_t>(slot)];
        const std::size_t bytes = count * sizeof(T);
        if (memory.bytes() < bytes) memory = Array<std::byte, 1>({static_cast<std::ptrdiff_t>(bytes)});
        return reinterpret_cast<T*>(memory.data());
    }

    static Workspace& of_this_worker();

  private:
    std::array<Array<std::byte, 1>, static_cast<std::size_t>(Slot::count)> slots_;
};

}  // namespace tessera
