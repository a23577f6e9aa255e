#pragma once

#include "codelets/device/frame_fields.hpp"
#include "codelets/device/point_spread.hpp"
#include "codelets/device/trial_costs.hpp"

// What line_search.cu and the stages of a line search have in common. Only device bodies include this.
namespace tessera {

inline constexpr std::int32_t num_coefficients = 5;

// The far fields of frames along the direction, A + s B + s^2 C.
struct FieldsAlong {
    const cfloat* a;
    const cfloat* b;
    const cfloat* c;              // null: nothing of second order
    std::ptrdiff_t frame_stride;  // of a, b and c
    TESSERA_HD pixel::IntensityPolynomial<float> polynomial(const BatchShape& s, std::int32_t frame,
                                                            std::int32_t pixel) const {
        pixel::IntensityPolynomial<float> p = {0, 0, 0, 0, 0};
        for (std::int32_t k = 0; k < s.num_waves(); ++k) {
            const std::ptrdiff_t i = frame * frame_stride + k * area_of(s.frame) + pixel;
            p = c != nullptr ? pixel::add_mode(p, a[i], b[i], c[i]) : pixel::add_mode(p, a[i], b[i]);
        }
        return p;
    }
};

// The coefficients of what the detector's pixels see, (frame, coefficient, y, x), before a point spread,
// which is linear. x: the pixel, y: the frame.
struct WriteCoefficients {
    BatchShape s;
    FieldsAlong fields;
    float* planes;
    TESSERA_HD void operator()(std::int32_t pixel, std::int32_t frame, std::int32_t) const {
        pixel::IntensityPolynomial<float> p = {0, 0, 0, 0, 0};
        for (std::int32_t i = 0; i < num_seen_pixels(s); ++i) {
            const pixel::IntensityPolynomial<float> one =
                fields.polynomial(s, frame, seen_pixel(s, pixel, i));
            p = {p.c0 + one.c0, p.c1 + one.c1, p.c2 + one.c2, p.c3 + one.c3, p.c4 + one.c4};
        }
        const std::ptrdiff_t area = area_of(detector_shape(s));
        float* mine = planes + std::ptrdiff_t{frame} * num_coefficients * area + pixel;
        mine[0] = p.c0;
        mine[area] = p.c1;
        mine[2 * area] = p.c2;
        mine[3 * area] = p.c3;
        mine[4 * area] = p.c4;
    }
};

// A frame's costs at step 0 and at each trial step.
struct CompareAlong {
    BatchShape s;
    Measurements measurements;
    IntensityScale scale;
    FieldsAlong fields;
    const float* seen;  // coefficients, in place of the fields; null: the far field's
    const IterationState* state;
    TESSERA_HD void operator()(std::int32_t pixel, std::int32_t frame, float (&sums)[num_costs]) const {
        if (state->stopped != 0) return;
        const AddTrialCosts add = {s.noise_model, s.saturated_from, scale(frame), state};
        add(polynomial(frame, pixel), measurements(s, frame, pixel), sums);
    }
    TESSERA_HD pixel::IntensityPolynomial<float> polynomial(std::int32_t frame, std::int32_t pixel) const {
        if (seen == nullptr) return fields.polynomial(s, frame, pixel);
        const std::ptrdiff_t area = area_of(detector_shape(s));
        const float* mine = seen + std::ptrdiff_t{frame} * num_coefficients * area + pixel;
        return {mine[0], mine[area], mine[2 * area], mine[3 * area], mine[4 * area]};
    }
};

// The frames' costs, (frame, step), to `costs`.
inline void compare_along(Device& device, const BatchShape& s, const FieldsAlong& fields,
                          const Measurements& measurements, const IntensityScale& scale, PointSpread& spread,
                          std::int32_t num_frames, const IterationState* state, double* costs) {
    const auto pixels = static_cast<std::int32_t>(detector_shape(s).area());
    if (spread.exists()) {
        device.for_each({pixels, num_frames}, WriteCoefficients{s, fields, spread.planes()});
        spread.blur(num_coefficients * num_frames);
    }
    device.reduce_rows<num_costs, Sum>(
        num_frames, pixels, CompareAlong{s, measurements, scale, fields, spread.planes(), state}, costs);
}

// B and C, of a fixed probe null, to where the next gradient finds them; A is there.
inline void keep_along(Device& device, const BatchShape& s, const cfloat* b, const cfloat* c,
                       std::int32_t num_frames, cfloat* kept) {
    const std::size_t size = s.waves_size(), bytes = size * sizeof(cfloat);
    for (std::size_t j = 0; j < static_cast<std::size_t>(num_frames); ++j) {
        cfloat* mine = kept + 3 * j * size;
        device.copy(mine + size, b + j * size, bytes);
        if (c != nullptr) {
            device.copy(mine + 2 * size, c + j * size, bytes);
        } else {
            device.clear(mine + 2 * size, bytes);  // the next gradient adds it
        }
    }
}

}  // namespace tessera
