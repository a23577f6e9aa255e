#include "codelets/search_positions.hpp"

#include "codelets/device/frame_evaluation.hpp"
#include "codelets/position_rules.hpp"

namespace tessera {
namespace {

// x: the frame, in all of these.
struct BeginSearchScalars {
    SearchPositionsArgs args;
    const IterationState* state;
    const double* costs;
    FoundPlace* found;
    TESSERA_HD void operator()(std::int32_t j, std::int32_t, std::int32_t) const {
        found[j] = rules::begin_search(args, costs[2 * j + 1], *state);
    }
};

struct TryPlaceScalars {
    SearchPositionsArgs args;
    int number;
    const FramePlace* places;
    FramePosition* tried;
    TESSERA_HD void operator()(std::int32_t j, std::int32_t, std::int32_t) const {
        tried[j] = rules::tried_position(args, places[j], number);
    }
};

struct KeepBetterScalars {
    SearchPositionsArgs args;
    int number;
    const double* costs;
    const FramePlace* places;
    FoundPlace* found;
    TESSERA_HD void operator()(std::int32_t j, std::int32_t, std::int32_t) const {
        rules::keep_better(args, places[j], number, costs[2 * j + 1], found[j]);
    }
};

struct PutFrameScalars {
    PutFramesArgs args;
    const FoundPlace* found;
    FramePlace* places;
    FramePosition* frames;
    TESSERA_HD void operator()(std::int32_t j, std::int32_t, std::int32_t) const {
        rules::put_frame(found[j], args.interpolation, places[j], frames[j]);
    }
};

}  // namespace

void search_positions_device(const SearchPositionsArgs& args, const Buffers& buffers, Device& device) {
    const BatchShape& s = args.shape;
    const auto num_frames = static_cast<std::size_t>(s.num_frames);
    const FramePlace* places = buffers.get<const FramePlace>(6) + args.first;
    FoundPlace* found = found_places(buffers.get<std::byte>(7));
    auto* costs = device.scratch<double>(Scratch::row_sums, 2 * num_frames);
    auto* tried = device.scratch<FramePosition>(Scratch::tried_positions, num_frames);
    FrameEvaluations evaluations(s, buffers, device);
    evaluations.run(buffers.get<const FramePosition>(1), costs);
    device.for_each({s.num_frames},
                    BeginSearchScalars{args, buffers.get<const IterationState>(5), costs, found});
    for (int number = 0; number <= args.num_tries; ++number) {
        device.for_each({s.num_frames}, TryPlaceScalars{args, number, places, tried});
        evaluations.run(tried, costs);
        device.for_each({s.num_frames}, KeepBetterScalars{args, number, costs, places, found});
    }
}

void put_frames_device(const PutFramesArgs& args, const Buffers& buffers, Device& device) {
    device.for_each({args.num_frames},
                    PutFrameScalars{args, found_places(buffers.get<const std::byte>(0)),
                                    buffers.get<FramePlace>(1) + args.first, buffers.get<FramePosition>(2)});
}

}  // namespace tessera
