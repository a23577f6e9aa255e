#include "codelets/projection_record.hpp"

#include "codelets/iteration_rules.hpp"

namespace tessera {
namespace {

void begin_projection_cpu(const BeginProjectionArgs& args, const Buffers& buffers) {
    rules::begin_projection(args, *batch_sums(buffers.get<const std::byte>(0)),
                            *buffers.get<IterationState>(1));
}

Cost begin_projection_cost(const BeginProjectionArgs&) {
    return {8, sizeof(BatchSums) + sizeof(IterationState)};
}

void note_cost_cpu(const NoteCostArgs&, const Buffers& buffers) {
    rules::note_cost(*batch_sums(buffers.get<const std::byte>(0)), *buffers.get<IterationState>(1));
}

Cost note_cost_cost(const NoteCostArgs&) {
    return {8, sizeof(BatchSums) + sizeof(IterationState)};
}

}  // namespace

const Codelet<BeginProjectionArgs> begin_projection =
    Codelet<BeginProjectionArgs>::make<begin_projection_cpu, TESSERA_ON_DEVICE(begin_projection_device),
                                       begin_projection_cost>("begin_projection",
                                                              {Access::read, Access::read_write});
const Codelet<NoteCostArgs> note_cost =
    Codelet<NoteCostArgs>::make<note_cost_cpu, TESSERA_ON_DEVICE(note_cost_device), note_cost_cost>(
        "note_cost", {Access::read, Access::read_write});

}  // namespace tessera
