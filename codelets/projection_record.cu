#include "codelets/projection_record.hpp"

#include "codelets/device/device.hpp"
#include "codelets/iteration_rules.hpp"

namespace tessera {
namespace {

struct BeginScalars {
    BeginProjectionArgs args;
    const BatchSums* sums;
    IterationState* state;
    TESSERA_HD void operator()() const { rules::begin_projection(args, *sums, *state); }
};

struct CostScalars {
    const BatchSums* sums;
    IterationState* state;
    TESSERA_HD void operator()() const { rules::note_cost(*sums, *state); }
};

}  // namespace

void begin_projection_device(const BeginProjectionArgs& args, const Buffers& buffers, Device& device) {
    device.once(
        BeginScalars{args, batch_sums(buffers.get<const std::byte>(0)), buffers.get<IterationState>(1)});
}

void note_cost_device(const NoteCostArgs&, const Buffers& buffers, Device& device) {
    device.once(CostScalars{batch_sums(buffers.get<const std::byte>(0)), buffers.get<IterationState>(1)});
}

}  // namespace tessera
