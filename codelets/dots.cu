#include "codelets/dots.hpp"

#include "codelets/device/field_dots.hpp"

namespace tessera {
namespace {

// The interior's pixels in rows of this many, whatever its width: a sum's cost does not depend on the shape.
constexpr std::int32_t pixels_per_row = 65536;

struct InteriorDots {
    DotsAtPixel dots;
    DotsArgs args;
    const IterationState* state;
    TESSERA_HD void operator()(std::int32_t pixel, std::int32_t row,
                               float (&sums)[DotsAtPixel::num_sums]) const {
        const std::ptrdiff_t i = static_cast<std::ptrdiff_t>(row) * pixels_per_row + pixel;
        const std::ptrdiff_t row_of_all = i / args.interior.x, x = i % args.interior.x;
        const std::ptrdiff_t plane = row_of_all / args.interior.y, y = row_of_all % args.interior.y;
        if (state->stopped != 0 || plane >= args.num_planes) return;
        const std::ptrdiff_t at =
            (plane * args.tile.y + args.interior_y + y) * args.tile.x + args.interior_x + x;
        dots.add(at, at, static_cast<float>(state->illumination_max), sums);
    }
};

struct DotsFinishSums {
    const double* rows;  // (row, 3)
    std::int32_t num_rows;
    BatchSums* sums;
    TESSERA_HD void operator()() const {
        for (std::int32_t row = 0; row < num_rows; ++row) {
            sums->gradient_norm += rows[3 * row];
            sums->gradient_previous += rows[3 * row + 1];
            sums->gradient_direction += rows[3 * row + 2];
        }
    }
};

}  // namespace

void dots_device(const DotsArgs& args, const Buffers& buffers, Device& device) {
    const auto object = moving_field(buffers.get<const std::byte>(2), volume(args.tile, args.num_planes));
    const DotsAtPixel at_pixel = {buffers.get<const cfloat>(0), buffers.get<const cfloat>(1),
                                  object.direction, buffers.get<const float>(3),
                                  static_cast<float>(args.alpha)};
    const std::size_t size = volume(args.interior, args.num_planes);
    const auto num_rows = static_cast<std::int32_t>((size + pixels_per_row - 1) / pixels_per_row);
    const std::int32_t width = size < pixels_per_row ? static_cast<std::int32_t>(size) : pixels_per_row;
    auto* rows = device.scratch<double>(Scratch::row_sums, 3 * static_cast<std::size_t>(num_rows));
    device.reduce_rows<DotsAtPixel::num_sums, Sum>(
        num_rows, width, InteriorDots{at_pixel, args, buffers.get<const IterationState>(4)}, rows);
    device.once(DotsFinishSums{rows, num_rows, batch_sums(buffers.get<std::byte>(5))});
}

}  // namespace tessera
