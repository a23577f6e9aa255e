#include "tasks/ramp_removal.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace tessera {
namespace {

// Of the whole object where nothing is said to be flat.
Rect region_of(const Problem& problem) {
    const auto [height, width] = problem.tiling.object_shape;
    if (!problem.config.output.flat_region) return {0, 0, height, width};
    const auto& [y0, y1, x0, x1] = *problem.config.output.flat_region;
    return {y0, x0, y1, x1};
}

Strip part_of(const Rect& region, const Rect& tile) {
    const Rect part = intersection(region, tile);
    return {part.y0 - tile.y0, part.x0 - tile.x0, {std::max(part.height(), 0), std::max(part.width(), 0)}};
}

}  // namespace

void require_possible_flat_region(const Problem& problem) {
    if (!problem.config.output.flat_region) return;
    const auto& [y0, y1, x0, x1] = *problem.config.output.flat_region;
    const Rect region = {y0, x0, y1, x1};
    const auto [height, width] = problem.placement.object_shape;
    const auto refuse = [&](const std::string& why) {
        throw usage_error(
            "output.flat_region: [{}, {}, {}, {}] {} (allowed: [y0, y1, x0, x1] of pixels inside the object, "
            "of which a frame's window has some)",
            y0, y1, x0, x1, why);
    };
    if (!Rect{0, 0, height, width}.contains(region))
        refuse(fmt::format("is not inside the object of {} x {} pixels", height, width));
    const bool is_seen = std::ranges::any_of(problem.placement.windows, [&](const WindowPosition& at) {
        return !intersection(region,
                             {at.y, at.x, at.y + problem.probe_shape[0], at.x + problem.probe_shape[1]})
                    .empty();
    });
    if (!is_seen) refuse("is where no frame's window is");
}

RampRemoval::RampRemoval(const Problem& problem, const Handles& handles)
    : problem_(problem), handles_(handles) {
    if (num_sums(problem.config.output) == 0) return;
    ramp_ = Data(sizeof(PhaseRamp));
    PhaseRamp nothing;
    for (std::size_t axis = 0; axis < 2; ++axis)
        nothing.middle_of_object[axis] = problem.tiling.object_shape[axis] / 2;
    *ramp_.before_tasks<PhaseRamp>() = nothing;
}

std::size_t RampRemoval::num_sums(const OutputConfig& output) {
    return (output.remove_ramp ? 1 : 0) + (output.flat_region ? 1 : 0);
}

void RampRemoval::find(RampPart part) const {
    const Rect region = region_of(problem_);
    handles_.trial_sums.clear(0);
    for (const std::size_t t : handles_.own) {
        const Rect& extended = problem_.tiling.tiles[t].extended;
        const TileHandles& tile = handles_.tiles[t];
        FindRampArgs args;
        args.part = part;
        args.region = part_of(region, extended);
        args.tile_y = extended.y0;
        args.tile_x = extended.x0;
        for (const BatchHandles& batch : tile.batches) {
            if (!batch.is_own) continue;
            args.shape = batch.shape;
            find_ramp.submit(
                args, {&batch.frames, &handles_.probe, &tile.object, &ramp_, &handles_.trial_sums.of(t)});
        }
    }
    handles_.trial_sums.add_up(handles_.owners, 0);
    note_ramp.submit({part}, {&handles_.trial_sums.total(), &ramp_});
}

void RampRemoval::submit(const std::vector<Data>& interiors, const Data& probe) const {
    const OutputConfig& output = problem_.config.output;
    if (num_sums(output) == 0) return;
    if (output.remove_ramp) find(RampPart::slope);
    if (output.flat_region) find(RampPart::mean);
    for (const std::size_t t : handles_.own) {
        const Rect& interior = problem_.tiling.tiles[t].interior;
        remove_ramp.submit({RampedField::object, handles_.tiles[t].interior.shape, handles_.num_object_modes,
                            interior.y0, interior.x0},
                           {&ramp_, &interiors[t]});
    }
    const Shape2 shape = handles_.probe_shape;
    remove_ramp.submit({RampedField::probe, shape, handles_.num_modes, -(shape.y / 2), -(shape.x / 2)},
                       {&ramp_, &probe});
}

std::optional<PhaseRamp> RampRemoval::removed() const {
    if (ramp_.empty()) return {};
    return *HostAccess(ramp_, Access::read).as<const PhaseRamp>();
}

}  // namespace tessera
