// Which keys a run may change on its way.
#include "config/same_run.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "unit/config_texts.hpp"

namespace tessera {
namespace {

RunConfig began() {
    RunConfig config = run_of(scan_line);
    config.engines = {{.name = EngineName::GD, .num_iter = 5}, {.num_iter = 20}, {.num_iter = 7}};
    return config;
}

TEST(SameRun, MayChangeWhatTouchesNoIterationSoFar) {
    RunConfig now = began();
    EXPECT_EQ(keys_against_going_on(began(), now, 1), Texts{});
    now.scan.file = "elsewhere/a.cxi";
    now.output = {"other.h5", 3, 1.0, false, false, {}};
    now.runtime.cpus = 7;
    now.runtime.scheduler = "prio";
    now.runtime.submit_ahead = 9;
    now.runtime.operations = Operations::staged;
    now.runtime.priorities = false;
    now.runtime.time_limit_s = 60;
    now.engines[1].num_iter = 30;
    now.engines[2] = {.name = EngineName::GD, .num_iter = 1, .step = 0.1};
    now.engines.push_back({});
    EXPECT_EQ(keys_against_going_on(began(), now, 1), Texts{});
    now.engines.resize(2);
    EXPECT_EQ(keys_against_going_on(began(), now, 1), Texts{});
}

// LSQML steps otherwise from the first iteration on where the probe never moves.
TEST(SameRun, MayNotBeginToMoveTheProbeOfLsqml) {
    RunConfig before = began();
    before.engines = {{.num_iter = 4}, {.name = EngineName::LSQML, .num_iter = 6}};
    before.probe.update.start = 10;
    RunConfig now = before;
    now.engines[1].num_iter = 5;
    EXPECT_EQ(keys_against_going_on(before, now, 1), Texts{});
    now.engines[1].num_iter = 7;
    EXPECT_EQ(keys_against_going_on(before, now, 1), Texts{"engines[1].num_iter"});
    EXPECT_EQ(keys_against_going_on(before, now, 0), Texts{});
    before.engines[1].name = now.engines[1].name = EngineName::CG;
    EXPECT_EQ(keys_against_going_on(before, now, 1), Texts{});
}

TEST(SameRun, MayNotDealFramesOtherwise) {
    RunConfig now = began();
    now.engines.push_back({.name = EngineName::rPIE});
    const auto last = now.engines.size() - 1;
    EXPECT_EQ(keys_against_going_on(began(), now, 1), Texts{fmt::format("engines[{}].name", last)});
    EXPECT_EQ(keys_against_going_on(now, began(), 1), Texts{fmt::format("engines[{}].name", last)});
    RunConfig later = now;
    later.engines.push_back({.name = EngineName::LSQML, .minibatch_size = 7});
    EXPECT_EQ(keys_against_going_on(now, later, 1), Texts{});
    later.engines[last].minibatch_size = 5;
    later.engines[last].batching_mode = BatchingMode::compact;
    EXPECT_EQ(keys_against_going_on(now, later, 1), (Texts{fmt::format("engines[{}].minibatch_size", last),
                                                           fmt::format("engines[{}].batching_mode", last)}));
}

TEST(SameRun, NamesWhatMustNotChange) {
    RunConfig now = began();
    now.scan.crop.size = {64, 64};
    now.object.margin_px = 9;
    now.tiling.exchange = Exchange::passes;
    now.runtime.waves = Waves::keep;
    now.runtime.random_seed = 4;
    now.engines[0].num_iter = 6;
    now.engines[1].tolerance = 0.5;
    EXPECT_EQ(keys_against_going_on(began(), now, 1),
              (Texts{"engines[0].num_iter", "engines[1].tolerance", "object.margin_px", "runtime.random_seed",
                     "runtime.waves", "scan.crop.size", "tiling.exchange"}));
}

// Keys that only one of two engines has are named, too.
TEST(SameRun, IsNoneWithAnotherEngineOrNone) {
    RunConfig now = began();
    now.engines[1].name = EngineName::GD;
    const auto keys = keys_against_going_on(began(), now, 1);
    EXPECT_EQ(keys, (Texts{"engines[1].beta", "engines[1].momentum", "engines[1].name", "engines[1].step"}));
    now = began();
    now.engines.resize(1);
    EXPECT_FALSE(keys_against_going_on(began(), now, 1).empty());
    EXPECT_TRUE(keys_against_going_on(began(), now, 0).empty());
}

// ---- To go on with

StoppedRun stopped_at(const RunConfig& config, std::size_t engine, int iteration) {
    return {write_run_config(config), "x.checkpoint", engine, iteration};
}

std::string refusal(const RunConfig& now, const StoppedRun& stopped) {
    try {
        config_to_go_on(now, stopped);
        return "";
    } catch (const Error& error) {
        return error.what();
    }
}

TEST(StoppedRun, GoesOnWithItsOwnChoices) {
    RunConfig chosen = began();
    chosen.tiling.tiles = {2, 3};
    chosen.tiling.batch_size = 4;
    chosen.runtime.waves = Waves::recompute;
    RunConfig now = began();
    now.engines[1].num_iter = 30;
    const RunConfig config = config_to_go_on(now, stopped_at(chosen, 1, 12));
    EXPECT_EQ(config.tiling.batch_size, 4);
    EXPECT_EQ(config.tiling.tiles, chosen.tiling.tiles);
    EXPECT_EQ(config.runtime.waves, Waves::recompute);
    EXPECT_EQ(config.engines[1].num_iter, 30);
}

TEST(StoppedRun, SaysWhatDiffers) {
    RunConfig now = began();
    now.object.margin_px += 1;
    EXPECT_EQ(refusal(now, stopped_at(began(), 1, 12)),
              "x.checkpoint: is of a run with other settings, one key differs (object.margin_px; go on with "
              "those, or choose another output.file)");
    now = began();
    now.engines.resize(1);
    EXPECT_NE(refusal(now, stopped_at(began(), 1, 12)).find("keys differ"), std::string::npos);
}

TEST(StoppedRun, HasNotDoneMoreThanIsAskedFor) {
    RunConfig now = began();
    now.engines[1].num_iter = 12;
    EXPECT_EQ(refusal(now, stopped_at(began(), 1, 12)), "");
    EXPECT_EQ(
        refusal(now, stopped_at(began(), 1, 13)),
        "engines[1].num_iter: 12 iterations, and x.checkpoint has done 13 already (allowed: at least that)");
}

TEST(StoppedRun, MustHaveARunFile) {
    EXPECT_NE(refusal(began(), {"scan: [", "x.checkpoint", 0, 0}).find("cannot be read"), std::string::npos);
    EXPECT_EQ(refusal(began(), stopped_at(began(), 3, 0)),
              "x.checkpoint: its run file cannot be read (too few engines)");
}

// ---- Of another result

// Another num_iter of the last engine, or another scan, is another result; where and how it ran is not.
TEST(SameResult, IsOfTheSameSettings) {
    RunConfig now = began();
    now.output = {"other.h5", 3, 1.0, false, false, {}};
    now.runtime.cpus = 7;
    EXPECT_EQ(keys_of_another_result(began(), now), Texts{});
    now.engines[2].num_iter = 8;
    now.scan.file = "b.cxi";
    now.runtime.random_seed = 4;
    EXPECT_EQ(keys_of_another_result(began(), now),
              (Texts{"engines[2].num_iter", "runtime.random_seed", "scan.file"}));
}

TEST(SameResult, TakesOverWhatWasChosen) {
    RunConfig chosen = began();
    chosen.tiling.tiles = {2, 3};
    chosen.tiling.batch_size = 4;
    chosen.runtime.waves = Waves::recompute;
    EXPECT_FALSE(keys_of_another_result(chosen, began()).empty());
    EXPECT_EQ(with_choices_of(chosen, began()), chosen);
    RunConfig named = began();
    named.tiling.tiles = {1, 1};
    EXPECT_EQ(with_choices_of(chosen, named).tiling.tiles, named.tiling.tiles);
}

}  // namespace
}  // namespace tessera
