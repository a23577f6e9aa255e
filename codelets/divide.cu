#include "codelets/divide.hpp"

#include "codelets/device/frames.hpp"
#include "codelets/iteration_rules.hpp"
#include "pixel/formulas.hpp"

namespace tessera {
namespace {

// x: pixel, y: mode.
struct UpdateObject {
    std::int32_t area;
    float inertia, least, most;  // most = 0: amplitudes stay
    const cfloat* numerator;
    const cfloat* weight;
    const IterationState* state;
    cfloat* value;
    TESSERA_HD void operator()(std::int32_t pixel, std::int32_t mode, std::int32_t) const {
        if (is_idle(*state)) return;
        const std::ptrdiff_t i = std::ptrdiff_t{mode} * area + pixel;
        cfloat updated = pixel::overlap_update(value[i], numerator[i], weight[pixel].re, inertia);
        if (most > 0) updated = pixel::clip_amplitude(updated, least, most, 1e-30f);
        value[i] = updated;
    }
};

// The probe's modes as they become, before they are centred. x, y: of the probe, z: mode.
struct UpdateProbe {
    DivideProbeArgs args;
    const cfloat* value;
    const cfloat* numerators;
    const cfloat* weight;
    const IterationState* state;
    cfloat* updated;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t k) const {
        const std::ptrdiff_t area = static_cast<std::ptrdiff_t>(args.probe.y) * args.probe.x;
        const std::ptrdiff_t pixel = static_cast<std::ptrdiff_t>(y) * args.probe.x + x, i = k * area + pixel;
        cfloat now = value[i];
        if (!is_idle(*state)) {
            now =
                pixel::overlap_update(now, numerators[i], weight[pixel].re, static_cast<float>(args.inertia));
            if (!rules::is_in_support(args, y, x)) now = {0, 0};
        }
        updated[i] = now;
    }
};

// Change and power over all modes, and the power's first moments about the window's centre.
struct ProbeChanges {
    DivideProbeArgs args;
    const cfloat* value;
    const cfloat* updated;
    static constexpr int num_sums = 4;
    TESSERA_HD void operator()(std::int32_t pixel, std::int32_t, float (&sums)[num_sums]) const {
        const std::ptrdiff_t area = static_cast<std::ptrdiff_t>(args.probe.y) * args.probe.x;
        float power = 0;
        for (std::int32_t k = 0; k < args.num_modes; ++k) {
            const cfloat now = updated[k * area + pixel];
            sums[0] = norm_add(now - value[k * area + pixel], sums[0]);
            power = norm_add(now, power);
        }
        sums[1] += power;
        sums[2] += power * static_cast<float>(pixel / args.probe.x - args.probe.y / 2);
        sums[3] += power * static_cast<float>(pixel % args.probe.x - args.probe.x / 2);
    }
};

struct ProbeFinishSums {
    DivideProbeArgs args;
    const double* sums;
    IterationState* state;
    TESSERA_HD void operator()() const {
        if (is_idle(*state)) return;
        const rules::ProbeMoments moments = {sums[1], sums[2], sums[3]};
        const rules::ProbeRoll roll =
            args.centering == ProbeCentering::on ? rules::centering_roll(args, moments) : rules::ProbeRoll{};
        rules::end_overlap(args, sums[0], sums[1], roll, *state);
    }
};

// Idle states have no roll.
struct RollProbe {
    DivideProbeArgs args;
    const cfloat* updated;
    const IterationState* state;
    cfloat* value;
    TESSERA_HD void operator()(std::int32_t x, std::int32_t y, std::int32_t k) const {
        const std::ptrdiff_t area = static_cast<std::ptrdiff_t>(args.probe.y) * args.probe.x;
        const std::int32_t from_y = rules::rolled(y, -state->roll_y, args.probe.y),
                           from_x = rules::rolled(x, -state->roll_x, args.probe.x);
        value[k * area + static_cast<std::ptrdiff_t>(y) * args.probe.x + x] =
            updated[k * area + static_cast<std::ptrdiff_t>(from_y) * args.probe.x + from_x];
    }
};

}  // namespace

void divide_object_device(const DivideObjectArgs& args, const Buffers& buffers, Device& device) {
    const auto* sums = buffers.get<const cfloat>(1);
    const std::size_t size = volume(args.tile, args.num_modes);
    const auto area = static_cast<std::int32_t>(args.tile.area());
    device.for_each(
        {area, args.num_modes},
        UpdateObject{area, static_cast<float>(args.inertia), static_cast<float>(args.least_amplitude),
                     static_cast<float>(args.most_amplitude), sums, sums + size,
                     buffers.get<const IterationState>(2),
                     moving_field(buffers.get<std::byte>(0), size).value});
}

void divide_probe_device(const DivideProbeArgs& args, const Buffers& buffers, Device& device) {
    cfloat* value = moving_field(buffers.get<std::byte>(0), args.probe_size()).value;
    const cfloat* numerators = probe_part(buffers.get<const std::byte>(1));
    auto* state = buffers.get<IterationState>(2);
    auto* updated = device.scratch<cfloat>(Scratch::groups, args.probe_size());
    auto* sums = device.scratch<double>(Scratch::row_sums, ProbeChanges::num_sums);
    const Extent modes = {args.probe.x, args.probe.y, args.num_modes};
    device.for_each(modes,
                    UpdateProbe{args, value, numerators, numerators + args.probe_size(), state, updated});
    device.reduce_rows<ProbeChanges::num_sums, Sum>(1, static_cast<std::int32_t>(args.probe.area()),
                                                    ProbeChanges{args, value, updated}, sums);
    device.once(ProbeFinishSums{args, sums, state});
    device.for_each(modes, RollProbe{args, updated, state, value});
}

}  // namespace tessera
