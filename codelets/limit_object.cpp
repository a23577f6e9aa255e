#include "codelets/limit_object.hpp"

#include "codelets/cost_model.hpp"
#include "codelets/field_sweeps.hpp"

namespace tessera {
namespace {

void limit_object_cpu(const LimitObjectArgs& args, const Buffers& buffers) {
    if (buffers.get<const IterationState>(1)->stopped != 0) return;
    cfloat* value = moving_field(buffers.get<std::byte>(0), args.size).value;
    limit_transmissions(value, limits_of(args), tiny_power, args.size);
}

Cost limit_object_cost(const LimitObjectArgs& args) {
    return pixels_cost(static_cast<double>(args.size), 30, 2 * sizeof(cfloat));
}

}  // namespace

const Codelet<LimitObjectArgs> limit_object =
    Codelet<LimitObjectArgs>::make<limit_object_cpu, TESSERA_ON_DEVICE(limit_object_device),
                                   limit_object_cost>("limit_object", {Access::read_write, Access::read});

}  // namespace tessera
