#include "codelets/minibatch.hpp"

#include <algorithm>
#include <cstring>

#include "codelets/cost_model.hpp"
#include "codelets/field_sweeps.hpp"
#include "codelets/iteration_rules.hpp"
#include "codelets/runtime/workspace.hpp"

namespace tessera {
namespace {

// |P|^2 summed over the modes.
const float* power_of(const cfloat* probe, std::size_t area, std::int32_t num_modes) {
    float* power = Workspace::of_this_worker().get<float>(Workspace::Slot::product, area);
    std::memset(power, 0, area * sizeof(float));
    for (std::int32_t k = 0; k < num_modes; ++k)
        add_powers(power, probe + static_cast<std::size_t>(k) * area, area);
    return power;
}

// The part of a frame's window that lies in the tile.
void add_light(const float* power, const MinibatchFrame& at, const MinibatchWeightsArgs& args,
               float* illumination) {
    const std::int32_t first_y = std::max(at.y, 0), last_y = std::min(at.y + args.probe.y, args.tile.y);
    const std::int32_t first_x = std::max(at.x, 0), last_x = std::min(at.x + args.probe.x, args.tile.x);
    for (std::int32_t y = first_y; y < last_y; ++y) {
        add_weights(illumination + static_cast<std::ptrdiff_t>(y) * args.tile.x + first_x,
                    power + static_cast<std::ptrdiff_t>(y - at.y) * args.probe.x + (first_x - at.x),
                    static_cast<std::size_t>(last_x - first_x));
    }
}

// |O|^2 under the tile's own frames.
const float* coverage_of(const cfloat* object, const MinibatchFrame* frames,
                         const MinibatchWeightsArgs& args) {
    float* coverage = Workspace::of_this_worker().get<float>(Workspace::Slot::object, args.probe.area());
    std::memset(coverage, 0, args.probe.area() * sizeof(float));
    for (std::int32_t j = 0; j < args.num_frames; ++j) {
        if (frames[j].is_own == 0) continue;
        for (std::int32_t y = 0; y < args.probe.y; ++y) {
            add_powers(coverage + static_cast<std::ptrdiff_t>(y) * args.probe.x,
                       object + static_cast<std::ptrdiff_t>(frames[j].y + y) * args.tile.x + frames[j].x,
                       static_cast<std::size_t>(args.probe.x));
        }
    }
    return coverage;
}

// largest(first pixel of a row): over the rows of the interior.
template <class Largest>
double largest_inside(const MinibatchWeightsArgs& args, const Largest& largest) {
    float found = 0;
    for (std::int32_t y = args.interior_y; y < args.interior_y + args.interior.y; ++y)
        found = std::max(found, largest(static_cast<std::ptrdiff_t>(y) * args.tile.x + args.interior_x));
    return static_cast<double>(found);
}

void minibatch_weights_cpu(const MinibatchWeightsArgs& args, const Buffers& buffers) {
    if (buffers.get<const IterationState>(3)->stopped != 0) return;
    const auto* frames = buffers.get<const MinibatchFrame>(0);
    const auto probe = moving_field(buffers.get<const std::byte>(1), args.probe_size());
    const auto object = moving_field(buffers.get<const std::byte>(2), args.tile.area());
    auto* illumination = buffers.get<float>(4);
    auto* sums = buffers.get<std::byte>(5);
    const float* power = power_of(probe.value, args.probe.area(), args.num_modes);
    std::memset(illumination, 0, args.tile.area() * sizeof(float));
    for (std::int32_t j = 0; j < args.num_frames; ++j) add_light(power, frames[j], args, illumination);
    const float* covered = coverage_of(object.value, frames, args);
    cfloat* coverage = probe_part(sums) + args.probe_size();
    for (std::size_t i = 0; i < args.probe.area(); ++i) coverage[i].re += covered[i];
    BatchSums& scalars = *batch_sums(sums);
    const auto width = static_cast<std::size_t>(args.interior.x);
    scalars.weight_max = std::max(scalars.weight_max, largest_inside(args, [&](std::ptrdiff_t row) {
                                      return largest_of(illumination + row, width);
                                  }));
    if (args.norm == ObjectNorm::of_minibatch) return;
    float* norms = Workspace::of_this_worker().get<float>(Workspace::Slot::product, width);
    scalars.object_max = std::max(scalars.object_max, largest_inside(args, [&](std::ptrdiff_t row) {
                                      std::memset(norms, 0, width * sizeof(float));
                                      add_powers(norms, object.value + row, width);
                                      return largest_of(norms, width);
                                  }));
}

Cost minibatch_weights_cost(const MinibatchWeightsArgs& args) {
    const double pixels = static_cast<double>(args.num_frames) * static_cast<double>(args.probe.area()) +
                          static_cast<double>(args.tile.area());
    return pixels_cost(pixels, 3, 2 * sizeof(cfloat));
}

void begin_minibatch_cpu(const BeginMinibatchArgs& args, const Buffers& buffers) {
    const auto* total = buffers.get<const std::byte>(0);
    IterationState& state = *buffers.get<IterationState>(3);
    if (!rules::begin_minibatch(args, *batch_sums(total), state)) return;
    const std::size_t probe_size = args.probe_size();
    const cfloat* part = probe_part(total);
    std::memcpy(static_cast<void*>(buffers.get<cfloat>(1)), part, probe_size * sizeof(cfloat));
    if (args.weights == Weights::of_all) return;
    auto* coverage = buffers.get<float>(2);
    float largest = 0;
    for (std::size_t i = 0; i < args.probe_shape.area(); ++i) {
        coverage[i] = part[probe_size + i].re;
        largest = std::max(largest, coverage[i]);
    }
    rules::set_largest_weights(args, *batch_sums(total), static_cast<double>(largest), state);
}

Cost begin_minibatch_cost(const BeginMinibatchArgs& args) {
    return pixels_cost(static_cast<double>(args.probe_size() + args.probe_shape.area()), 1,
                       2 * sizeof(cfloat));
}

}  // namespace

BufferBytes MinibatchWeightsArgs::buffer_bytes() const {
    return {static_cast<std::size_t>(num_frames) * sizeof(MinibatchFrame),
            moving_field_bytes(probe_size()),
            moving_field_bytes(tile.area()),
            sizeof(IterationState),
            weight_bytes(tile),
            sums_bytes(probe_size() + probe.area())};
}

BufferBytes BeginMinibatchArgs::buffer_bytes() const {
    return {sums_bytes(probe_size() + probe_shape.area()), probe_size() * sizeof(cfloat),
            weight_bytes(probe_shape), sizeof(IterationState)};
}

const Codelet<MinibatchWeightsArgs> minibatch_weights =
    Codelet<MinibatchWeightsArgs>::make<minibatch_weights_cpu, TESSERA_ON_DEVICE(minibatch_weights_device),
                                        minibatch_weights_cost>(
        "minibatch_weights",
        {Access::read, Access::read, Access::read, Access::read, Access::write, Access::read_write});
const Codelet<BeginMinibatchArgs> begin_minibatch =
    Codelet<BeginMinibatchArgs>::make<begin_minibatch_cpu, TESSERA_ON_DEVICE(begin_minibatch_device),
                                      begin_minibatch_cost>(
        "begin_minibatch", {Access::read, Access::write, Access::read_write, Access::read_write});

}  // namespace tessera
