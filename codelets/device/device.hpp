#pragma once

#include <cstddef>
#include <cstdint>

#include "codelets/layout.hpp"
#include "math/host_device.hpp"

// What a device body (codelets/X.cu) is written with. A body says what happens to every index, and in which
// order sums are added; how that is spread over threads is decided here, once. The same source is compiled
//   by nvcc        to kernels and cuFFT on StarPU's stream (device/cuda_device.cuh),
//   as plain C++   to loops over all indices (device/walked_device.hpp), so that tests can judge every device
//                  body on any machine; without TESSERA_WALKED nothing of that reaches the program.
// Everything is asynchronous and in the order of the calls; nothing here waits for the device. What a functor
// points to is device memory: buffers of the task and scratch().
namespace tessera {

// Numbers of indices. x is the fastest: neighbours in x should touch neighbours in memory.
struct Extent {
    std::int32_t x = 1, y = 1, z = 1;
};

// Scratch memory of one worker, kept between tasks. Its content does not survive the task.
enum class Scratch {
    waves,
    waves_along,
    waves_along_twice,
    probe,
    probe_direction,
    spectrum,
    direction_spectrum,
    product,
    ramps,
    detector_ramps,
    groups,
    partial_sums,
    row_sums,
    ordered_spectrum,
    team_sums,
    thread_sums,
    slice_waves,
    slice_gradients,
    moved_object,
    moved_positions,
    slope_ramps,
    exit_waves,
    moved_waves,
    tried_positions,
    opr_spectra,
    opr_probe,
    opr_fields,
    light_equations,
    light_steps,
    intensities,
    blurred_rows,
    count
};

// Sums of a row of pixels are made of chunks of this many: 256 threads with a stride of 256, added pairwise
// (t + 128, t + 64, ...), chunks in ascending order in double. Part of the result's definition on devices.
inline constexpr std::int32_t threads_per_sum = 256;
inline constexpr std::int32_t pixels_per_sum = 4 * threads_per_sum;

struct Sum {
    TESSERA_HD static void combine(float& into, float value) { into += value; }
    TESSERA_HD static void combine(double& into, double value) { into += value; }
};
struct Maximum {
    TESSERA_HD static void combine(float& into, float value) { into = value > into ? value : into; }
    TESSERA_HD static void combine(double& into, double value) { into = value > into ? value : into; }
};

// The probe's gradient is summed over the frames of a turn in this many groups, so that a probe of few pixels
// still fills the device; groups are added in ascending order at the end.
inline constexpr std::int32_t num_sum_groups = 8;

// How many frames of a batch are worked on at a time: few enough for their waves to stay in a device's second
// level cache between kernels, enough of them to fill the device.
inline std::int32_t frames_at_a_time(const BatchShape& s, std::size_t budget_bytes) {
    const std::size_t kept_in_slices =
        volume(s.probe, s.num_slices - 1) * static_cast<std::size_t>(s.num_modes);
    const std::size_t frame_bytes = (s.waves_size() + kept_in_slices) * sizeof(cfloat);
    const std::size_t frames = budget_bytes / (frame_bytes == 0 ? 1 : frame_bytes);
    const std::size_t most =
        32768 / static_cast<std::size_t>(s.num_waves());  // a grid's third extent is 16 bit
    const std::size_t wanted = frames < 1 ? 1 : frames < most ? frames : most;
    const auto all = static_cast<std::size_t>(s.num_frames);
    return static_cast<std::int32_t>(wanted < all ? wanted : all);
}

}  // namespace tessera

// class Device {
//   public:
//     // body(x, y, z) for every index, in any order.
//     template <class Body> void for_each(Extent extent, const Body& body);
//     // body(scalars) once: what one thread does between the sweeps.
//     template <class Body> void once(const Body& body);
//     // totals[row * N + n] = combination over pixels of what body(pixel, row, sums) combines into sums[n],
//     // in the order given above; sums start at 0.
//     template <int N, class Combine, class Body>
//     void reduce_rows(std::int32_t num_rows, std::int32_t num_pixels, const Body& body, double* totals);
//     // program(team) for teams 0 ... num_teams - 1 of threads that share fast memory, in any order. A
//     team's
//     // threads take team.each(pass) together and wait for each other before the next; each_in_block(pass):
//     // those of a block do. Passes and memory: on_chip_transform.hpp. A program has a Layout
//     // (on_chip_layout.hpp) and says how many on_chip_bytes() a block needs.
//     template <class Program> bool can_run_teams(const Program& program) const;
//     template <class Program> void run_teams(std::int32_t num_teams, const Program& program);
//     // Unscaled transforms of `count` consecutive fields (y, x), in place.
//     void forward(cfloat* fields, Shape2 shape, std::int32_t count);
//     void backward(cfloat* fields, Shape2 shape, std::int32_t count);
//     void clear(void* to, std::size_t bytes);
//     void copy(void* to, const void* from, std::size_t bytes);
//     template <class T> T* scratch(Scratch slot, std::size_t count);
//     std::size_t wave_budget_bytes() const;   // for frames_at_a_time()
// };
#if defined(__CUDACC__)
#include "codelets/device/cuda_device.cuh"  // IWYU pragma: export
#elif defined(TESSERA_WALKED)
#include "codelets/device/walked_device.hpp"  // IWYU pragma: export
#endif
