#include "scan/wave_optics.hpp"

#include <fftw3.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <new>
#include <numbers>
#include <vector>

namespace tessera {

namespace {

// FFTW's planner is one shared state; only executing a plan is safe from several threads.
std::mutex& planner_mutex() {
    static std::mutex mutex;
    return mutex;
}

cdouble unit_phasor(double phase_rad) {
    return {std::cos(phase_rad), std::sin(phase_rad)};
}

void execute(fftw_plan plan, Wave& wave) {
    auto* data = reinterpret_cast<fftw_complex*>(wave.data());
    fftw_execute_dft(plan, data, data);
    const double scale = 1 / std::sqrt(static_cast<double>(wave.size()));
    for (auto& value : wave) value = scale * value;
}

}  // namespace

struct WaveTransform::Plans {
    Extents<2> shape;
    fftw_plan forward = nullptr;
    fftw_plan inverse = nullptr;
};

WaveTransform::WaveTransform(const Extents<2>& shape) : plans_(std::make_unique<Plans>()) {
    TESSERA_EXPECT(shape[0] > 0 && shape[1] > 0);
    plans_->shape = shape;
    Wave scratch(shape);
    auto* data = reinterpret_cast<fftw_complex*>(scratch.data());
    const int n_y = static_cast<int>(shape[0]), n_x = static_cast<int>(shape[1]);
    const std::lock_guard lock(planner_mutex());
    // ESTIMATE, not MEASURE: a plan that depends on timings would make the last bits depend on them too.
    plans_->forward = fftw_plan_dft_2d(n_y, n_x, data, data, FFTW_FORWARD, FFTW_ESTIMATE);
    plans_->inverse = fftw_plan_dft_2d(n_y, n_x, data, data, FFTW_BACKWARD, FFTW_ESTIMATE);
    if (plans_->forward == nullptr || plans_->inverse == nullptr) throw std::bad_alloc();
}

WaveTransform::~WaveTransform() {
    const std::lock_guard lock(planner_mutex());
    fftw_destroy_plan(plans_->forward);
    fftw_destroy_plan(plans_->inverse);
}

void WaveTransform::forward(Wave& wave) const {
    TESSERA_EXPECT(wave.extents() == plans_->shape);
    execute(plans_->forward, wave);
}

void WaveTransform::inverse(Wave& wave) const {
    TESSERA_EXPECT(wave.extents() == plans_->shape);
    execute(plans_->inverse, wave);
}

void fft2(Wave& wave) {
    WaveTransform(wave.extents()).forward(wave);
}

void ifft2(Wave& wave) {
    WaveTransform(wave.extents()).inverse(wave);
}

void propagate(Wave& wave, std::array<double, 2> pixel_size_m, double wavelength_m, double distance_m) {
    if (distance_m == 0) return;
    const WaveTransform transform(wave.extents());
    const auto [n_y, n_x] = wave.extents();
    transform.forward(wave);
    for (std::ptrdiff_t y = 0; y < n_y; ++y) {
        const double q_y = frequency(y, n_y) / pixel_size_m[0];
        for (std::ptrdiff_t x = 0; x < n_x; ++x) {
            const double q_x = frequency(x, n_x) / pixel_size_m[1];
            const double phase_rad = -std::numbers::pi * wavelength_m * distance_m * (q_y * q_y + q_x * q_x);
            wave(y, x) = unit_phasor(phase_rad) * wave(y, x);
        }
    }
    transform.inverse(wave);
}

SlicePropagator slice_propagator(SlicePropagation propagation, const Geometry& geometry) {
    SlicePropagator propagator;
    propagator.propagation = propagation;
    propagator.wavelength_m = geometry.wavelength_m;
    if (geometry.radiation == Radiation::electrons) propagator.band_limit = 2.0 / 3;
    return propagator;
}

Wave transfer_function(const SlicePropagator& propagator, const Extents<2>& shape,
                       std::array<double, 2> pixel_size_m, double distance_m) {
    const double nyquist_per_m = 0.5 / std::max(pixel_size_m[0], pixel_size_m[1]);
    const double band_per_m = propagator.band_limit ? *propagator.band_limit * nyquist_per_m
                                                    : std::numeric_limits<double>::infinity();
    const double wavelength_m = propagator.wavelength_m;
    Wave transfer(shape);
    for (std::ptrdiff_t y = 0; y < shape[0]; ++y) {
        const double q_y = frequency(y, shape[0]) / pixel_size_m[0];
        for (std::ptrdiff_t x = 0; x < shape[1]; ++x) {
            const double q_x = frequency(x, shape[1]) / pixel_size_m[1];
            const double q2 = q_y * q_y + q_x * q_x;
            if (q2 > band_per_m * band_per_m) continue;
            double phase_rad = -std::numbers::pi * wavelength_m * distance_m * q2;
            if (propagator.propagation == SlicePropagation::angular_spectrum) {
                const double cosine2 = 1 - wavelength_m * wavelength_m * q2;  // of the angle to the axis
                if (cosine2 <= 0) continue;
                phase_rad *= 2 / (1 + std::sqrt(cosine2));  // sqrt(a) - 1 without the loss of digits
            }
            transfer(y, x) = unit_phasor(phase_rad);
        }
    }
    return transfer;
}

Array<cfloat, 3> slice_transfer_functions(const SlicePropagator& propagator, std::array<int, 2> shape,
                                          std::array<double, 2> pixel_size_m,
                                          std::span<const double> spacings_m) {
    Array<cfloat, 3> transfers({static_cast<std::ptrdiff_t>(spacings_m.size()), shape[0], shape[1]});
    std::ptrdiff_t i = 0;
    for (const double spacing_m : spacings_m)
        for (const cdouble value :
             transfer_function(propagator, {shape[0], shape[1]}, pixel_size_m, spacing_m))
            transfers[i++] = {static_cast<float>(value.re), static_cast<float>(value.im)};
    return transfers;
}

void shift_wave(Wave& wave, std::array<double, 2> shift_px) {
    if (shift_px[0] == 0 && shift_px[1] == 0) return;
    const WaveTransform transform(wave.extents());
    const auto [n_y, n_x] = wave.extents();
    transform.forward(wave);
    std::vector<cdouble> ramp_x(static_cast<std::size_t>(n_x));
    for (std::ptrdiff_t x = 0; x < n_x; ++x)
        ramp_x[static_cast<std::size_t>(x)] =
            unit_phasor(-2 * std::numbers::pi * frequency(x, n_x) * shift_px[1]);
    for (std::ptrdiff_t y = 0; y < n_y; ++y) {
        const cdouble ramp_y = unit_phasor(-2 * std::numbers::pi * frequency(y, n_y) * shift_px[0]);
        for (std::ptrdiff_t x = 0; x < n_x; ++x)
            wave(y, x) = (ramp_y * ramp_x[static_cast<std::size_t>(x)]) * wave(y, x);
    }
    transform.inverse(wave);
}

Wave resize_about_centre(const Wave& wave, const Extents<2>& shape) {
    Wave resized(shape);
    const std::ptrdiff_t offset_y = wave.extent(0) / 2 - shape[0] / 2;
    const std::ptrdiff_t offset_x = wave.extent(1) / 2 - shape[1] / 2;
    for (std::ptrdiff_t y = 0; y < shape[0]; ++y)
        for (std::ptrdiff_t x = 0; x < shape[1]; ++x) {
            const std::ptrdiff_t from_y = y + offset_y, from_x = x + offset_x;
            const bool inside =
                from_y >= 0 && from_y < wave.extent(0) && from_x >= 0 && from_x < wave.extent(1);
            if (inside) resized(y, x) = wave(from_y, from_x);
        }
    return resized;
}

Wave pad_into_frame(const Wave& wave, const Extents<2>& frame_shape) {
    TESSERA_EXPECT(wave.extent(0) <= frame_shape[0] && wave.extent(1) <= frame_shape[1]);
    Wave frame(frame_shape);
    const std::ptrdiff_t offset_y = (frame_shape[0] - wave.extent(0)) / 2;
    const std::ptrdiff_t offset_x = (frame_shape[1] - wave.extent(1)) / 2;
    for (std::ptrdiff_t y = 0; y < wave.extent(0); ++y)
        for (std::ptrdiff_t x = 0; x < wave.extent(1); ++x) frame(y + offset_y, x + offset_x) = wave(y, x);
    return frame;
}

double power(const Wave& wave) {
    double sum = 0;
    for (const auto& value : wave) sum = norm_add(value, sum);
    return sum;
}

cdouble inner_product(const Wave& a, const Wave& b) {
    TESSERA_EXPECT(a.extents() == b.extents());
    cdouble sum{0, 0};
    for (std::ptrdiff_t i = 0; i < a.size(); ++i) sum = conj_mul_add(a[i], b[i], sum);
    return sum;
}

}  // namespace tessera
