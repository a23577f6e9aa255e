#include "codelets/average.hpp"

#include "codelets/cost_model.hpp"

namespace tessera {
namespace {

void average_cpu(const AverageArgs& args, const Buffers& buffers) {
    const auto* state = buffers.get<const IterationState>(1);
    if (state->stopped != 0) return;
    const auto [value, sum] = moving_field(buffers.get<std::byte>(0), args.size);
    const float share = 1.0f / static_cast<float>(state->num_averaged);
    for (std::size_t i = 0; i < args.size; ++i) {
        sum[i] = state->num_averaged == 1 ? value[i] : sum[i] + value[i];
        if (args.averaging == Averaging::last) value[i] = share * sum[i];
    }
}

Cost average_cost(const AverageArgs& args) {
    return pixels_cost(static_cast<double>(args.size), 4, 3 * sizeof(cfloat));
}

}  // namespace

const Codelet<AverageArgs> average =
    Codelet<AverageArgs>::make<average_cpu, TESSERA_ON_DEVICE(average_device), average_cost>(
        "average", {Access::read_write, Access::read});

}  // namespace tessera
