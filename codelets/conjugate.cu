#include "codelets/conjugate.hpp"

#include "codelets/device/field_dots.hpp"
#include "codelets/iteration_rules.hpp"

namespace tessera {
namespace {

// The dot products of one mode of the probe: row is the mode.
struct ProbeDots {
    DotsAtPixel dots;
    std::ptrdiff_t plane;
    const IterationState* state;
    TESSERA_HD void operator()(std::int32_t pixel, std::int32_t mode,
                               float (&sums)[DotsAtPixel::num_sums]) const {
        dots.add(mode * plane + pixel, pixel, static_cast<float>(state->coverage_max), sums);
    }
};

struct ConjugateScalars {
    ConjugateArgs args;
    const BatchSums* sums;
    const double* probe_dots;  // (mode, 3); null: the probe is fixed
    IterationState* state;
    TESSERA_HD void operator()() const {
        if (!rules::begin_iteration(args, *sums, *state)) return;
        DotProducts probe;
        for (std::int32_t k = 0; k < args.num_modes && probe_dots != nullptr; ++k) {
            probe.s1 += probe_dots[3 * k];
            probe.s2 += probe_dots[3 * k + 1];
            probe.s3 += probe_dots[3 * k + 2];
        }
        rules::choose_beta(args, *sums, probe, *state);
    }
};

}  // namespace

void conjugate_device(const ConjugateArgs& args, const Buffers& buffers, Device& device) {
    const auto* total = buffers.get<const std::byte>(0);
    auto* state = buffers.get<IterationState>(5);
    double* probe_dots = nullptr;
    if (args.probe == ProbeMotion::moving) {
        const std::size_t plane = args.probe_shape.area();
        const std::size_t size = static_cast<std::size_t>(args.num_modes) * plane;
        auto* kept = buffers.get<cfloat>(4);
        device.copy(kept, probe_part(total), size * sizeof(cfloat));
        const auto probe = moving_field(buffers.get<const std::byte>(2), size);
        const DotsAtPixel at_pixel = {kept, buffers.get<const cfloat>(1), probe.direction,
                                      buffers.get<const float>(3), static_cast<float>(args.alpha)};
        probe_dots = device.scratch<double>(Scratch::row_sums, 3 * static_cast<std::size_t>(args.num_modes));
        device.reduce_rows<DotsAtPixel::num_sums, Sum>(
            args.num_modes, static_cast<std::int32_t>(plane),
            ProbeDots{at_pixel, static_cast<std::ptrdiff_t>(plane), state}, probe_dots);
    }
    device.once(ConjugateScalars{args, batch_sums(total), probe_dots, state});
}

}  // namespace tessera
