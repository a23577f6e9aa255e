#include "codelets/momentum.hpp"

#include "codelets/cost_model.hpp"
#include "codelets/iteration_rules.hpp"
#include "pixel/formulas.hpp"

namespace tessera {
namespace {

void apply_momentum_cpu(const MomentumArgs& args, const Buffers& buffers) {
    const auto* state = buffers.get<const IterationState>(3);
    if (state->stopped != 0) return;
    cfloat* value = moving_field(buffers.get<std::byte>(0), args.size).value;
    auto* anchor = buffers.get<cfloat>(1);
    auto* velocity = buffers.get<cfloat>(2);
    const rules::MomentumFactors by = rules::momentum_factors(args, *state);
    for (std::size_t i = 0; i < args.size; ++i) {
        const cfloat update = value[i] - anchor[i];
        const cfloat before = velocity[i];
        value[i] = scale_add(by.from_velocity, before, scale_add(by.from_update, update, value[i]));
        velocity[i] = scale_add(by.added, update, by.kept * before);
        anchor[i] = value[i];
    }
}

Cost apply_momentum_cost(const MomentumArgs& args) {
    return pixels_cost(static_cast<double>(args.size), 14, 6 * sizeof(cfloat));
}

}  // namespace

BufferBytes MomentumArgs::buffer_bytes() const {
    return {moving_field_bytes(size), size * sizeof(cfloat), size * sizeof(cfloat), sizeof(IterationState)};
}

const Codelet<MomentumArgs> apply_momentum =
    Codelet<MomentumArgs>::make<apply_momentum_cpu, TESSERA_ON_DEVICE(apply_momentum_device), apply_momentum_cost>(
        "apply_momentum", {Access::read_write, Access::read_write, Access::read_write, Access::read});

}  // namespace tessera
