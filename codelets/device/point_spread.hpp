#pragma once

#include "codelets/device/frames.hpp"

namespace tessera {

// G along one axis of planes (plane, y, x), periodic. x, y: of the frame, z: the plane.
struct BlurAlong {
    Shape2 shape;
    const float* taps;
    std::int32_t radius, axis;
    const float* from;
    float* to;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t z) const {
        const std::ptrdiff_t plane = z * area_of(shape);
        float sum = taps[0] * from[plane + at(shape, y, x)];
        for (std::int32_t i = 1; i <= radius; ++i)
            sum = fma(taps[i], from[plane + neighbour(y, x, -i)] + from[plane + neighbour(y, x, i)], sum);
        to[plane + at(shape, y, x)] = sum;
    }
    TESSERA_HD std::ptrdiff_t neighbour(std::int32_t y, std::int32_t x, std::int32_t by) const {
        const std::int32_t extent = axis == 0 ? shape.y : shape.x;
        const std::int32_t i = (((axis == 0 ? y : x) + by) % extent + extent) % extent;
        return axis == 0 ? at(shape, i, x) : at(shape, y, i);
    }
};

// What the detector's pixels see of sum |Psi|^2 over modes, (frame, y, x). x: the pixel, y: the frame.
struct SumModes {
    BatchShape s;
    const cfloat* waves;
    float* planes;
    TESSERA_HD void operator()(std::int32_t pixel, std::int32_t frame, std::int32_t) const {
        float sum = 0;
        for (std::int32_t i = 0; i < num_seen_pixels(s); ++i)
            sum += sum_of_modes(s, waves, frame, seen_pixel(s, pixel, i));
        planes[frame * area_of(detector_shape(s)) + pixel] = sum;
    }
};

// Far fields *= the factor of the pixel that sees them. x: the far field's pixel, y: the frame.
struct MultiplyModes {
    BatchShape s;
    const float* factors;
    cfloat* waves;
    TESSERA_HD void operator()(std::int32_t pixel, std::int32_t frame, std::int32_t) const {
        const Shape2 detector = detector_shape(s);
        const std::int32_t y = seeing_pixel(pixel / s.frame.x, s.upsampling, s.frame.y),
                           x = seeing_pixel(pixel % s.frame.x, s.upsampling, s.frame.x);
        const float factor = factors[frame * area_of(detector) + at(detector, y, x)];
        for (std::int32_t k = 0; k < s.num_waves(); ++k) {
            cfloat& wave = waves[(std::ptrdiff_t{frame} * s.num_waves() + k) * area_of(s.frame) + pixel];
            wave = factor * wave;
        }
    }
};

// What the detector's pixels see of the frames of a turn, where that is more than each its own pixel of the
// far field: sums over pixels, then the point spread. One per task.
class PointSpread {
  public:
    // `num_planes`: of a frame, at most.
    PointSpread(Device& device, const BatchShape& s, const DetectorView& detector, std::int32_t max_frames,
                std::int32_t num_planes)
        : device_(device), s_(s), taps_(detector.blur) {
        if (!exists()) return;
        const std::size_t size = static_cast<std::size_t>(max_frames) * static_cast<std::size_t>(num_planes) *
                                 detector_shape(s).area();
        planes_ = device.scratch<float>(Scratch::intensities, size);
        if (taps_ != nullptr) between_ = device.scratch<float>(Scratch::blurred_rows, size);
    }

    bool exists() const { return sees_several_pixels(s_); }
    float* planes() const { return planes_; }  // null: none
    void blur(std::int32_t num_planes) {
        if (taps_ == nullptr) return;
        const Shape2 shape = detector_shape(s_);
        const Extent all = {shape.x, shape.y, num_planes};
        device_.for_each(all, BlurAlong{shape, taps_, s_.blur_radius, 1, planes_, between_});
        device_.for_each(all, BlurAlong{shape, taps_, s_.blur_radius, 0, between_, planes_});
    }

    // Of sum |Psi|^2, (frame, y, x); null: the far field's.
    float* intensity(const cfloat* waves, std::int32_t num_frames) {
        if (!exists()) return nullptr;
        device_.for_each({static_cast<std::int32_t>(detector_shape(s_).area()), num_frames},
                         SumModes{s_, waves, planes_});
        blur(num_frames);
        return planes_;
    }

    // Cost and squared error of each frame, to `totals`; waves multiplied if the comparison says so.
    void compare(Compare compare, std::int32_t num_frames, double* totals) {
        const auto pixels = static_cast<std::int32_t>(detector_shape(s_).area());
        compare.seen = intensity(compare.waves, num_frames);
        device_.reduce_rows<Compare::num_sums, Sum>(num_frames, pixels, compare, totals);
        if (!exists() || !compare.multiply) return;
        blur(num_frames);
        device_.for_each({static_cast<std::int32_t>(s_.frame.area()), num_frames},
                         MultiplyModes{s_, planes_, compare.waves});
    }

  private:
    Device& device_;
    const BatchShape& s_;
    const float* taps_;
    float* planes_ = nullptr;  // (frame, plane, y, x)
    float* between_ = nullptr;
};

}  // namespace tessera
