// A frame's window of the object, plane by plane. Compiled once per instruction set.
#if defined(TESSERA_CODELETS_WINDOW_SLICES_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_CODELETS_WINDOW_SLICES_INL_HPP
#undef TESSERA_CODELETS_WINDOW_SLICES_INL_HPP
#else
#define TESSERA_CODELETS_WINDOW_SLICES_INL_HPP
#endif

#include <algorithm>

#include "codelets/layout.hpp"
#include "codelets/runtime/workspace.hpp"
#include "codelets/wave_sweeps-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

// A field of the extended tile, (plane, y, x), as one frame sees it: in place where it can be read so, else
// as a copy of the plane that was asked for last - with what is beyond the tile, or between pixels. However
// many planes there are, the memory is that of one.
class WindowPlanes {
  public:
    using Slot = Workspace::Slot;

    // `outside`: of every pixel beyond the tile, in planes that are not dark there.
    WindowPlanes(const BatchShape& s, const cfloat* tile, cfloat outside, Slot padded, Slot between,
                 Workspace& workspace)
        : s_(s),
          tile_(tile),
          outside_(outside),
          is_bilinear_(s.interpolation == Interpolation::bilinear),
          read_(pixels_read(s)) {
        if (s.reaches_out) padded_.pixels = workspace.get<cfloat>(padded, read_.area());
        if (is_bilinear_) between_.pixels = workspace.get<cfloat>(between, s.probe.area());
    }

    // What is read of the object: the probe's shape, a pixel more with bilinear interpolation.
    static Shape2 pixels_read(const BatchShape& s) {
        const int more = s.interpolation == Interpolation::bilinear ? 1 : 0;
        return {s.probe.y + more, s.probe.x + more};
    }

    void place(const FramePosition& at) {
        at_ = at;
        padded_.plane = -1;
        weigh(bilinear_weights(at.frac_y, at.frac_x));
        reaches_out_ = s_.reaches_out && !part_inside(s_.tile, at.y, at.x, read_).is_all_of(read_);
    }
    // From here to the next place(): other weights of the four pixels around each point.
    void weigh(const BilinearWeights& weights) {
        weights_ = weights;
        between_.plane = -1;
    }
    bool reaches_out() const { return reaches_out_; }

    // Valid until another plane is asked for.
    Window<const cfloat> plane(int i) {
        if (!is_bilinear_) return whole_pixels(i);
        if (between_.plane != i) {
            interpolate(whole_pixels(i), weights_, between_.pixels, s_);
            between_.plane = i;
        }
        return {between_.pixels, s_.probe.x};
    }

  private:
    struct Copy {
        cfloat* pixels = nullptr;
        int plane = -1;  // that it holds now
    };

    Window<const cfloat> whole_pixels(int i) {
        const cfloat* tile = tile_ + volume(s_.tile, i);
        if (!reaches_out_) return {tile + tile_pixel(at_.y, at_.x), s_.tile.x};
        if (padded_.plane != i) pad(tile, s_.is_dark_in_vacuum(i) ? cfloat{0, 0} : outside_);
        padded_.plane = i;
        return {padded_.pixels, read_.x};
    }
    void pad(const cfloat* tile, cfloat outside) const {
        const WindowPart part = part_inside(s_.tile, at_.y, at_.x, read_);
        std::fill_n(padded_.pixels, read_.area(), outside);
        for (int y = part.y0; y < part.y1; ++y) {
            std::copy_n(tile + tile_pixel(at_.y + y, at_.x + part.x0), part.x1 - part.x0,
                        padded_.pixels + static_cast<std::ptrdiff_t>(y) * read_.x + part.x0);
        }
    }
    std::ptrdiff_t tile_pixel(int y, int x) const { return static_cast<std::ptrdiff_t>(y) * s_.tile.x + x; }

    const BatchShape& s_;
    const cfloat* tile_;
    cfloat outside_;
    bool is_bilinear_;
    Shape2 read_;
    bool reaches_out_ = false;  // the frame that place() was called for
    FramePosition at_;
    BilinearWeights weights_{};
    Copy padded_, between_;
};

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#endif
