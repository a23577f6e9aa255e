#include "codelets/weigh.hpp"

#include <algorithm>

#include "codelets/cost_model.hpp"
#include "codelets/iteration_rules.hpp"

namespace tessera {
namespace {

// Returns the largest weight.
float real_parts(const cfloat* from, float* to, std::size_t count) {
    float largest = 0;
    for (std::size_t i = 0; i < count; ++i) {
        to[i] = from[i].re;
        largest = std::max(largest, to[i]);
    }
    return largest;
}

void weigh_object_cpu(const WeighObjectArgs& args, const Buffers& buffers) {
    const float largest =
        real_parts(buffers.get<const cfloat>(0), buffers.get<float>(1), volume(args.tile, args.num_planes));
    BatchSums& sums = *batch_sums(buffers.get<std::byte>(2));
    sums.weight_max = std::max(sums.weight_max, static_cast<double>(largest));
}

Cost weigh_object_cost(const WeighObjectArgs& args) {
    return pixels_cost(static_cast<double>(volume(args.tile, args.num_planes)), 1,
                       sizeof(cfloat) + sizeof(float));
}

void weigh_probe_cpu(const WeighProbeArgs& args, const Buffers& buffers) {
    const auto* total = buffers.get<const std::byte>(0);
    IterationState& state = *buffers.get<IterationState>(2);
    if (state.stopped != 0) return;
    state.coverage_max = rules::positive_weight(
        static_cast<double>(real_parts(probe_part(total), buffers.get<float>(1), args.probe.area())));
    state.illumination_max = rules::positive_weight(batch_sums(total)->weight_max);
}

Cost weigh_probe_cost(const WeighProbeArgs& args) {
    return pixels_cost(static_cast<double>(args.probe.area()), 1, sizeof(cfloat) + sizeof(float));
}

}  // namespace

const Codelet<WeighObjectArgs> weigh_object =
    Codelet<WeighObjectArgs>::make<weigh_object_cpu, TESSERA_ON_DEVICE(weigh_object_device),
                                   weigh_object_cost>("weigh_object",
                                                      {Access::read, Access::write, Access::read_write});
const Codelet<WeighProbeArgs> weigh_probe =
    Codelet<WeighProbeArgs>::make<weigh_probe_cpu, TESSERA_ON_DEVICE(weigh_probe_device), weigh_probe_cost>(
        "weigh_probe", {Access::read, Access::write, Access::read_write});

}  // namespace tessera
