// What every codelet promises: wrong data is refused before anything runs, and a run that has stopped costs
// nothing more.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "base/error.hpp"
#include "codelets/accumulate.hpp"
#include "codelets/choose_step.hpp"
#include "codelets/conjugate.hpp"
#include "codelets/direction.hpp"
#include "codelets/dots.hpp"
#include "codelets/evaluate.hpp"
#include "codelets/illumination.hpp"
#include "codelets/line_search.hpp"
#include "codelets/record.hpp"
#include "codelets/weigh.hpp"
#include "support/one_batch.hpp"

namespace tessera::test {
namespace {

constexpr auto type = PatternType::u16;

reference::Problem small_problem() {
    return as_held(reference::random_problem({.num_frames = 2}), type);
}

template <class Submit>
void expect_refused(const Submit& submit, const std::string& codelet, const std::string& why) {
    try {
        submit();
        ADD_FAILURE() << codelet << ": not refused";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::runtime);
        const std::string message = error.what();
        EXPECT_NE(message.find("codelet " + codelet + ":"), std::string::npos) << message;
        EXPECT_NE(message.find(why), std::string::npos) << message;
    }
}

// Behind a gate that is closed nothing has to happen; a device may do it all the same.
TEST(Submit, LeavesOutWhatIsBehindAClosedGate) {
    const Data target(64), gate(64);
    *target.before_tasks<float>() = 3;
    clear.submit({64}, {&target}, 0, &gate);
    EXPECT_EQ(*HostAccess(target, Access::read).as<const float>(), 0);
    *HostAccess(target, Access::write).as<float>() = 3;
    *HostAccess(gate, Access::write).as<std::int32_t>() = 1;
    clear.submit({64}, {&target}, 0, &gate);
    const float left = *HostAccess(target, Access::read).as<const float>();
    EXPECT_TRUE(left == 3 || left == 0);
#if !defined(TESSERA_WALKED) && !defined(TESSERA_WITH_CUDA)
    EXPECT_EQ(left, 3);
#endif
}

TEST(Submit, RefusesTheWrongNumberOfData) {
    OneBatch b(small_problem(), type);
    const GradientArgs args = {b.shape, KeptWaves::none, ProbeMotion::moving};
    expect_refused(
        [&] {
            gradient.submit(args, {&b.patterns, &b.frames});
        },
        "gradient", "2 data given, 7 expected");
    expect_refused(
        [&] {
            record.submit({}, {&b.state, &b.state, &b.state});
        },
        "record", "3 data given, 2 expected");
    expect_refused([&] { clear.submit({8}, {}); }, "clear", "0 data given, 1 expected");
}

TEST(Submit, RefusesDataThatIsMissing) {
    OneBatch b(small_problem(), type);
    const Data empty;
    expect_refused([&] { record.submit({}, {&b.state, &empty}); }, "record", "data 1 has 0 bytes");
    expect_refused([&] { record.submit({}, {nullptr, &b.state}); }, "record", "data 0 has 0 bytes");
}

// Each of a codelet's data in turn is too small: the message says which.
template <class Args>
void expect_each_size_checked(const Codelet<Args>& codelet, const std::string& name, const Args& args,
                              std::initializer_list<const Data*> good) {
    const BufferBytes needed = args.buffer_bytes();
    ASSERT_LE(good.size(), max_buffers);
    for (std::size_t i = 0; i < good.size(); ++i) {
        ASSERT_GE((*(good.begin() + i))->bytes(), needed[i]) << name << ", data " << i;
        if (needed[i] <= 64) continue;  // the least that data can be
        const Data small(1);
        std::array<const Data*, max_buffers> data = {};
        std::copy(good.begin(), good.end(), data.begin());
        data[i] = &small;
        const std::string why =
            "data " + std::to_string(i) + " has 64 bytes, " + std::to_string(needed[i]) + " needed";
        const auto submit = [&](auto... at) { codelet.submit(args, {data[at]...}); };
        expect_refused(
            [&] {
                switch (good.size()) {
                    case 2:
                        return submit(0u, 1u);
                    case 3:
                        return submit(0u, 1u, 2u);
                    case 4:
                        return submit(0u, 1u, 2u, 3u);
                    case 5:
                        return submit(0u, 1u, 2u, 3u, 4u);
                    case 6:
                        return submit(0u, 1u, 2u, 3u, 4u, 5u);
                    case 7:
                        return submit(0u, 1u, 2u, 3u, 4u, 5u, 6u);
                    case 8:
                        return submit(0u, 1u, 2u, 3u, 4u, 5u, 6u, 7u);
                    default:
                        FAIL() << "no such number of data";
                }
            },
            name, why);
    }
    codelet.submit(args, good);  // what it asks for is enough
}

TEST(Submit, RefusesDataThatIsTooSmall) {
    const reference::Problem problem = small_problem();
    OneBatch b(problem, type, KeptWaves::refresh);
    const Shape2 tile = b.shape.tile, probe = b.shape.probe;
    const std::size_t probe_size = b.shape.probe_size();
    const Data field(field_bytes(tile)), other_field(field_bytes(tile)), weight(weight_bytes(tile));
    const Data sums(sums_bytes(probe_size)), other_sums(sums_bytes(probe_size)),
        coverage(weight_bytes(probe));
    const Data probe_gradient(probe_size * sizeof(cfloat)), probe_previous(probe_size * sizeof(cfloat));
    const Data new_state(sizeof(IterationState));

    expect_each_size_checked<GradientArgs>(
        gradient, "gradient", {b.shape, KeptWaves::none, ProbeMotion::moving},
        {&b.patterns, &b.frames, &b.detector, &b.probe, &b.object, &b.state, &b.out});
    expect_each_size_checked<GradientArgs>(
        gradient_keeping_waves, "gradient_keeping_waves", {b.shape, KeptWaves::refresh, ProbeMotion::moving},
        {&b.patterns, &b.frames, &b.detector, &b.probe, &b.object, &b.state, &b.out, &b.waves});
    expect_each_size_checked<LineSearchArgs>(
        line_search, "line_search", {b.shape, KeptWaves::none, ProbeMotion::fixed},
        {&b.patterns, &b.frames, &b.detector, &b.probe, &b.object, &b.state, &b.out});
    expect_each_size_checked<LineSearchArgs>(
        line_search_keeping_waves, "line_search_keeping_waves",
        {b.shape, KeptWaves::refresh, ProbeMotion::fixed},
        {&b.patterns, &b.frames, &b.detector, &b.probe, &b.object, &b.state, &b.out, &b.waves});
    expect_each_size_checked<EvaluateArgs>(
        evaluate, "evaluate", {b.shape},
        {&b.patterns, &b.frames, &b.detector, &b.probe, &b.object, &b.out, &b.errors});
    expect_each_size_checked<IlluminationArgs>(
        illumination, "illumination", {b.shape},
        {&b.frames, &b.detector, &b.probe, &b.object, &b.state, &b.out});
    AddBatchArgs add;
    add.window_y = b.shape.window_y;
    add.window_x = b.shape.window_x;
    add.window = b.shape.window;
    add.tile = tile;
    add.probe_size = probe_size;
    expect_each_size_checked<AddBatchArgs>(add_batch, "add_batch", add, {&b.out, &field, &sums});
    add.parts = BatchParts::scalars;
    expect_each_size_checked<AddBatchArgs>(add_batch_scalars, "add_batch_scalars", add, {&b.out, &sums});
    expect_each_size_checked<AddSumsArgs>(add_sums, "add_sums", {probe_size}, {&sums, &other_sums});
    const Strip strip = {1, 2, {3, 4}};
    const Data strip_data(field_bytes(strip.shape));
    expect_each_size_checked<CutStripArgs>(cut_strip, "cut_strip", {tile, strip}, {&field, &strip_data});
    expect_each_size_checked<AddStripArgs>(add_strip, "add_strip", {tile, strip}, {&strip_data, &field});
    expect_each_size_checked<CopyArgs>(copy, "copy", {field_bytes(tile)}, {&field, &other_field});
    expect_each_size_checked<DotsArgs>(dots, "dots", {tile, 0, 0, tile, 0.1},
                                       {&field, &other_field, &b.object, &weight, &b.state, &sums});
    expect_each_size_checked<WeighObjectArgs>(weigh_object, "weigh_object", {tile}, {&field, &weight, &sums});
    expect_each_size_checked<WeighProbeArgs>(weigh_probe, "weigh_probe", {probe, probe_size},
                                             {&sums, &coverage, &b.state});
    expect_each_size_checked<DirectionArgs>(direction, "direction", {MovingPart::object, 1, tile, 0.1},
                                            {&b.object, &field, &weight, &b.state});
    expect_each_size_checked<StepArgs>(step, "step", {tile.area()}, {&b.object, &b.state});
    ConjugateArgs conjugate_args;
    conjugate_args.num_modes = b.shape.num_modes;
    conjugate_args.probe_shape = probe;
    expect_each_size_checked<ConjugateArgs>(
        conjugate, "conjugate", conjugate_args,
        {&sums, &probe_previous, &b.probe, &coverage, &probe_gradient, &b.state});
    expect_each_size_checked<ChooseStepArgs>(choose_step, "choose_step", {}, {&sums, &b.state});
    expect_each_size_checked<RecordArgs>(record, "record", {}, {&b.state, &new_state});
}

// ---- A run that has stopped

IterationState stopped() {
    IterationState state;
    state.iteration = 7;
    state.stopped = static_cast<std::int32_t>(StopReason::converged);
    state.step = 0.5;
    state.beta = 0.25;
    state.cost = 11;
    return state;
}

bool all_zero(const Data& data, std::size_t bytes) {
    const HostAccess access(data, Access::read);
    const auto* memory = access.as<const unsigned char>();
    return std::all_of(memory, memory + bytes, [](unsigned char byte) { return byte == 0; });
}

std::vector<unsigned char> content(const Data& data) {
    const HostAccess access(data, Access::read);
    const auto* memory = access.as<const unsigned char>();
    return {memory, memory + data.bytes()};
}

TEST(Stopped, HeavyCodeletsGiveClearedOutput) {
    const reference::Problem problem = small_problem();
    OneBatch batch(problem, type, KeptWaves::refresh);
    batch.set_direction(reference::random_direction(problem, 3), ProbeMotion::moving);
    batch.run_gradient(KeptWaves::refresh, ProbeMotion::moving);
    batch.run_line_search(KeptWaves::refresh, ProbeMotion::moving);
    const auto waves = content(batch.waves);
    batch.set_state(stopped());
    const std::size_t out = out_bytes(batch.shape.window, batch.shape.probe_size());

    batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
    EXPECT_TRUE(all_zero(batch.out, out));
    batch.run_gradient(KeptWaves::refresh, ProbeMotion::moving);
    EXPECT_TRUE(all_zero(batch.out, out));
    batch.run_gradient(KeptWaves::advance, ProbeMotion::moving);
    EXPECT_TRUE(all_zero(batch.out, out));
    batch.run_illumination();
    EXPECT_TRUE(all_zero(batch.out, out));
    batch.run_line_search(KeptWaves::none, ProbeMotion::moving);
    EXPECT_TRUE(all_zero(batch.out, sizeof(BatchSums)));
    batch.run_line_search(KeptWaves::refresh, ProbeMotion::moving);
    EXPECT_TRUE(all_zero(batch.out, sizeof(BatchSums)));
    EXPECT_EQ(content(batch.waves), waves);
}

TEST(Stopped, NothingMoves) {
    const reference::Problem problem = small_problem();
    OneBatch batch(problem, type);
    batch.set_direction(reference::random_direction(problem, 3), ProbeMotion::moving);
    batch.set_state(stopped());
    const auto object = content(batch.object), probe = content(batch.probe);
    const Shape2 tile = batch.shape.tile;
    const Data field(field_bytes(tile)), weight(weight_bytes(tile));
    direction.submit({MovingPart::object, 1, tile, 0.1}, {&batch.object, &field, &weight, &batch.state});
    batch.run_step(ProbeMotion::moving);
    EXPECT_EQ(content(batch.object), object);
    EXPECT_EQ(content(batch.probe), probe);
}

TEST(Stopped, TheRecordIsFrozen) {
    const reference::Problem problem = small_problem();
    OneBatch batch(problem, type);
    batch.set_state(stopped());
    const auto before = content(batch.state);
    const std::size_t probe_size = batch.shape.probe_size();
    Data sums(sums_bytes(probe_size));
    batch_sums(sums.before_tasks<std::byte>())->cost = 5;
    batch_sums(sums.before_tasks<std::byte>())->weight_max = 5;
    const Data coverage(weight_bytes(batch.shape.probe));
    const Data gradient_now(probe_size * sizeof(cfloat)), gradient_before(probe_size * sizeof(cfloat));
    ConjugateArgs args;
    args.iteration = 8;
    args.num_modes = batch.shape.num_modes;
    args.probe_shape = batch.shape.probe;
    weigh_probe.submit({batch.shape.probe, probe_size}, {&sums, &coverage, &batch.state});
    conjugate.submit(args, {&sums, &gradient_before, &batch.probe, &coverage, &gradient_now, &batch.state});
    choose_step.submit({}, {&sums, &batch.state});
    EXPECT_EQ(content(batch.state), before);
}

}  // namespace
}  // namespace tessera::test
