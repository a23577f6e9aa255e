#include "codelets/conjugate.hpp"

#include <cstring>

#include "codelets/cost_model.hpp"
#include "codelets/field_sweeps.hpp"
#include "codelets/iteration_rules.hpp"

namespace tessera {
namespace {

FieldDots probe_dots(const ConjugateArgs& args, const cfloat* gradient, const cfloat* previous,
                     const cfloat* direction, const float* coverage, double coverage_max) {
    FieldDots sum;
    const std::size_t plane = args.probe_shape.area();
    const Preconditioner preconditioner = {coverage, static_cast<float>(args.alpha),
                                           static_cast<float>(coverage_max)};
    for (std::size_t k = 0; k < static_cast<std::size_t>(args.num_modes); ++k) {
        const std::size_t at = k * plane;
        const FieldDots mode =
            field_dots(gradient + at, previous + at, direction + at, preconditioner, plane);
        sum.gradient_norm += mode.gradient_norm;
        sum.gradient_previous += mode.gradient_previous;
        sum.gradient_direction += mode.gradient_direction;
    }
    return sum;
}

void conjugate_cpu(const ConjugateArgs& args, const Buffers& buffers) {
    const auto* total = buffers.get<const std::byte>(0);
    IterationState& state = *buffers.get<IterationState>(5);
    const BatchSums& sums = *batch_sums(total);
    if (!rules::begin_iteration(args, sums, state)) return;
    DotProducts of_probe;
    if (args.probe == ProbeMotion::moving) {
        const std::size_t probe_size = static_cast<std::size_t>(args.num_modes) * args.probe_shape.area();
        auto* gradient = buffers.get<cfloat>(4);
        std::memcpy(static_cast<void*>(gradient), probe_part(total), probe_size * sizeof(cfloat));
        const auto probe = moving_field(buffers.get<const std::byte>(2), probe_size);
        const FieldDots part = probe_dots(args, gradient, buffers.get<const cfloat>(1), probe.direction,
                                          buffers.get<const float>(3), state.coverage_max);
        of_probe.s1 = part.gradient_norm;
        of_probe.s2 = part.gradient_previous;
        of_probe.s3 = part.gradient_direction;
    }
    rules::choose_beta(args, sums, of_probe, state);
}

Cost conjugate_cost(const ConjugateArgs& args) {
    return pixels_cost(static_cast<double>(args.num_modes) * static_cast<double>(args.probe_shape.area()), 20,
                       5 * sizeof(cfloat));
}

}  // namespace

double conjugate_beta(DirectionRule rule, const DotProducts& dots, double momentum) {
    return rules::beta_of(rule, dots, momentum);
}

BufferBytes ConjugateArgs::buffer_bytes() const {
    const std::size_t size = static_cast<std::size_t>(num_modes) * probe_shape.area();
    return {sums_bytes(size),          size * sizeof(cfloat), moving_field_bytes(size),
            weight_bytes(probe_shape), size * sizeof(cfloat), sizeof(IterationState)};
}

const Codelet<ConjugateArgs> conjugate =
    Codelet<ConjugateArgs>::make<conjugate_cpu, TESSERA_ON_DEVICE(conjugate_device), conjugate_cost>(
        "conjugate",
        {Access::read, Access::read, Access::read, Access::read, Access::write, Access::read_write});

}  // namespace tessera
