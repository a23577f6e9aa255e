#include "codelets/choose_step.hpp"

#include "codelets/device/device.hpp"
#include "codelets/iteration_rules.hpp"

namespace tessera {
namespace {

struct ChooseStepScalars {
    ChooseStepArgs args;
    const BatchSums* sums;
    IterationState* state;
    TESSERA_HD void operator()() const { rules::choose_step(args, *sums, *state); }
};

}  // namespace

void choose_step_device(const ChooseStepArgs& args, const Buffers& buffers, Device& device) {
    device.once(
        ChooseStepScalars{args, batch_sums(buffers.get<const std::byte>(0)), buffers.get<IterationState>(1)});
}

}  // namespace tessera
