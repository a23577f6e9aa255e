#include "codelets/average.hpp"

#include "codelets/device/device.hpp"

namespace tessera {
namespace {

struct AddToMean {
    Averaging averaging;
    const IterationState* state;
    cfloat* sum;
    cfloat* value;
    TESSERA_HD void operator()(std::int32_t i, std::int32_t, std::int32_t) const {
        if (state->stopped != 0) return;
        sum[i] = state->num_averaged == 1 ? value[i] : sum[i] + value[i];
        const float share = 1.0f / static_cast<float>(state->num_averaged);
        if (averaging == Averaging::last) value[i] = share * sum[i];
    }
};

}  // namespace

void average_device(const AverageArgs& args, const Buffers& buffers, Device& device) {
    const auto field = moving_field(buffers.get<std::byte>(0), args.size);
    device.for_each(
        {static_cast<std::int32_t>(args.size)},
        AddToMean{args.averaging, buffers.get<const IterationState>(1), field.direction, field.value});
}

}  // namespace tessera
