#include "codelets/direction.hpp"

#include "codelets/device/device.hpp"
#include "pixel/formulas.hpp"

namespace tessera {
namespace {

// x: pixel of a plane, y: plane.
struct UpdateDirection {
    MovingPart part;
    std::ptrdiff_t plane, next_weight;  // from a plane's weight to the next plane's
    float alpha;
    const cfloat* gradient;
    const float* weight;
    const IterationState* state;
    cfloat* direction;
    TESSERA_HD void operator()(std::int32_t i, std::int32_t k, std::int32_t) const {
        if (state->stopped != 0) return;
        const auto largest =
            static_cast<float>(part == MovingPart::object ? state->illumination_max : state->coverage_max);
        const float preconditioner =
            pixel::precondition(weight[k * next_weight + i], 1 - alpha, alpha * largest);
        cfloat& d = direction[k * plane + i];
        d = pixel::conjugate_direction(d, gradient[k * plane + i], preconditioner,
                                       static_cast<float>(state->beta));
    }
};

struct TakeStep {
    MovingPart part;
    const cfloat* direction;
    const IterationState* state;
    cfloat* value;
    TESSERA_HD void operator()(std::int32_t i, std::int32_t, std::int32_t) const {
        const auto step = static_cast<float>(part == MovingPart::object ? state->step : state->probe_step);
        if (state->stopped != 0 || step == 0) return;
        value[i] = scale_add(step, direction[i], value[i]);
    }
};

}  // namespace

void direction_device(const DirectionArgs& args, const Buffers& buffers, Device& device) {
    const auto plane = static_cast<std::ptrdiff_t>(args.plane.area());
    const auto field = moving_field(buffers.get<std::byte>(0), volume(args.plane, args.num_planes));
    device.for_each(
        {static_cast<std::int32_t>(plane), args.num_planes},
        UpdateDirection{args.part, plane, args.part == MovingPart::object ? plane : 0,
                        static_cast<float>(args.alpha), buffers.get<const cfloat>(1),
                        buffers.get<const float>(2), buffers.get<const IterationState>(3), field.direction});
}

void step_device(const StepArgs& args, const Buffers& buffers, Device& device) {
    const auto field = moving_field(buffers.get<std::byte>(0), args.size);
    device.for_each({static_cast<std::int32_t>(args.size)},
                    TakeStep{args.part, field.direction, buffers.get<const IterationState>(1), field.value});
}

}  // namespace tessera
