#include "codelets/divide.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "codelets/cost_model.hpp"
#include "codelets/field_sweeps.hpp"
#include "codelets/iteration_rules.hpp"

namespace tessera {
namespace {

void divide_object_cpu(const DivideObjectArgs& args, const Buffers& buffers) {
    const auto* state = buffers.get<const IterationState>(2);
    if (state->stopped != 0 || state->overlap_done != 0) return;
    const auto* sums = buffers.get<const cfloat>(1);
    const std::size_t area = args.tile.area(), size = volume(args.tile, args.num_modes);
    cfloat* value = moving_field(buffers.get<std::byte>(0), size).value;
    const auto inertia = static_cast<float>(args.inertia);
    for (std::size_t first = 0; first < size; first += area)
        update_by_overlap(value + first, sums + first, sums + size, inertia, area);
    if (args.most_amplitude > 0) {
        clip_amplitudes(value, static_cast<float>(args.least_amplitude),
                        static_cast<float>(args.most_amplitude), size);
    }
}

Cost divide_object_cost(const DivideObjectArgs& args) {
    return pixels_cost(static_cast<double>(volume(args.tile, args.num_modes)), 10, 4 * sizeof(cfloat));
}

void clear_outside_support(const DivideProbeArgs& args, cfloat* probe) {
    for (std::int32_t y = 0; y < args.probe.y; ++y) {
        for (std::int32_t x = 0; x < args.probe.x; ++x) {
            if (rules::is_in_support(args, y, x)) continue;
            for (std::int32_t k = 0; k < args.num_modes; ++k) {
                probe[static_cast<std::size_t>(k) * args.probe.area() +
                      static_cast<std::size_t>(y) * static_cast<std::size_t>(args.probe.x) +
                      static_cast<std::size_t>(x)] = {0, 0};
            }
        }
    }
}

// Of sum_k |P_k|^2: power, and first moments about the window's centre.
rules::ProbeMoments moments_of(const DivideProbeArgs& args, const cfloat* probe) {
    rules::ProbeMoments moments;
    for (std::int32_t y = 0; y < args.probe.y; ++y) {
        rules::ProbeMoments row;
        for (std::int32_t x = 0; x < args.probe.x; ++x) {
            double power = 0;
            for (std::int32_t k = 0; k < args.num_modes; ++k) {
                const cfloat p = probe[static_cast<std::size_t>(k) * args.probe.area() +
                                       static_cast<std::size_t>(y) * static_cast<std::size_t>(args.probe.x) +
                                       static_cast<std::size_t>(x)];
                power += static_cast<double>(norm(p));
            }
            row.power += power;
            row.x += power * (x - args.probe.x / 2);
        }
        moments.power += row.power;
        moments.x += row.x;
        moments.y += row.power * (y - args.probe.y / 2);
    }
    return moments;
}

void roll_modes(const DivideProbeArgs& args, const rules::ProbeRoll& by, cfloat* probe) {
    std::vector<cfloat> before(args.probe.area());
    for (std::int32_t k = 0; k < args.num_modes; ++k) {
        cfloat* mode = probe + static_cast<std::size_t>(k) * args.probe.area();
        std::copy_n(mode, before.size(), before.begin());
        for (std::int32_t y = 0; y < args.probe.y; ++y) {
            for (std::int32_t x = 0; x < args.probe.x; ++x) {
                const std::int32_t from_y = rules::rolled(y, -by.y, args.probe.y),
                                   from_x = rules::rolled(x, -by.x, args.probe.x);
                mode[y * args.probe.x + x] = before[static_cast<std::size_t>(from_y * args.probe.x + from_x)];
            }
        }
    }
}

void divide_probe_cpu(const DivideProbeArgs& args, const Buffers& buffers) {
    IterationState& state = *buffers.get<IterationState>(2);
    if (state.stopped != 0 || state.overlap_done != 0) return;
    const auto field = moving_field(buffers.get<std::byte>(0), args.probe_size());
    const cfloat* numerators = probe_part(buffers.get<const std::byte>(1));
    const cfloat* weight = numerators + args.probe_size();
    const std::size_t area = args.probe.area();
    std::vector<cfloat> before(field.value, field.value + args.probe_size());
    for (std::size_t k = 0; k < static_cast<std::size_t>(args.num_modes); ++k) {
        update_by_overlap(field.value + k * area, numerators + k * area, weight,
                          static_cast<float>(args.inertia), area);
    }
    if (args.support.are_set()) clear_outside_support(args, field.value);
    double change = 0, power = 0;
    for (std::size_t i = 0; i < before.size(); ++i) {
        change += static_cast<double>(norm(field.value[i] - before[i]));
        power += static_cast<double>(norm(field.value[i]));
    }
    const rules::ProbeRoll roll = args.centering == ProbeCentering::on
                                      ? rules::centering_roll(args, moments_of(args, field.value))
                                      : rules::ProbeRoll{};
    if (roll.y != 0 || roll.x != 0) roll_modes(args, roll, field.value);
    rules::end_overlap(args, change, power, roll, state);
}

Cost divide_probe_cost(const DivideProbeArgs& args) {
    return pixels_cost(static_cast<double>(args.probe_size()), 20, 4 * sizeof(cfloat));
}

}  // namespace

const Codelet<DivideObjectArgs> divide_object =
    Codelet<DivideObjectArgs>::make<divide_object_cpu, TESSERA_ON_DEVICE(divide_object_device),
                                    divide_object_cost>("divide_object",
                                                        {Access::read_write, Access::read, Access::read});
const Codelet<DivideProbeArgs> divide_probe =
    Codelet<DivideProbeArgs>::make<divide_probe_cpu, TESSERA_ON_DEVICE(divide_probe_device),
                                   divide_probe_cost>("divide_probe",
                                                      {Access::read_write, Access::read, Access::read_write});

}  // namespace tessera
