#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>

#include "scan/synthetic.hpp"
#include "scan/wave_optics.hpp"

// A small simulated scan, and what it must contain by plain sums instead of transforms.
namespace tessera {

inline SimulationConfig small_scan() {
    SimulationConfig config;
    config.detector.shape = {32, 32};
    config.probe.diameter_px = 12;
    config.probe.photons_per_frame = 1e5;
    config.scan.grid = {4, 5};
    config.scan.step_px = 4;
    return config;
}

inline SimulationConfig without_noise(SimulationConfig config) {
    config.detector.photon_noise = false;
    config.detector.integer_counts = false;
    return config;
}

// e^{2 pi i turns}
inline cdouble turned(double turns) {
    return {std::cos(2 * std::numbers::pi * turns), std::sin(2 * std::numbers::pi * turns)};
}

// The probe moved by (d_y, d_x) as the band-limited function through its pixels, by plain sums.
inline Wave moved_by_sums(const Wave& probe, double d_y, double d_x) {
    const auto [n_y, n_x] = probe.extents();
    Wave moved(probe.extents());
    for (std::ptrdiff_t k_y = 0; k_y < n_y; ++k_y)
        for (std::ptrdiff_t k_x = 0; k_x < n_x; ++k_x) {
            const double q_y = frequency(k_y, n_y), q_x = frequency(k_x, n_x);
            cdouble amplitude{0, 0};
            for (std::ptrdiff_t y = 0; y < n_y; ++y)
                for (std::ptrdiff_t x = 0; x < n_x; ++x)
                    amplitude = mul_add(turned(-q_y * static_cast<double>(y) - q_x * static_cast<double>(x)),
                                        probe(y, x), amplitude);
            for (std::ptrdiff_t y = 0; y < n_y; ++y)
                for (std::ptrdiff_t x = 0; x < n_x; ++x)
                    moved(y, x) = mul_add(
                        turned(q_y * (static_cast<double>(y) - d_y) + q_x * (static_cast<double>(x) - d_x)),
                        (1 / static_cast<double>(n_y * n_x)) * amplitude, moved(y, x));
        }
    return moved;
}

// |sum_r psi(r) e^{-2 pi i (k - c) r / M}|^2 / (M_y M_x), c = floor(M / 2), by plain sums; psi padded at
// floor((M - p) / 2).
inline double intensity_by_sums(const Wave& psi, std::ptrdiff_t k_y, std::ptrdiff_t k_x,
                                std::array<int, 2> frame) {
    cdouble sum{0, 0};
    for (std::ptrdiff_t y = 0; y < psi.extent(0); ++y)
        for (std::ptrdiff_t x = 0; x < psi.extent(1); ++x) {
            const auto at_y = static_cast<double>(y + (frame[0] - psi.extent(0)) / 2);
            const auto at_x = static_cast<double>(x + (frame[1] - psi.extent(1)) / 2);
            const double turns = static_cast<double>(k_y - frame[0] / 2) * at_y / frame[0] +
                                 static_cast<double>(k_x - frame[1] / 2) * at_x / frame[1];
            sum = mul_add(turned(-turns), psi(y, x), sum);
        }
    return norm(sum) / (frame[0] * frame[1]);
}

}  // namespace tessera
