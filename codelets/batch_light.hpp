#pragma once

#include <algorithm>
#include <cstring>

#include "codelets/field_sweeps.hpp"
#include "codelets/layout.hpp"
#include "codelets/runtime/workspace.hpp"

namespace tessera {

// Without the last row and column of each frame, a pixel with light has neighbours in the same window,
// whatever the batch.
enum class FrameEdges { lit, dark };

// The light of a batch's frames on its window, sum_j sum_k |P_k|^2 at whole pixels; in scratch memory of the
// worker. Host bodies only.
class BatchLight {
  public:
    BatchLight(const BatchShape& s, const FramePosition* frames, const cfloat* probe, FrameEdges edges)
        : s_(s) {
        Workspace& workspace = Workspace::of_this_worker();
        float* power = workspace.get<float>(Workspace::Slot::power, s.probe.area());
        std::memset(power, 0, s.probe.area() * sizeof(float));
        for (std::int32_t k = 0; k < s.num_modes; ++k)
            add_powers(power, probe + static_cast<std::size_t>(k) * s.probe.area(), s.probe.area());
        if (edges == FrameEdges::dark) {
            for (std::int32_t y = 0; y < s.probe.y; ++y) power[(y + 1) * s.probe.x - 1] = 0;
            std::fill_n(power + static_cast<std::ptrdiff_t>(s.probe.y - 1) * s.probe.x, s.probe.x, 0.0f);
        }
        light_ = workspace.get<float>(Workspace::Slot::product, s.window.area());
        std::memset(light_, 0, s.window.area() * sizeof(float));
        for (std::int32_t j = 0; j < s.num_frames; ++j) add(frames[j], power);
    }
    // (y, x): of the tile, in the batch's window.
    double at(std::int32_t y, std::int32_t x) const {
        return static_cast<double>(light_[pixel(y - s_.window_y, x - s_.window_x)]);
    }

  private:
    std::ptrdiff_t pixel(std::int32_t y, std::int32_t x) const {
        return static_cast<std::ptrdiff_t>(y) * s_.window.x + x;
    }
    void add(const FramePosition& at, const float* power) {
        const WindowPart part = part_inside(s_.window, at.y - s_.window_y, at.x - s_.window_x, s_.probe);
        for (std::int32_t y = part.y0; y < part.y1; ++y) {
            add_weights(light_ + pixel(at.y - s_.window_y + y, at.x - s_.window_x + part.x0),
                        power + static_cast<std::ptrdiff_t>(y) * s_.probe.x + part.x0,
                        static_cast<std::size_t>(part.x1 - part.x0));
        }
    }

    const BatchShape& s_;
    float* light_;
};

}  // namespace tessera
