#include "codelets/momentum.hpp"

#include "codelets/cost_model.hpp"
#include "codelets/field_sweeps.hpp"
#include "codelets/iteration_rules.hpp"

namespace tessera {
namespace {

void apply_momentum_cpu(const MomentumArgs& args, const Buffers& buffers) {
    const auto* state = buffers.get<const IterationState>(3);
    if (state->stopped != 0) return;
    use_momentum(moving_field(buffers.get<std::byte>(0), args.size).value, buffers.get<cfloat>(1),
                 buffers.get<cfloat>(2), rules::momentum_factors(args, *state), args.size);
}

Cost apply_momentum_cost(const MomentumArgs& args) {
    return pixels_cost(static_cast<double>(args.size), 14, 6 * sizeof(cfloat));
}

}  // namespace

BufferBytes MomentumArgs::buffer_bytes() const {
    return {moving_field_bytes(size), size * sizeof(cfloat), size * sizeof(cfloat), sizeof(IterationState)};
}

const Codelet<MomentumArgs> apply_momentum =
    Codelet<MomentumArgs>::make<apply_momentum_cpu, TESSERA_ON_DEVICE(apply_momentum_device),
                                apply_momentum_cost>(
        "apply_momentum", {Access::read_write, Access::read_write, Access::read_write, Access::read});

}  // namespace tessera
