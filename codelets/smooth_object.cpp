#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codelets/smooth_object.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include "codelets/cost_model.hpp"
#include "codelets/runtime/workspace.hpp"
#include "codelets/smooth_object.hpp"
#include "pixel/simd_formulas-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

// A window of one plane and what its dual field is, rows with a pixel more on each side.
class SmoothedPlane {
  public:
    SmoothedPlane(const SmoothObjectArgs& args, Workspace& workspace)
        : args_(args),
          window_(smoothed_window(args)),
          stride_(window_.shape.x + 2),
          width_(static_cast<std::size_t>(window_.shape.x)),
          u_(workspace.get<cfloat>(Workspace::Slot::moved_object, plane_size())),
          p_y_(workspace.get<cfloat>(Workspace::Slot::padded_object, plane_size())),
          p_x_(workspace.get<cfloat>(Workspace::Slot::padded_direction, plane_size())) {}

    // `plane`: of the tile, in place.
    void run(cfloat* plane) {
        for (std::int32_t y = 0; y < window_.shape.y; ++y) {
            std::copy_n(before(plane, y), width_, row(u_, y));
            replicate_ends(row(u_, y));
        }
        if (args_.total_variation > 0) reduce_variation(plane);
        for (std::int32_t y = 0; y < args_.interior.shape.y; ++y) write(y, plane);
    }

  private:
    std::size_t plane_size() const {
        return static_cast<std::size_t>(window_.shape.y + 1) * static_cast<std::size_t>(stride_);
    }
    cfloat* row(cfloat* plane, std::int32_t y) const {
        return plane + static_cast<std::ptrdiff_t>(y) * stride_ + 1;
    }
    const cfloat* before(const cfloat* plane, std::int32_t y) const {
        return plane + static_cast<std::ptrdiff_t>(window_.y + y) * args_.tile.x + window_.x;
    }
    void replicate_ends(cfloat* pixels) const {
        pixels[-1] = pixels[0];
        pixels[width_] = pixels[width_ - 1];
    }

    // A row of p needs u as it was in this row and the next, one of u the new p of this row and the last: one
    // sweep does both. Row -1 of p is 0, kept as the row behind the last one.
    void reduce_variation(const cfloat* plane) {
        std::fill_n(p_y_, plane_size(), cfloat{0, 0});
        std::fill_n(p_x_, plane_size(), cfloat{0, 0});
        const std::int32_t last = window_.shape.y - 1;
        for (std::int32_t step = 0; step < num_variation_steps; ++step) {
            for (std::int32_t y = 0; y <= last; ++y) {
                project(row(u_, y), row(u_, y < last ? y + 1 : y), row(p_y_, y), row(p_x_, y));
                add_divergence(before(plane, y), row(p_y_, y), row(p_y_, y > 0 ? y - 1 : last + 1),
                               row(p_x_, y), row(u_, y));
                replicate_ends(row(u_, y));
            }
        }
    }

    void project(const cfloat* here, const cfloat* below, cfloat* p_y, cfloat* p_x) const {
        const Vec step = broadcast(0.125f / args_.total_variation), one = broadcast(1);
        for_each_vector(width_, [&](std::size_t i, auto lanes) HWY_ATTR {
            const DualPixel<Vec> p = {load(static_cast<const cfloat*>(p_y + i), lanes),
                                      load(static_cast<const cfloat*>(p_x + i), lanes)};
            const DualPixel<Vec> next = dual_step(p, load(here + i, lanes), load(below + i, lanes),
                                                  load(here + i + 1, lanes), step, one);
            store(next.y, p_y + i, lanes);
            store(next.x, p_x + i, lanes);
        });
    }

    void add_divergence(const cfloat* object, const cfloat* p_y, const cfloat* p_y_above, const cfloat* p_x,
                        cfloat* u) const {
        const Vec weight = broadcast(args_.total_variation);
        for_each_vector(width_, [&](std::size_t i, auto lanes) HWY_ATTR {
            const DualPixel<Vec> p = {load(p_y + i, lanes), load(p_x + i, lanes)};
            store(primal_of(load(object + i, lanes), p, load(p_y_above + i, lanes), load(p_x + i - 1, lanes),
                            weight),
                  u + i, lanes);
        });
    }

    // A row of the interior.
    void write(std::int32_t y, cfloat* plane) const {
        const std::int32_t in_window = args_.interior.y - window_.y + y;
        const std::ptrdiff_t left = args_.interior.x - window_.x;
        const auto count = static_cast<std::size_t>(args_.interior.shape.x);
        cfloat* to =
            plane + static_cast<std::ptrdiff_t>(args_.interior.y + y) * args_.tile.x + args_.interior.x;
        const cfloat* here = row(u_, in_window) + left;
        if (!(args_.smoothing > 0)) {
            std::copy_n(here, count, to);
            return;
        }
        const cfloat* above = row(u_, std::max(in_window - 1, 0)) + left;
        const cfloat* below = row(u_, std::min(in_window + 1, window_.shape.y - 1)) + left;
        const Vec share = broadcast(args_.smoothing / 8), rest = broadcast(1 - args_.smoothing);
        for_each_vector(count, [&](std::size_t i, auto lanes) HWY_ATTR {
            const auto three = [&](const cfloat* pixels) HWY_ATTR {
                return load(pixels + i - 1, lanes) + load(pixels + i, lanes) + load(pixels + i + 1, lanes);
            };
            const ComplexVec beside = load(here + i - 1, lanes) + load(here + i + 1, lanes);
            store(smoothed(load(here + i, lanes), three(above) + three(below) + beside, share, rest), to + i,
                  lanes);
        });
    }

    const SmoothObjectArgs& args_;
    Strip window_;
    std::int32_t stride_;
    std::size_t width_;
    cfloat *u_, *p_y_, *p_x_;
};

void smooth_planes(const SmoothObjectArgs& args, cfloat* object) {
    SmoothedPlane plane(args, Workspace::of_this_worker());
    for (std::int32_t i = 0; i < args.num_planes; ++i) plane.run(object + volume(args.tile, i));
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera {
namespace {

HWY_EXPORT(smooth_planes);

void smooth_object_cpu(const SmoothObjectArgs& args, const Buffers& buffers) {
    if (buffers.get<const IterationState>(1)->stopped != 0) return;
    auto* object = moving_field(buffers.get<std::byte>(0), volume(args.tile, args.num_planes)).value;
    HWY_DYNAMIC_DISPATCH(smooth_planes)(args, object);
}

Cost smooth_object_cost(const SmoothObjectArgs& args) {
    const auto pixels =
        static_cast<double>(smoothed_window(args).shape.area()) * static_cast<double>(args.num_planes);
    const double steps = args.total_variation > 0 ? num_variation_steps : 0;
    return {pixels * (30 * steps + 20), pixels * (6 * steps + 3) * sizeof(cfloat)};
}

}  // namespace

const Codelet<SmoothObjectArgs> smooth_object =
    Codelet<SmoothObjectArgs>::make<smooth_object_cpu, TESSERA_ON_DEVICE(smooth_object_device),
                                    smooth_object_cost>("smooth_object", {Access::read_write, Access::read});

}  // namespace tessera
#endif  // HWY_ONCE
