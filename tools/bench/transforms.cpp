#include "tools/bench/transforms.hpp"

#include <array>
#include <map>

#include "base/array.hpp"
#include "codelets/cost_model.hpp"
#include "math/fft.hpp"

namespace tessera::bench {
namespace {

void transforms_cpu(const TransformsArgs& args, const Buffers& buffers) {
    const BatchShape& s = args.shape;
    static std::map<std::pair<int, int>, FftwPlan> plans;  // one worker only
    const FftwPlan& plan =
        plans.try_emplace({s.frame.y, s.frame.x}, std::array<int, 2>{s.frame.y, s.frame.x}).first->second;
    Array<cfloat, 2> waves({s.num_modes, static_cast<std::ptrdiff_t>(s.frame.area())}, {1, 0});
    for (std::int32_t j = 0; j < s.num_frames; ++j) {
        for (std::int32_t t = 0; t < args.times; ++t) {
            for (std::int32_t k = 0; k < s.num_modes; ++k) {
                t % 2 == 0 ? plan.forward(waves.slice(k).data()) : plan.backward(waves.slice(k).data());
            }
        }
    }
    *buffers.get<float>(0) = waves[0].re;
}

Cost transforms_cost(const TransformsArgs& args) {
    return frames_cost(args.shape, args.times, 0, 0);
}

}  // namespace

const Codelet<TransformsArgs> transforms =
    Codelet<TransformsArgs>::make<transforms_cpu, TESSERA_ON_DEVICE(transforms_device), transforms_cost>(
        "transforms", {Access::write});

}  // namespace tessera::bench
