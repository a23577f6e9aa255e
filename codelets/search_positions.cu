#include "codelets/search_positions.hpp"

#include "codelets/device/frame_evaluation.hpp"
#include "codelets/position_rules.hpp"

namespace tessera {
namespace {

// The best place of a frame so far.
struct FoundPlace {
    double squared_error, shift[2];
    std::int32_t is_suspicious, is_elsewhere;
};

// x: the frame, in all of these.
struct BeginSearchScalars {
    SearchPositionsArgs args;
    const IterationState* state;
    const double* costs;
    FoundPlace* found;
    TESSERA_HD void operator()(std::int32_t j, std::int32_t, std::int32_t) const {
        const double error = costs[2 * j + 1];
        const bool is_tried = state->stopped == 0 && rules::is_suspicious(args, error, *state);
        found[j] = {error, {0, 0}, is_tried ? 1 : 0, 0};
    }
};

struct TryPlaceScalars {
    SearchPositionsArgs args;
    int number;
    const FramePlace* places;
    FramePosition* tried;
    TESSERA_HD void operator()(std::int32_t j, std::int32_t, std::int32_t) const {
        double shift[2];
        rules::tried_shift(args, places[j], number, shift);
        tried[j] = rules::position_at(places[j], shift, args.shape.interpolation);
    }
};

struct KeepBetterScalars {
    SearchPositionsArgs args;
    int number;
    const double* costs;
    const FramePlace* places;
    FoundPlace* found;
    TESSERA_HD void operator()(std::int32_t j, std::int32_t, std::int32_t) const {
        if (found[j].is_suspicious == 0 || !(costs[2 * j + 1] < found[j].squared_error)) return;
        found[j].squared_error = costs[2 * j + 1];
        found[j].is_elsewhere = 1;
        rules::tried_shift(args, places[j], number, found[j].shift);
    }
};

struct EndSearchScalars {
    SearchPositionsArgs args;
    const FoundPlace* found;
    FramePlace* places;
    FramePosition* frames;
    TESSERA_HD void operator()(std::int32_t j, std::int32_t, std::int32_t) const {
        if (found[j].is_elsewhere != 0)
            rules::put_at(found[j].shift, args.shape.interpolation, places[j], frames[j]);
    }
};

}  // namespace

void search_positions_device(const SearchPositionsArgs& args, const Buffers& buffers, Device& device) {
    const BatchShape& s = args.shape;
    const auto num_frames = static_cast<std::size_t>(s.num_frames);
    auto* frames = buffers.get<FramePosition>(1);
    FramePlace* places = buffers.get<FramePlace>(6) + args.first;
    auto* costs = device.scratch<double>(Scratch::row_sums, 2 * num_frames);
    auto* found = device.scratch<FoundPlace>(Scratch::found_places, num_frames);
    auto* tried = device.scratch<FramePosition>(Scratch::tried_positions, num_frames);
    FrameEvaluations evaluations(s, buffers, device);
    evaluations.run(frames, costs);
    device.for_each({s.num_frames},
                    BeginSearchScalars{args, buffers.get<const IterationState>(5), costs, found});
    for (int number = 0; number <= args.num_tries; ++number) {
        device.for_each({s.num_frames}, TryPlaceScalars{args, number, places, tried});
        evaluations.run(tried, costs);
        device.for_each({s.num_frames}, KeepBetterScalars{args, number, costs, places, found});
    }
    device.for_each({s.num_frames}, EndSearchScalars{args, found, places, frames});
}

}  // namespace tessera
