#include "codelets/momentum.hpp"

#include "codelets/device/device.hpp"
#include "codelets/iteration_rules.hpp"

namespace tessera {
namespace {

struct MomentumScalars {
    MomentumArgs args;
    const IterationState* state;
    MomentumFactors* factors;
    TESSERA_HD void operator()() const { *factors = rules::momentum_factors(args, *state); }
};

struct ApplyMomentum {
    const MomentumFactors* factors;
    const IterationState* state;
    cfloat* value;
    cfloat* anchor;
    cfloat* velocity;
    TESSERA_HD void operator()(std::int32_t i, std::int32_t, std::int32_t) const {
        if (state->stopped != 0) return;
        const MomentumFactors by = *factors;
        const cfloat update = value[i] - anchor[i];
        const cfloat before = velocity[i];
        value[i] = scale_add(by.from_velocity, before, scale_add(by.from_update, update, value[i]));
        velocity[i] = scale_add(by.added, update, by.kept * before);
        anchor[i] = value[i];
    }
};

}  // namespace

void apply_momentum_device(const MomentumArgs& args, const Buffers& buffers, Device& device) {
    const auto* state = buffers.get<const IterationState>(3);
    auto* factors = device.scratch<MomentumFactors>(Scratch::row_sums, 1);
    device.once(MomentumScalars{args, state, factors});
    device.for_each({static_cast<std::int32_t>(args.size)},
                    ApplyMomentum{factors, state, moving_field(buffers.get<std::byte>(0), args.size).value,
                                  buffers.get<cfloat>(1), buffers.get<cfloat>(2)});
}

}  // namespace tessera
