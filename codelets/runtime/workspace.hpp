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
        slice_waves,
        slice_gradients,
        moved_probe,
        moved_object,
        padded_object,
        padded_direction,
        padded_gradient,
        quotients,
        power,
        exit_waves,
        moved_wave,
        slope_ramp,
        opr_spectra,
        opr_fields,
        mixed_mode,
        intensities,
        blurred_rows,
        blurred_line,
        count
    };

    // At least `count` elements of T, 64-byte aligned, contents undefined.
    template <class T>
    T* get(Slot slot, std::size_t count) {
        Array<std::byte, 1>& memory = slots_[static_cast<std::size_t>(slot)];
        // Large blocks all begin at the same place of a page, and a sweep that reads and writes several of
        // them in step would have every access meet in the same cache sets: each slot begins a little later.
        const std::size_t stagger = static_cast<std::size_t>(slot) * stagger_bytes;
        const std::size_t bytes = count * sizeof(T) + stagger;
        if (memory.bytes() < bytes) memory = Array<std::byte, 1>({static_cast<std::ptrdiff_t>(bytes)});
        return reinterpret_cast<T*>(memory.data() + stagger);
    }

    static Workspace& of_this_worker();

  private:
    static constexpr std::size_t stagger_bytes = 5 * 64;
    std::array<Array<std::byte, 1>, static_cast<std::size_t>(Slot::count)> slots_;
};

}  // namespace tessera
