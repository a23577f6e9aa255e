#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codelets/search_positions.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

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
void search_for_frame(const SearchPositionsArgs& args, const IterationState& state, const ErrorAt& error_at,
                      FramePlace& place, FramePosition& position) {
    const Interpolation interpolation = args.shape.interpolation;
    double least = error_at(position);
    if (!rules::is_suspicious(args, least, state)) return;
    double best[2] = {place.shift[0], place.shift[1]};
    bool is_elsewhere = false;
    for (int number = 0; number <= args.num_tries; ++number) {
        double shift[2];
        rules::tried_shift(args, place, number, shift);
        const double error = error_at(rules::position_at(place, shift, interpolation));
        if (!(error < least)) continue;
        least = error;
        is_elsewhere = true;
        best[0] = shift[0];
        best[1] = shift[1];
    }
    if (is_elsewhere) rules::put_at(best, interpolation, place, position);
}

void search_positions_of_batch(const SearchPositionsArgs& args, const Buffers& buffers) {
    const BatchShape& s = args.shape;
    const IterationState& state = *buffers.get<const IterationState>(5);
    if (state.stopped != 0) return;
    FrameEvaluation evaluation(s, buffers.get<const std::byte>(1), buffers.get<const std::byte>(2),
                               buffers.get<const std::byte>(3), buffers.get<const std::byte>(4));
    auto* frames = buffers.get<FramePosition>(1);
    FramePlace* places = buffers.get<FramePlace>(6) + args.first;
    with_counts(buffers.get<const void>(0), s.pattern_type, [&](const auto* patterns) HWY_ATTR {
        for (std::int32_t j = 0; j < s.num_frames; ++j) {
            const auto error_at = [&](const FramePosition& position) {
                return evaluation.at(position, j, patterns + static_cast<std::size_t>(j) * s.frame.area())
                    .squared_error;
            };
            search_for_frame(args, state, error_at, places[j], frames[j]);
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
            moving_field_bytes(shape.probe_size()),
            moving_field_bytes(shape.tile_size()),
            sizeof(IterationState),
            static_cast<std::size_t>(first + shape.num_frames) * sizeof(FramePlace)};
}

const Codelet<SearchPositionsArgs> search_positions =
    Codelet<SearchPositionsArgs>::make<search_positions_cpu, TESSERA_ON_DEVICE(search_positions_device),
                                       search_positions_cost>(
        "search_positions", {Access::read, Access::read_write, Access::read, Access::read, Access::read,
                             Access::read, Access::read_write});

}  // namespace tessera
#endif  // HWY_ONCE
