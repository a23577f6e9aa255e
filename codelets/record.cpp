#include "codelets/record.hpp"

#include <chrono>

namespace tessera {
namespace {

void record_cpu(const RecordArgs&, const Buffers& buffers) {
    IterationState& made = *buffers.get<IterationState>(1);
    made = *buffers.get<const IterationState>(0);
    made.time_s = std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Cost record_cost(const RecordArgs&) {
    return {0, 2 * sizeof(IterationState)};
}

}  // namespace

const Codelet<RecordArgs> record =
    Codelet<RecordArgs>::make<record_cpu, TESSERA_ON_DEVICE(record_device), record_cost>(
        "record", {Access::read, Access::write});

}  // namespace tessera
