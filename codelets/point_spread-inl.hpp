// What the pixels of a detector see of the far field's intensity of one frame: sums over the far field's
// pixels, then the point spread; vectorised, once per instruction set.
#if defined(TESSERA_CODELETS_POINT_SPREAD_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_CODELETS_POINT_SPREAD_INL_HPP
#undef TESSERA_CODELETS_POINT_SPREAD_INL_HPP
#else
#define TESSERA_CODELETS_POINT_SPREAD_INL_HPP
#endif

#include <cstring>

#include "codelets/layout.hpp"
#include "codelets/runtime/workspace.hpp"
#include "math/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

// Scratch for planes of the detector's pixels, (plane, y, x).
inline float* intensity_planes(std::size_t num_planes, const BatchShape& s) {
    return Workspace::of_this_worker().get<float>(Workspace::Slot::intensities,
                                                  num_planes * detector_shape(s).area());
}

// to = G along x, from a line that goes on periodically for the radius on both sides.
inline void blur_line(const float* HWY_RESTRICT line, const float* HWY_RESTRICT taps, const BatchShape& s,
                      float* HWY_RESTRICT to) {
    for_each_vector(static_cast<std::size_t>(detector_shape(s).x), [&](std::size_t x, auto lanes) HWY_ATTR {
        const float* middle = line + s.blur_radius + x;
        Vec sum = broadcast(taps[0]) * load(middle, lanes);
        for (int i = 1; i <= s.blur_radius; ++i)
            sum = fma(broadcast(taps[i]), load(middle - i, lanes) + load(middle + i, lanes), sum);
        store(sum, to + x, lanes);
    });
}

// plane = G plane, along x and then along y, periodic.
inline void blur(float* HWY_RESTRICT plane, const float* HWY_RESTRICT taps, const BatchShape& s) {
    Workspace& workspace = Workspace::of_this_worker();
    const int radius = s.blur_radius, height = detector_shape(s).y, width = detector_shape(s).x;
    float* HWY_RESTRICT rows = workspace.get<float>(Workspace::Slot::blurred_rows, detector_shape(s).area());
    float* HWY_RESTRICT line =
        workspace.get<float>(Workspace::Slot::blurred_line, static_cast<std::size_t>(width + 2 * radius));
    const auto wrapped = [](int i, int extent) { return (i % extent + extent) % extent; };
    for (int y = 0; y < height; ++y) {
        const float* row = plane + static_cast<std::ptrdiff_t>(y) * width;
        for (int x = 0; x < radius; ++x) {
            line[x] = row[wrapped(x - radius, width)];
            line[radius + width + x] = row[wrapped(x, width)];
        }
        std::memcpy(line + radius, row, static_cast<std::size_t>(width) * sizeof(float));
        blur_line(line, taps, s, rows + static_cast<std::ptrdiff_t>(y) * width);
    }
    const auto row_at = [&](int y) { return rows + static_cast<std::ptrdiff_t>(wrapped(y, height)) * width; };
    for (int y = 0; y < height; ++y) {
        float* to = plane + static_cast<std::ptrdiff_t>(y) * width;
        for_each_vector(static_cast<std::size_t>(width), [&](std::size_t x, auto lanes) HWY_ATTR {
            store(broadcast(taps[0]) * load(row_at(y) + x, lanes), to + x, lanes);
        });
        for (int i = 1; i <= radius; ++i) {
            const float *before = row_at(y - i), *after = row_at(y + i);
            for_each_vector(static_cast<std::size_t>(width), [&](std::size_t x, auto lanes) HWY_ATTR {
                const Vec both = load(before + x, lanes) + load(after + x, lanes);
                store(fma(broadcast(taps[i]), both, load(static_cast<const float*>(to + x), lanes)), to + x,
                      lanes);
            });
        }
    }
}

// visit(pixel of the detector, pixel of the far field) along a row of both.
template <class Visit>
HWY_INLINE void for_each_seen_in_row(const BatchShape& s, const Visit& visit) {
    const std::int32_t width = detector_shape(s).x, extent = s.frame.x;
    for (std::int32_t x = 0; x < width; ++x) {
        std::int32_t i = first_seen(x, s.upsampling, extent);
        for (std::int32_t n = 0; n < s.upsampling; ++n) {
            visit(x, i);
            i = i + 1 == extent ? 0 : i + 1;
        }
    }
}

// A row of the far field into those of the detector.
inline void add_row(const float* HWY_RESTRICT row, const BatchShape& s, float* HWY_RESTRICT to) {
    for_each_seen_in_row(s, [&](std::int32_t x, std::int32_t i) HWY_ATTR { to[x] += row[i]; });
}
// And its adjoint: each pixel of the far field has what is said of the one that sees it.
inline void spread_row(const float* HWY_RESTRICT from, const BatchShape& s, float* HWY_RESTRICT row) {
    for_each_seen_in_row(s, [&](std::int32_t x, std::int32_t i) HWY_ATTR { row[i] = from[x]; });
}
inline std::size_t detector_row(int far_field_row, const BatchShape& s) {
    return static_cast<std::size_t>(seeing_pixel(far_field_row, s.upsampling, s.frame.y)) *
           static_cast<std::size_t>(detector_shape(s).x);
}

// What the detector's pixels see of some quantities of the far field's pixels, all linear in intensities:
// values(pixel, lanes, vectors). In scratch memory, (plane, y, x) of the detector.
template <std::size_t num_planes, class Values>
float* seen_planes(const DetectorView& detector, const BatchShape& s, const Values& values) {
    float* HWY_RESTRICT planes = intensity_planes(num_planes, s);
    const std::size_t n = detector_shape(s).area(), width = static_cast<std::size_t>(s.frame.x);
    const auto write = [&](std::size_t first, std::size_t count, float* to, std::size_t stride) HWY_ATTR {
        for_each_vector(count, [&](std::size_t i, auto lanes) HWY_ATTR {
            Vec vectors[num_planes];
            values(first + i, lanes, vectors);
            for (std::size_t plane = 0; plane < num_planes; ++plane)
                store(vectors[plane], to + plane * stride + i, lanes);
        });
    };
    if (s.upsampling == 1) {
        write(0, n, planes, n);
    } else {
        std::memset(planes, 0, num_planes * n * sizeof(float));
        float* rows =
            Workspace::of_this_worker().get<float>(Workspace::Slot::blurred_rows, num_planes * width);
        for (int y = 0; y < s.frame.y; ++y) {
            write(static_cast<std::size_t>(y) * width, width, rows, width);
            for (std::size_t plane = 0; plane < num_planes; ++plane)
                add_row(rows + plane * width, s, planes + plane * n + detector_row(y, s));
        }
    }
    for (std::size_t plane = 0; plane < num_planes && detector.blur != nullptr; ++plane)
        blur(planes + plane * n, detector.blur, s);
    return planes;
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#endif
