#include "codelets/smooth_object.hpp"

#include "codelets/device/device.hpp"
#include "pixel/formulas.hpp"

namespace tessera {
namespace {

// One plane of a tile, and the window of it that takes part: planes u, p_y and p_x.
struct SmoothedWindow {
    Shape2 tile;
    Strip window;
    const IterationState* state;
    cfloat* plane;
    cfloat* u;
    cfloat* p_y;
    cfloat* p_x;
    TESSERA_HD std::ptrdiff_t at(std::int32_t y, std::int32_t x) const {
        return static_cast<std::ptrdiff_t>(y) * window.shape.x + x;
    }
    TESSERA_HD cfloat& object(std::int32_t y, std::int32_t x) const {
        return plane[static_cast<std::ptrdiff_t>(window.y + y) * tile.x + window.x + x];
    }
};

struct BeginSmoothing {
    SmoothedWindow w;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t) const {
        if (w.state->stopped != 0) return;
        w.u[w.at(y, x)] = w.object(y, x);
        w.p_y[w.at(y, x)] = w.p_x[w.at(y, x)] = {0, 0};
    }
};

struct StepDual {
    SmoothedWindow w;
    float step;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t) const {
        if (w.state->stopped != 0) return;
        const std::ptrdiff_t i = w.at(y, x);
        const cfloat here = w.u[i];
        const cfloat below = y + 1 < w.window.shape.y ? w.u[w.at(y + 1, x)] : here;
        const cfloat right = x + 1 < w.window.shape.x ? w.u[i + 1] : here;
        const auto next =
            pixel::dual_step(pixel::DualPixel<float>{w.p_y[i], w.p_x[i]}, here, below, right, step, 1.0f);
        w.p_y[i] = next.y;
        w.p_x[i] = next.x;
    }
};

struct StepPrimal {
    SmoothedWindow w;
    float weight;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t) const {
        if (w.state->stopped != 0) return;
        const std::ptrdiff_t i = w.at(y, x);
        const cfloat above = y > 0 ? w.p_y[w.at(y - 1, x)] : cfloat{0, 0};
        const cfloat left = x > 0 ? w.p_x[i - 1] : cfloat{0, 0};
        w.u[i] = pixel::primal_of(w.object(y, x), pixel::DualPixel<float>{w.p_y[i], w.p_x[i]}, above, left,
                                  weight);
    }
};

// x, y: of the interior, which begins at (top, left) of the window.
struct WriteSmoothed {
    SmoothedWindow w;
    std::int32_t top, left;
    float share;
    TESSERA_HD cfloat clamped(std::int32_t y, std::int32_t x) const {
        const std::int32_t last_y = w.window.shape.y - 1, last_x = w.window.shape.x - 1;
        return w.u[w.at(y < 0 ? 0 : y > last_y ? last_y : y, x < 0 ? 0 : x > last_x ? last_x : x)];
    }
    TESSERA_HD void operator()(std::int32_t x_inside, std::int32_t y_inside, std::int32_t) const {
        if (w.state->stopped != 0) return;
        const std::int32_t y = top + y_inside, x = left + x_inside;
        cfloat value = w.u[w.at(y, x)];
        if (share > 0) {
            cfloat sum = {0, 0};
            for (std::int32_t v = y - 1; v <= y + 1; ++v) {
                for (std::int32_t u = x - 1; u <= x + 1; ++u) {
                    if (v != y || u != x) sum = sum + clamped(v, u);
                }
            }
            value = pixel::smoothed(value, sum, share / 8, 1 - share);
        }
        w.object(y, x) = value;
    }
};

}  // namespace

void smooth_object_device(const SmoothObjectArgs& args, const Buffers& buffers, Device& device) {
    SmoothedWindow w;
    w.tile = args.tile;
    w.window = smoothed_window(args);
    w.state = buffers.get<const IterationState>(1);
    w.u = device.scratch<cfloat>(Scratch::moved_object, w.window.shape.area());
    w.p_y = device.scratch<cfloat>(Scratch::slice_waves, w.window.shape.area());
    w.p_x = device.scratch<cfloat>(Scratch::slice_gradients, w.window.shape.area());
    auto* object = moving_field(buffers.get<std::byte>(0), volume(args.tile, args.num_planes)).value;
    const Extent all = {w.window.shape.x, w.window.shape.y};
    for (std::int32_t i = 0; i < args.num_planes; ++i) {
        w.plane = object + volume(args.tile, i);
        device.for_each(all, BeginSmoothing{w});
        for (std::int32_t step = 0; args.total_variation > 0 && step < num_variation_steps; ++step) {
            device.for_each(all, StepDual{w, 0.125f / args.total_variation});
            device.for_each(all, StepPrimal{w, args.total_variation});
        }
        device.for_each(
            {args.interior.shape.x, args.interior.shape.y},
            WriteSmoothed{w, args.interior.y - w.window.y, args.interior.x - w.window.x, args.smoothing});
    }
}

}  // namespace tessera
