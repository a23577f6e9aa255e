#include "codelets/limit_object.hpp"

#include "codelets/device/device.hpp"

namespace tessera {
namespace {

struct LimitPixel {
    pixel::TransmissionLimits<float> limits;
    const IterationState* state;
    cfloat* value;
    TESSERA_HD void operator()(std::int32_t i, std::int32_t, std::int32_t) const {
        if (state->stopped == 0) value[i] = pixel::limited_transmission(value[i], limits, tiny_power, 1.0f);
    }
};

}  // namespace

void limit_object_device(const LimitObjectArgs& args, const Buffers& buffers, Device& device) {
    device.for_each({static_cast<std::int32_t>(args.size)},
                    LimitPixel{limits_of(args), buffers.get<const IterationState>(1),
                               moving_field(buffers.get<std::byte>(0), args.size).value});
}

}  // namespace tessera
