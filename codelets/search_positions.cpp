#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codelets/search_positions.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include <algorithm>
#include <cmath>
#include <numbers>

#include "codelets/cost_model.hpp"
#include "codelets/frame_evaluation-inl.hpp"
#include "codelets/position_rules.hpp"
#include "codelets/search_positions.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

// `error_at(position)`: the squared error of the frame there.
template <class ErrorAt>
FoundPlace search_for_frame(const SearchPositionsArgs& args, const IterationState& state,
                            const ErrorAt& error_at, const FramePlace& place, const FramePosition& position) {
    FoundPlace found = rules::begin_search(args, error_at(position), state);
    for (int number = 0; number <= args.num_tries && found.is_suspicious != 0; ++number)
        rules::keep_better(args, place, number, error_at(rules::tried_position(args, place, number)), found);
    return found;
}

void search_positions_of_batch(const SearchPositionsArgs& args, const Buffers& buffers) {
    const BatchShape& s = args.shape;
    const IterationState& state = *buffers.get<const IterationState>(5);
    FoundPlace* found = found_places(buffers.get<std::byte>(7));
    if (state.stopped != 0) {
        std::fill_n(found, s.num_frames, FoundPlace());
        return;
    }
    FrameEvaluation evaluation(s, buffers.get<const std::byte>(1), buffers.get<const std::byte>(2),
                               buffers.get<const std::byte>(3), buffers.get<const std::byte>(4));
    const auto* frames = buffers.get<const FramePosition>(1);
    const FramePlace* places = buffers.get<const FramePlace>(6) + args.first;
    with_counts(buffers.get<const void>(0), s.pattern_type, [&](const auto* patterns) HWY_ATTR {
        for (std::int32_t j = 0; j < s.num_frames; ++j) {
            const auto error_at = [&](const FramePosition& position) {
                return evaluation
                    .at(position, j, patterns + static_cast<std::size_t>(j) * detector_shape(s).area())
                    .squared_error;
            };
            found[j] = search_for_frame(args, state, error_at, places[j], frames[j]);
        }
    });
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera {
namespace {

HWY_EXPORT(search_positions_of_batch);

void search_positions_cpu(const SearchPositionsArgs& args, const Buffers& buffers) {
    HWY_DYNAMIC_DISPATCH(search_positions_of_batch)(args, buffers);
}

// As if a tenth of the frames were tried.
Cost search_positions_cost(const SearchPositionsArgs& args) {
    const double times = 1 + 0.1 * (args.num_tries + 1);
    return frames_cost(args.shape, times, times, 60 * times);
}

void put_frames_cpu(const PutFramesArgs& args, const Buffers& buffers) {
    const FoundPlace* found = found_places(buffers.get<const std::byte>(0));
    FramePlace* places = buffers.get<FramePlace>(1) + args.first;
    auto* frames = buffers.get<FramePosition>(2);
    for (std::int32_t j = 0; j < args.num_frames; ++j)
        rules::put_frame(found[j], args.interpolation, places[j], frames[j]);
}

Cost put_frames_cost(const PutFramesArgs& args) {
    return pixels_cost(args.num_frames, 10, sizeof(FramePlace));
}

}  // namespace

void spread_tries(int num_tries, double radius_px, int round, SearchPositionsArgs& args) {
    const double golden_angle = std::numbers::pi * (3 - std::sqrt(5.0));
    args.num_tries = num_tries;
    for (int i = 0; i < num_tries; ++i) {
        const double radius = radius_px * std::sqrt((i + 0.5) / num_tries);
        const double angle = golden_angle * i + round;
        args.offsets_px[i][0] = radius * std::sin(angle);
        args.offsets_px[i][1] = radius * std::cos(angle);
    }
}

BufferBytes SearchPositionsArgs::buffer_bytes() const {
    return {patterns_bytes(shape),
            frames_bytes(shape),
            detector_bytes(shape),
            probe_bytes(shape),
            moving_field_bytes(shape.tile_size()),
            sizeof(IterationState),
            static_cast<std::size_t>(first + shape.num_frames) * sizeof(FramePlace),
            found_places_bytes(shape.num_frames)};
}

BufferBytes PutFramesArgs::buffer_bytes() const {
    return {found_places_bytes(num_frames), static_cast<std::size_t>(first + num_frames) * sizeof(FramePlace),
            static_cast<std::size_t>(num_frames) * sizeof(FramePosition)};
}

const Codelet<SearchPositionsArgs> search_positions =
    Codelet<SearchPositionsArgs>::make<search_positions_cpu, TESSERA_ON_DEVICE(search_positions_device),
                                       search_positions_cost>(
        "search_positions", {Access::read, Access::read, Access::read, Access::read, Access::read,
                             Access::read, Access::read, Access::write});

const Codelet<PutFramesArgs> put_frames =
    Codelet<PutFramesArgs>::make<put_frames_cpu, TESSERA_ON_DEVICE(put_frames_device), put_frames_cost>(
        "put_frames", {Access::read, Access::read_write, Access::read_write});

}  // namespace tessera
#endif  // HWY_ONCE
