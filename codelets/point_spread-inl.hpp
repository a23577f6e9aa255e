// A detector's point spread on the intensity of one frame, vectorised, once per instruction set.
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

// Scratch for planes of one frame, (plane, y, x).
inline float* intensity_planes(std::size_t num_planes, const BatchShape& s) {
    return Workspace::of_this_worker().get<float>(Workspace::Slot::intensities, num_planes * s.frame.area());
}

// to = G along x, from a line that goes on periodically for the radius on both sides.
inline void blur_line(const float* HWY_RESTRICT line, const float* HWY_RESTRICT taps, const BatchShape& s,
                      float* HWY_RESTRICT to) {
    for_each_vector(static_cast<std::size_t>(s.frame.x), [&](std::size_t x, auto lanes) HWY_ATTR {
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
    const int radius = s.blur_radius, height = s.frame.y, width = s.frame.x;
    float* HWY_RESTRICT rows = workspace.get<float>(Workspace::Slot::blurred_rows, s.frame.area());
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

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#endif
