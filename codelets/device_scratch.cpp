#include "codelets/device_scratch.hpp"

#include <algorithm>
#include <utility>

#include "codelets/device/device.hpp"
#include "codelets/line_search.hpp"
#include "codelets/variable_probe.hpp"

#if defined(TESSERA_WITH_CUDA)
#include <starpu.h>

#include "codelets/runtime/cuda_resources.hpp"
#endif

namespace tessera {
namespace {

std::size_t bytes_of(Scratch slot, const BatchShape& s, const DeviceScratchUses& uses,
                     std::size_t wave_budget_bytes) {
    const auto turn = static_cast<std::size_t>(frames_at_a_time(s, wave_budget_bytes));
    const auto frames = static_cast<std::size_t>(s.num_frames);
    // At whole pixels positions are refined along the probe's derivative, as with fourier interpolation.
    const bool fourier = s.interpolation == Interpolation::fourier ||
                         (uses.refines_positions && s.interpolation == Interpolation::nearest);
    const std::size_t ramps = turn * static_cast<std::size_t>(s.probe.y + s.probe.x) * sizeof(cfloat);
    constexpr std::size_t num_costs = num_trials + 1;
    const auto opr_modes = static_cast<std::size_t>(s.num_opr_modes);
    const auto numbers_of_light = static_cast<std::size_t>(light_size(s.num_opr_modes));
    switch (slot) {
        case Scratch::waves:
        case Scratch::waves_along:
        case Scratch::waves_along_twice:
            return turn * s.waves_size() * sizeof(cfloat);
        case Scratch::probe:
            return fourier || s.num_opr_modes > 0 ? turn * s.probe_size() * sizeof(cfloat) : 0;
        case Scratch::probe_direction:
            return fourier ? turn * s.probe_size() * sizeof(cfloat) : 0;
        case Scratch::product:
            return std::max(
                {fourier ? turn * s.probe_size() * sizeof(cfloat) : 0,
                 uses.fits_lights ? turn * s.probe.area() * sizeof(cfloat) : 0,
                 uses.orthogonalizes || uses.supports_spectrum ? s.probe_size() * sizeof(cfloat) : 0,
                 s.probe.area() * sizeof(float)});
        case Scratch::spectrum:
        case Scratch::direction_spectrum:
            return fourier ? s.probe_size() * sizeof(cfloat) : 0;
        case Scratch::ramps:
            return fourier ? ramps : 0;
        case Scratch::slope_ramps:
            return fourier && uses.refines_positions ? ramps : 0;
        case Scratch::exit_waves:
        case Scratch::moved_waves:
            return fourier && uses.refines_positions && s.near_field ? turn * s.waves_size() * sizeof(cfloat)
                                                                     : 0;
        case Scratch::detector_ramps:
            return fourier && s.near_field
                       ? turn * static_cast<std::size_t>(s.frame.y + s.frame.x) * sizeof(cfloat)
                       : 0;
        case Scratch::groups:
            return num_sum_groups * s.probe_size() * sizeof(cfloat);
        case Scratch::partial_sums:
            return turn * (s.frame.area() / pixels_per_sum + 1) * sizeof(float) *
                   std::max(num_costs, uses.fits_lights ? numbers_of_light * (max_light_size + 1) : 0);
        case Scratch::row_sums:
            return frames * num_costs * sizeof(double);
        case Scratch::slice_waves:
            return turn * static_cast<std::size_t>(s.num_slices - 1) *
                   std::max(s.probe_size(), uses.fits_lights ? opr_modes * s.probe.area() : 0) *
                   sizeof(cfloat);
        case Scratch::slice_gradients:
            return s.num_slices > 1 ? turn * s.probe_size() * sizeof(cfloat) : 0;
        case Scratch::moved_positions:
            return s.num_slices > 1 ? frames * sizeof(FramePosition) : 0;
        case Scratch::opr_spectra:
            return fourier ? opr_modes * s.probe.area() * sizeof(cfloat) : 0;
        case Scratch::opr_probe:
            return uses.fits_lights ? turn * opr_modes * s.probe.area() * sizeof(cfloat) : 0;
        case Scratch::opr_fields:
            return uses.fits_lights ? turn * opr_modes * s.frame.area() * sizeof(cfloat) : 0;
        case Scratch::light_equations:
            return uses.fits_lights ? turn * numbers_of_light * (max_light_size + 1) * sizeof(double) : 0;
        case Scratch::light_steps:
            return uses.fits_lights ? turn * (max_light_size + 1) * sizeof(double) : 0;
        case Scratch::intensities:
        case Scratch::blurred_rows: {
            constexpr std::size_t num_planes = 5;  // of a frame: the coefficients of a line search
            return sees_several_pixels(s) ? turn * num_planes * detector_shape(s).area() * sizeof(float) : 0;
        }
        case Scratch::moved_object:  // as large as a batch's window: taken with the first task
            return 0;
        default:  // of the on-chip kernels, and a few bytes a frame: taken with the first task
            return 0;
    }
}

template <class Visit>
void for_each_slot(const Visit& visit) {
    for (int slot = 0; slot < static_cast<int>(Scratch::count); ++slot) visit(static_cast<Scratch>(slot));
}

}  // namespace

std::size_t nominal_device_scratch_bytes(const BatchShape& shape, const DeviceScratchUses& uses) {
    constexpr std::size_t nominal_budget = std::size_t{16} << 20;
    std::size_t sum = bytes_of(Scratch::waves, shape, uses, nominal_budget);  // the transforms' own work area
    for_each_slot([&](Scratch slot) { sum += bytes_of(slot, shape, uses, nominal_budget); });
    return sum;
}

void reserve_device_scratch([[maybe_unused]] const BatchShape& shape,
                            [[maybe_unused]] const DeviceScratchUses& uses) {
#if defined(TESSERA_WITH_CUDA)
    const auto reserve = [](void* argument) {
        const auto& [s, used] = *static_cast<const std::pair<BatchShape, DeviceScratchUses>*>(argument);
        try {
            CudaResources& resources = CudaResources::of_this_worker();
            for_each_slot([&](Scratch slot) {
                const std::size_t bytes = bytes_of(slot, s, used, resources.wave_budget_bytes());
                if (bytes > 0) resources.scratch(slot, bytes);
            });
        } catch (const std::exception& failure) {
            note_task_failure("scratch of a GPU", failure);
        }
    };
    std::pair<BatchShape, DeviceScratchUses> copy = {shape, uses};
    starpu_execute_on_each_worker(reserve, &copy, STARPU_CUDA);
    throw_task_failure();
#endif
}

}  // namespace tessera
