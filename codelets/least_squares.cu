#include "codelets/least_squares.hpp"

#include "codelets/device/frame_fields.hpp"
#include "codelets/iteration_rules.hpp"

namespace tessera {
namespace {

// Of the products of least_squares.cpp, those of one pixel of a frame, all modes. y: the frame.
struct LeastSquaresProducts {
    static constexpr int num_sums = 5;
    BatchShape s;
    const FramePosition* frames;
    ProbeModes probe, probe_direction;
    ObjectWindow object, object_direction;
    const cfloat* chi;
    TESSERA_HD void operator()(std::int32_t pixel, std::int32_t frame, float (&sums)[num_sums]) const {
        const std::int32_t y = pixel / s.probe.x, x = pixel % s.probe.x;
        const Shape2 before = padding_before(s);
        const std::ptrdiff_t in_frame = at(s.frame, before.y + y, before.x + x);
        const FramePosition& where = frames[frame];
        const cfloat o = object(s, where, y, x), d = object_direction(s, where, y, x);
        for (std::int32_t k = 0; k < s.num_modes; ++k) {
            const cfloat by_object = probe(s, frame, k, y, x) * d;
            const cfloat by_probe = probe_direction(s, frame, k, y, x) * o;
            const cfloat residual =
                chi[(static_cast<std::ptrdiff_t>(frame) * s.num_modes + k) * area_of(s.frame) + in_frame];
            sums[0] = norm_add(by_object, sums[0]);
            sums[1] = dot_add(by_object, by_probe, sums[1]);
            sums[2] = norm_add(by_probe, sums[2]);
            sums[3] = dot_add(by_object, residual, sums[3]);
            sums[4] = dot_add(by_probe, residual, sums[4]);
        }
    }
};

struct LeastSquaresFinishSums {
    std::int32_t num_frames;
    const double* products;  // (frame, 5)
    const double* far_field_steps;
    const IterationState* state;
    BatchSums* sums;
    TESSERA_HD void operator()() const {
        *sums = BatchSums{};
        if (state->stopped != 0) return;
        for (std::int32_t j = 0; j < num_frames; ++j)
            rules::add_step_products(products + LeastSquaresProducts::num_sums * j, far_field_steps[j],
                                     *sums);
    }
};

struct ChooseLeastSquaresStepScalars {
    ChooseLeastSquaresStepArgs args;
    const BatchSums* sums;
    IterationState* state;
    TESSERA_HD void operator()() const { rules::choose_least_squares_step(args, *sums, *state); }
};

}  // namespace

void least_squares_device(const LeastSquaresArgs& args, const Buffers& buffers, Device& device) {
    const BatchShape& s = args.shape;
    const auto* residual = buffers.get<const std::byte>(0);
    const cfloat* chi = residual_waves(residual);
    const auto* all_frames = buffers.get<const FramePosition>(1);
    const auto probe = moving_field(buffers.get<const std::byte>(2), s.probe_size());
    const auto object = moving_field(buffers.get<const std::byte>(3), s.tile_size());
    const std::int32_t turn = frames_at_a_time(s, device.wave_budget_bytes());
    ShiftedProbe value(device, s, probe.value, Scratch::spectrum, Scratch::probe, turn,
                       opr_modes(buffers.get<const std::byte>(2), s));
    ShiftedProbe direction(device, s, probe.direction, Scratch::direction_spectrum, Scratch::probe_direction,
                           turn);
    cfloat* ramps = probe_ramps(device, s, turn);
    constexpr int num_sums = LeastSquaresProducts::num_sums;
    auto* products =
        device.scratch<double>(Scratch::row_sums, num_sums * static_cast<std::size_t>(s.num_frames));
    for (std::int32_t first = 0; first < s.num_frames; first += turn) {
        const std::int32_t count = s.num_frames - first < turn ? s.num_frames - first : turn;
        const FramePosition* frames = all_frames + first;
        place_ramps(device, s, frames, count, ramps);
        device.reduce_rows<num_sums, Sum>(
            count, static_cast<std::int32_t>(s.probe.area()),
            LeastSquaresProducts{
                s,
                frames,
                value.at(ramps, count, lights_from(buffers, s, first)),
                direction.at(ramps, count),
                {object.value, 1},
                {object.direction, 0},
                chi + static_cast<std::ptrdiff_t>(first) * static_cast<std::ptrdiff_t>(s.waves_size())},
            products + num_sums * static_cast<std::ptrdiff_t>(first));
    }
    device.once(LeastSquaresFinishSums{s.num_frames, products, far_field_steps(residual, s),
                                       buffers.get<const IterationState>(4),
                                       batch_sums(buffers.get<std::byte>(5))});
}

void choose_least_squares_step_device(const ChooseLeastSquaresStepArgs& args, const Buffers& buffers,
                                      Device& device) {
    device.once(ChooseLeastSquaresStepScalars{args, batch_sums(buffers.get<const std::byte>(0)),
                                              buffers.get<IterationState>(1)});
}

}  // namespace tessera
