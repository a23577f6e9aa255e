#include "tools/bench/transforms.hpp"

#include "codelets/device/device.hpp"

namespace tessera::bench {

void transforms_device(const TransformsArgs& args, const Buffers& buffers, Device& device) {
    const BatchShape& s = args.shape;
    const std::int32_t turn = frames_at_a_time(s, device.wave_budget_bytes());
    const std::size_t size = static_cast<std::size_t>(turn) * s.waves_size();
    cfloat* waves = device.scratch<cfloat>(Scratch::waves, size);
    device.clear(buffers.get<float>(0), sizeof(float));
    for (std::int32_t first = 0; first < s.num_frames; first += turn) {
        const std::int32_t num_frames = s.num_frames - first < turn ? s.num_frames - first : turn;
        device.clear(waves, size * sizeof(cfloat));
        for (std::int32_t t = 0; t < args.times; ++t) {
            if (t % 2 == 0) {
                device.forward(waves, s.frame, num_frames * s.num_modes);
            } else {
                device.backward(waves, s.frame, num_frames * s.num_modes);
            }
        }
    }
}

}  // namespace tessera::bench
