#include "codelets/direction.hpp"

#include "codelets/cost_model.hpp"
#include "codelets/field_sweeps.hpp"

namespace tessera {
namespace {

std::size_t size_of(const DirectionArgs& args) {
    return static_cast<std::size_t>(args.num_planes) * args.plane.area();
}

void direction_cpu(const DirectionArgs& args, const Buffers& buffers) {
    const auto* state = buffers.get<const IterationState>(3);
    if (state->stopped != 0) return;
    const auto field = moving_field(buffers.get<std::byte>(0), size_of(args));
    const auto* gradient = buffers.get<const cfloat>(1);
    const double weight_max = args.part == MovingPart::object ? state->illumination_max : state->coverage_max;
    const std::size_t next_weight = args.part == MovingPart::object ? args.plane.area() : 0;
    for (std::size_t k = 0; k < static_cast<std::size_t>(args.num_planes); ++k) {
        const std::size_t at = k * args.plane.area();
        const Preconditioner preconditioner = {buffers.get<const float>(2) + k * next_weight,
                                               static_cast<float>(args.alpha),
                                               static_cast<float>(weight_max)};
        update_direction(field.direction + at, gradient + at, preconditioner, static_cast<float>(state->beta),
                         args.plane.area());
    }
}

Cost direction_cost(const DirectionArgs& args) {
    return pixels_cost(static_cast<double>(size_of(args)), 10, 3 * sizeof(cfloat) + sizeof(float));
}

void step_cpu(const StepArgs& args, const Buffers& buffers) {
    const auto* state = buffers.get<const IterationState>(1);
    const double length = args.part == MovingPart::object ? state->step : state->probe_step;
    if (state->stopped != 0 || length == 0) return;
    const auto field = moving_field(buffers.get<std::byte>(0), args.size);
    take_step(field.value, field.direction, static_cast<float>(length), args.size);
}

Cost step_cost(const StepArgs& args) {
    return pixels_cost(static_cast<double>(args.size), 4, 3 * sizeof(cfloat));
}

}  // namespace

BufferBytes DirectionArgs::buffer_bytes() const {
    const std::size_t size = size_of(*this);
    return {moving_field_bytes(size), size * sizeof(cfloat),
            weight_bytes(plane, part == MovingPart::object ? num_planes : 1), sizeof(IterationState)};
}

const Codelet<DirectionArgs> direction =
    Codelet<DirectionArgs>::make<direction_cpu, TESSERA_ON_DEVICE(direction_device), direction_cost>(
        "direction", {Access::read_write, Access::read, Access::read, Access::read});
const Codelet<StepArgs> step = Codelet<StepArgs>::make<step_cpu, TESSERA_ON_DEVICE(step_device), step_cost>(
    "step", {Access::read_write, Access::read});

}  // namespace tessera
