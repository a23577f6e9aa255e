#include "codelets/couple_slices.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "codelets/cost_model.hpp"
#include "codelets/runtime/workspace.hpp"
#include "codelets/slice_coupling.hpp"
#include "math/fft.hpp"

namespace tessera {
namespace {

// to[x] += factor from[x]
void add(float factor, const cfloat* from, std::size_t count, cfloat* to) {
    for (std::size_t i = 0; i < count; ++i) to[i] = to[i] + factor * from[i];
}

class SliceCoupling {
  public:
    SliceCoupling(const CoupleSlicesArgs& args, cfloat* object, Workspace& workspace)
        : args_(args),
          object_(object),
          num_slices_(args.num_slices),
          width_(static_cast<std::size_t>(args.tile.x)),
          padded_(coupling::padded_shape(args.tile)),
          planes_(workspace.get<cfloat>(Workspace::Slot::moved_object, volume(padded_, num_slices_ - 1))),
          rows_(workspace.get<cfloat>(Workspace::Slot::product,
                                      static_cast<std::size_t>(num_slices_ + 1) * width_)) {
        for (std::int32_t k = 1; k < num_slices_; ++k) {
            for (std::int32_t slice = 0; slice < num_slices_; ++slice)
                cosines_.push_back(coupling::cosine(k, slice, num_slices_));
        }
    }

    void run() {
        for (std::int32_t y = 0; y < args_.tile.y; ++y) project(y);
        const FftPlan& plan = fft_plan({padded_.y, padded_.x});
        for (std::int32_t k = 1; k < num_slices_; ++k) {
            cfloat* here = plane(k);
            pad_rows(here);
            plan.forward(here);
            damp(k, here);
            plan.backward(here);
        }
        for (std::int32_t y = 0; y < args_.interior.shape.y; ++y) move(args_.interior.y + y);
    }

  private:
    cfloat* plane(std::int32_t k) const { return planes_ + volume(padded_, k - 1); }
    cfloat* plane_row(std::int32_t k, std::int32_t y) const {
        return plane(k) + static_cast<std::ptrdiff_t>(y) * padded_.x;
    }
    cfloat* object_row(std::int32_t slice, std::int32_t y) const {
        return object_ + volume(args_.tile, slice) + static_cast<std::size_t>(y) * width_;
    }
    float cosine(std::int32_t k, std::int32_t slice) const {
        return cosines_[static_cast<std::size_t>((k - 1) * num_slices_ + slice)];
    }

    // A row of all slices into the planes, with what is beside the tile.
    void project(std::int32_t y) {
        cfloat* sum = rows_ + static_cast<std::size_t>(num_slices_) * width_;
        std::fill_n(sum, width_, cfloat{0, 0});
        for (std::int32_t slice = 0; slice < num_slices_; ++slice) add(1, object_row(slice, y), width_, sum);
        for (std::int32_t slice = 0; slice < num_slices_; ++slice) {
            const cfloat* object = object_row(slice, y);
            cfloat* row = rows_ + static_cast<std::size_t>(slice) * width_;
            for (std::size_t x = 0; x < width_; ++x) row[x] = coupling::logarithm(object[x], sum[x]);
        }
        for (std::int32_t k = 1; k < num_slices_; ++k) {
            cfloat* to = plane_row(k, y);
            std::fill_n(to, width_, cfloat{0, 0});
            for (std::int32_t slice = 0; slice < num_slices_; ++slice)
                add(cosine(k, slice), rows_ + static_cast<std::size_t>(slice) * width_, width_, to);
            for (std::int32_t x = args_.tile.x; x < padded_.x; ++x)
                to[x] = to[coupling::source_of(x, args_.tile.x, padded_.x)];
        }
    }

    void pad_rows(cfloat* plane) const {
        for (std::int32_t y = args_.tile.y; y < padded_.y; ++y) {
            const std::int32_t from = coupling::source_of(y, args_.tile.y, padded_.y);
            std::copy_n(plane + static_cast<std::ptrdiff_t>(from) * padded_.x, padded_.x,
                        plane + static_cast<std::ptrdiff_t>(y) * padded_.x);
        }
    }

    // The change of a plane's spectrum, with the 1 / size of two transforms.
    void damp(std::int32_t k, cfloat* spectrum) const {
        const float scale = -1.0f / static_cast<float>(padded_.area());
        for (std::int32_t y = 0; y < padded_.y; ++y) {
            const float q_y = coupling::frequency_of(y, padded_.y);
            for (std::int32_t x = 0; x < padded_.x; ++x, ++spectrum) {
                const float q_x = coupling::frequency_of(x, padded_.x);
                *spectrum = scale * coupling::damping(args_.strength, k, num_slices_, q_y, q_x) * *spectrum;
            }
        }
    }

    void move(std::int32_t y) const {
        const auto width = static_cast<std::size_t>(args_.interior.shape.x);
        for (std::int32_t slice = 0; slice < num_slices_; ++slice) {
            std::fill_n(rows_, width, cfloat{0, 0});
            for (std::int32_t k = 1; k < num_slices_; ++k)
                add(cosine(k, slice), plane_row(k, y) + args_.interior.x, width, rows_);
            cfloat* object = object_row(slice, y) + args_.interior.x;
            for (std::size_t x = 0; x < width; ++x) object[x] = coupling::moved(object[x], rows_[x]);
        }
    }

    const CoupleSlicesArgs& args_;
    cfloat* object_;
    std::int32_t num_slices_;
    std::size_t width_;  // of the tile
    Shape2 padded_;
    cfloat* planes_;              // (k - 1, y, x), padded
    cfloat* rows_;                // of all slices, and their sum
    std::vector<float> cosines_;  // (k - 1, slice)
};

void couple_slices_cpu(const CoupleSlicesArgs& args, const Buffers& buffers) {
    if (buffers.get<const IterationState>(1)->stopped != 0) return;
    auto* object = moving_field(buffers.get<std::byte>(0), volume(args.tile, args.num_slices)).value;
    SliceCoupling(args, object, Workspace::of_this_worker()).run();
}

Cost couple_slices_cost(const CoupleSlicesArgs& args) {
    const auto pixels = static_cast<double>(coupling::padded_shape(args.tile).area());
    const double slices = args.num_slices;
    const double transforms = 2 * (slices - 1) * 5 * pixels * std::log2(pixels);
    return {transforms + pixels * slices * (8 * slices + 100), pixels * slices * 6 * sizeof(cfloat)};
}

}  // namespace

std::size_t couple_slices_scratch(Shape2 tile, std::int32_t num_slices) {
    return volume(coupling::padded_shape(tile), num_slices - 1) +
           static_cast<std::size_t>(num_slices + 1) * static_cast<std::size_t>(tile.x);
}

const Codelet<CoupleSlicesArgs> couple_slices =
    Codelet<CoupleSlicesArgs>::make<couple_slices_cpu, TESSERA_ON_DEVICE(couple_slices_device),
                                    couple_slices_cost>("couple_slices", {Access::read_write, Access::read});

}  // namespace tessera
