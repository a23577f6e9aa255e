#include "codelets/dots.hpp"

#include "codelets/cost_model.hpp"
#include "codelets/field_sweeps.hpp"

namespace tessera {
namespace {

void dots_cpu(const DotsArgs& args, const Buffers& buffers) {
    const auto* state = buffers.get<const IterationState>(4);
    if (state->stopped != 0) return;
    const auto* gradient = buffers.get<const cfloat>(0);
    const auto* previous = buffers.get<const cfloat>(1);
    const auto object = moving_field(buffers.get<const std::byte>(2), volume(args.tile, args.num_planes));
    const auto* weight = buffers.get<const float>(3);
    BatchSums& sums = *batch_sums(buffers.get<std::byte>(5));
    for (int i = 0; i < args.num_planes * args.interior.y; ++i) {
        const int plane = i / args.interior.y, y = args.interior_y + i % args.interior.y;
        const std::ptrdiff_t row =
            (static_cast<std::ptrdiff_t>(plane) * args.tile.y + y) * args.tile.x + args.interior_x;
        const Preconditioner preconditioner = {weight + row, static_cast<float>(args.alpha),
                                               static_cast<float>(state->illumination_max)};
        const FieldDots part = field_dots(gradient + row, previous + row, object.direction + row,
                                          preconditioner, static_cast<std::size_t>(args.interior.x));
        sums.gradient_norm += part.gradient_norm;
        sums.gradient_previous += part.gradient_previous;
        sums.gradient_direction += part.gradient_direction;
    }
}

Cost dots_cost(const DotsArgs& args) {
    return pixels_cost(static_cast<double>(volume(args.interior, args.num_planes)), 20,
                       3 * sizeof(cfloat) + sizeof(float));
}

}  // namespace

BufferBytes DotsArgs::buffer_bytes() const {
    return {field_bytes(tile, num_planes),
            field_bytes(tile, num_planes),
            moving_field_bytes(volume(tile, num_planes)),
            weight_bytes(tile, num_planes),
            sizeof(IterationState),
            sizeof(BatchSums)};
}

const Codelet<DotsArgs> dots = Codelet<DotsArgs>::make<dots_cpu, TESSERA_ON_DEVICE(dots_device), dots_cost>(
    "dots", {Access::read, Access::read, Access::read, Access::read, Access::read, Access::read_write});

}  // namespace tessera
