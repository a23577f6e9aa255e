// Runs that go on from a checkpoint end with the same bits as if nothing had happened.
#include "tasks/checkpoints.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <thread>

#include "base/error.hpp"
#include "codelets/runtime/runtime.hpp"
#include "io/scan_reader.hpp"
#include "support/small_run.hpp"

namespace tessera::test {
namespace {

class CheckpointsTest : public testing::Test {
  protected:
    CheckpointsTest() {
        config_ = scan_.run_config();
        config_.runtime.submit_ahead = 1;  // so that a stop comes exactly when a test asks for it
    }

    // Stops before the step of iteration `after`, counted over all engines, with a checkpoint.
    Outcome run_until(int after) {
        std::atomic<bool> stop = after == 0;
        RunSettings settings;
        settings.stop_requested = &stop;
        settings.checkpoints = folder_;
        settings.resume = resumes_;
        settings.on_iteration = [&](const IterationReport& report) { stop = report.overall + 1 >= after; };
        return run(config_, settings);
    }
    Outcome go_on() {
        RunSettings settings;
        settings.checkpoints = folder_;
        settings.resume = true;
        return run(config_, settings);
    }
    std::size_t num_manifests() const { return find_manifests(folder_).size(); }
    CheckpointManifest newest() const { return read_manifest(find_manifests(folder_).at(0)); }
    void forget() { std::filesystem::remove_all(folder_); }

    SmallScan scan_{far_field_scan()};
    RunConfig config_;
    std::filesystem::path folder_ = scan_.folder() / "result.checkpoint";
    bool resumes_ = false;
};

struct ResumeCase {
    const char* name;
    EngineName engine;
    Waves waves;
    Exchange exchange = Exchange::neighbours;
    int can_begin_every = 1;  // iterations
    ConjugateRule beta = ConjugateRule::polak_ribiere;
    int num_slices = 1;
    double coupling = 0;  // of the slices, every second iteration
    double momentum_gain = 0;
    int refines_every = 0;     // iterations; 0: positions stay
    int constrains_every = 0;  // iterations; 0: object and probe are free
    int varies_every = 0;      // iterations; 0: the probe is the same in all frames
    int num_object_modes = 1;
    int background_every = 0;  // iterations; 0: it stays
};

class Resume : public CheckpointsTest, public testing::WithParamInterface<ResumeCase> {};

TEST_P(Resume, FromEveryIterationGivesTheSameBits) {
    config_.engines[0].name = GetParam().engine;
    config_.engines[0].num_iter = 13;
    config_.engines[0].beta = GetParam().beta;
    config_.engines[0].projection.average_last = 0.5;
    config_.engines[0].momentum_acceleration_gain = GetParam().momentum_gain;
    config_.object.num_slices = GetParam().num_slices;
    config_.object.slice_spacings_m.assign(static_cast<std::size_t>(GetParam().num_slices - 1), 2e-5);
    config_.object.num_modes = GetParam().num_object_modes;
    config_.object.regularize_layers = GetParam().coupling;
    config_.object.regularize_interval = 2;
    config_.runtime.waves = GetParam().waves;
    config_.tiling.exchange = GetParam().exchange;
    if (GetParam().refines_every > 0) {
        config_.positions.max_shift_px = 3;
        RefinePositionsConfig& refine = config_.engines[0].refine_positions.emplace();
        refine.start = 2;
        refine.interval = GetParam().refines_every;
        SearchPositionsConfig& search = refine.search.emplace();
        search.start = 3;
        search.interval = 2;
        search.num_tries = 4;
        search.suspicious_error = 0.9;
    }
    if (GetParam().constrains_every > 0) {
        config_.object.constraints.amplitude = {0.8, 1.05};
        config_.object.constraints.total_variation = 0.01;
        config_.object.constraints.start = 1;
        config_.object.constraints.interval = GetParam().constrains_every;
        config_.probe.support.radius = 0.8;
        config_.probe.support.fourier_radius = 0.8;
        config_.probe.support.interval = GetParam().constrains_every;
        config_.output.remove_ramp = true;
    }
    if (GetParam().varies_every > 0)
        config_.probe.variable = {
            .num_opr_modes = 2, .variable_intensity = true, .start = 2, .interval = GetParam().varies_every};
    if (GetParam().background_every > 0)
        config_.detector.refine_background = {.start = 2, .interval = GetParam().background_every};
    const Outcome whole = run(config_);
    for (int after = 0; after < 13; ++after) {
        SCOPED_TRACE(testing::Message() << "stopped after " << after << " iterations");
        forget();
        ASSERT_TRUE(run_until(after).stopped_early);
        // One that has begun goes on until it has done something for the next.
        const int every = GetParam().can_begin_every,
                  begins = after == 0 ? 0 : std::max(after / every, 1) * every;
        ASSERT_EQ(num_manifests(), begins == 0 ? 0U : 1U);
        if (begins > 0) {
            EXPECT_EQ(newest().iteration, begins);
        }
        config_.runtime.cpus = after % 2 == 0 ? 1 : std::min(num_usable_cores(), 2);
        config_.runtime.submit_ahead = after % 3 + 1;
        // Between jobs fused operations may become staged ones.
        if (GetParam().num_slices == 1)
            config_.runtime.operations = after % 3 == 1 ? Operations::staged : Operations::fused;
        const Outcome resumed = go_on();
        config_.runtime.submit_ahead = 1;
        config_.runtime.operations = Operations::fused;
        expect_bitwise_equal(resumed, whole);
        EXPECT_EQ(resumed.reports.size(), static_cast<std::size_t>(13 - begins));
    }
}

INSTANTIATE_TEST_SUITE_P(
    Engines, Resume,
    testing::Values(ResumeCase{"cg_recompute", EngineName::CG, Waves::recompute},
                    ResumeCase{"cg_keep", EngineName::CG, Waves::keep, Exchange::neighbours, 10},
                    ResumeCase{"cg_passes_dai_yuan", EngineName::CG, Waves::recompute, Exchange::passes, 1,
                               ConjugateRule::dai_yuan},
                    ResumeCase{"cg_slices", EngineName::CG, Waves::recompute, Exchange::neighbours, 1,
                               ConjugateRule::polak_ribiere, 3},
                    ResumeCase{"cg_coupled_slices", EngineName::CG, Waves::recompute, Exchange::neighbours, 1,
                               ConjugateRule::polak_ribiere, 2, 0.5},
                    ResumeCase{"cg_voxels", EngineName::CG, Waves::recompute, Exchange::voxels},
                    ResumeCase{"gd", EngineName::GD, Waves::recompute},
                    ResumeCase{"dm", EngineName::DM, Waves::recompute},
                    ResumeCase{"raar_passes", EngineName::RAAR, Waves::recompute, Exchange::passes},
                    ResumeCase{"rpie", EngineName::rPIE, Waves::recompute},
                    ResumeCase{"mpie_passes", EngineName::mPIE, Waves::recompute, Exchange::passes},
                    ResumeCase{"lsqml_momentum", EngineName::LSQML, Waves::recompute, Exchange::neighbours, 1,
                               ConjugateRule::polak_ribiere, 1, 0, 0.5},
                    ResumeCase{"cg_refining", EngineName::CG, Waves::recompute, Exchange::neighbours, 1,
                               ConjugateRule::polak_ribiere, 1, 0, 0, 2},
                    ResumeCase{"dm_refining", EngineName::DM, Waves::recompute, Exchange::neighbours, 1,
                               ConjugateRule::polak_ribiere, 1, 0, 0, 1},
                    ResumeCase{.name = "cg_varying",
                               .engine = EngineName::CG,
                               .waves = Waves::recompute,
                               .varies_every = 3},
                    ResumeCase{.name = "lsqml_varying",
                               .engine = EngineName::LSQML,
                               .waves = Waves::recompute,
                               .varies_every = 1},
                    ResumeCase{.name = "cg_object_modes",
                               .engine = EngineName::CG,
                               .waves = Waves::recompute,
                               .num_object_modes = 2},
                    ResumeCase{.name = "dm_object_modes",
                               .engine = EngineName::DM,
                               .waves = Waves::recompute,
                               .refines_every = 2,
                               .num_object_modes = 2},
                    ResumeCase{.name = "cg_background",
                               .engine = EngineName::CG,
                               .waves = Waves::recompute,
                               .background_every = 2},
                    ResumeCase{.name = "cg_keep_background",
                               .engine = EngineName::CG,
                               .waves = Waves::keep,
                               .can_begin_every = 10,
                               .background_every = 1},
                    ResumeCase{.name = "dm_background",
                               .engine = EngineName::DM,
                               .waves = Waves::recompute,
                               .background_every = 1},
                    ResumeCase{"rpie_refining", EngineName::rPIE, Waves::recompute, Exchange::neighbours, 1,
                               ConjugateRule::polak_ribiere, 1, 0, 0, 3},
                    ResumeCase{"cg_constrained", EngineName::CG, Waves::recompute, Exchange::neighbours, 1,
                               ConjugateRule::polak_ribiere, 1, 0, 0, 0, 1},
                    ResumeCase{"gd_constrained", EngineName::GD, Waves::recompute, Exchange::passes, 1,
                               ConjugateRule::polak_ribiere, 1, 0, 0, 0, 2},
                    ResumeCase{"dm_constrained", EngineName::DM, Waves::recompute, Exchange::neighbours, 1,
                               ConjugateRule::polak_ribiere, 1, 0, 0, 0, 2},
                    ResumeCase{"mpie_constrained", EngineName::mPIE, Waves::recompute, Exchange::neighbours,
                               1, ConjugateRule::polak_ribiere, 1, 0, 0, 0, 1}),
    [](const auto& chosen) { return std::string(chosen.param.name); });

TEST_F(CheckpointsTest, OfTheSecondEngineGoOnWithItsHistory) {
    config_.engines = {{.name = EngineName::GD, .num_iter = 3},
                       {.name = EngineName::CG, .num_iter = 4, .noise_model = NoiseModel::poisson}};
    const Outcome whole = run(config_);
    ASSERT_EQ(whole.result.cost.size(), 7U);
    for (const int after : {2, 3, 4, 6}) {
        SCOPED_TRACE(after);
        forget();
        ASSERT_TRUE(run_until(after).stopped_early);
        EXPECT_EQ(newest().num_iterations, after);
        EXPECT_EQ(newest().engine, after < 3 ? 0U : 1U);
        expect_bitwise_equal(go_on(), whole);
    }
}

// A checkpoint of a run in which no frame was to move, gone on with by one whose next engine moves them.
TEST_F(CheckpointsTest, GoOnWithALaterEngineThatRefinesPositions) {
    config_.positions.max_shift_px = 3;
    config_.engines = {{.name = EngineName::GD, .num_iter = 3}, {.name = EngineName::GD, .num_iter = 4}};
    RunConfig refining = config_;
    refining.engines[1].refine_positions.emplace().start = 1;
    const Outcome whole = run(refining);
    ASSERT_TRUE(run_until(2).stopped_early);
    config_ = refining;
    expect_bitwise_equal(go_on(), whole);
}

// As a batch system does it: one job after the other, each of which does a little.
TEST_F(CheckpointsTest, CarryARunThroughManyJobs) {
    config_.engines.push_back(config_.engines[0]);
    const Outcome whole = run(config_);
    resumes_ = true;
    for (const int until : {3, 5, 5, 9, 14}) ASSERT_TRUE(run_until(until).stopped_early);
    EXPECT_EQ(num_manifests(), 2U);
    expect_bitwise_equal(go_on(), whole);
}

// Written while the graph goes on, of whichever iteration comes: the run itself does not notice, and two
// stay.
TEST_F(CheckpointsTest, ByTheClockChangeNothing) {
    config_.engines[0].num_iter = 40;
    config_.output.checkpoint_interval_s = 1e-9;
    for (const auto waves : {Waves::keep, Waves::recompute}) {
        config_.runtime.waves = waves;
        config_.runtime.submit_ahead = 3;
        const Outcome plain = run(config_);
        RunSettings settings;
        settings.checkpoints = folder_;
        settings.on_iteration = [&](const IterationReport&) {  // a disk may be slower than these iterations
            if (num_manifests() < 2) std::this_thread::sleep_for(std::chrono::milliseconds(30));
        };
        forget();
        expect_bitwise_equal(run(config_, settings), plain);
        ASSERT_EQ(num_manifests(), 2U);
        EXPECT_GT(newest().num_iterations, 0);
        expect_bitwise_equal(go_on(), plain);
        // From the one before, too.
        std::filesystem::remove(find_manifests(folder_)[0]);
        expect_bitwise_equal(go_on(), plain);
    }
}

// Exit waves go to the disk through a ring, while other batches go on.
TEST_F(CheckpointsTest, WithExitWavesByTheClockChangeNothing) {
    config_.engines[0].name = EngineName::DM;
    config_.engines[0].num_iter = 40;
    config_.engines[0].projection.overlap_max_iterations = 2;
    config_.tiling.batch_size = 1;
    config_.output.checkpoint_interval_s = 1e-9;
    config_.runtime.submit_ahead = 3;
    const Outcome plain = run(config_);
    RunSettings settings;
    settings.checkpoints = folder_;
    settings.on_iteration = [&](const IterationReport&) {
        if (num_manifests() < 2) std::this_thread::sleep_for(std::chrono::milliseconds(30));
    };
    expect_bitwise_equal(run(config_, settings), plain);
    ASSERT_EQ(num_manifests(), 2U);
    EXPECT_TRUE(is_waves_name(newest().files.back().name));
    expect_bitwise_equal(go_on(), plain);
    std::filesystem::remove(find_manifests(folder_)[0]);
    expect_bitwise_equal(go_on(), plain);
}

TEST_F(CheckpointsTest, AreNotMadeBeforeTheInterval) {
    config_.output.checkpoint_interval_s = 1e6;
    RunSettings settings;
    settings.checkpoints = folder_;
    run(config_, settings);
    EXPECT_FALSE(std::filesystem::exists(folder_));
}

TEST_F(CheckpointsTest, ThatAreDamagedArePassedOver) {
    const Outcome whole = run(config_);
    ASSERT_TRUE(run_until(2).stopped_early);
    resumes_ = true;
    ASSERT_TRUE(run_until(5).stopped_early);
    ASSERT_EQ(num_manifests(), 2U);
    const auto file = folder_ / newest().files.at(0).name;
    std::fstream(file, std::ios::in | std::ios::out | std::ios::binary).seekp(3000).put('\x55');
    const Outcome resumed = go_on();
    expect_bitwise_equal(resumed, whole);
    EXPECT_EQ(resumed.reports.size(), 6U);  // from iteration 2 on
    for (const auto& manifest : find_manifests(folder_)) std::filesystem::resize_file(manifest, 100);
    EXPECT_THROW(go_on(), Error);
}

TEST_F(CheckpointsTest, OfAnotherRunAreRefusedByItsKeys) {
    ASSERT_TRUE(run_until(3).stopped_early);
    const auto expect_refusal = [&](const std::string& words) {
        try {
            go_on();
            ADD_FAILURE() << "went on in spite of " << words;
        } catch (const Error& error) {
            EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
        }
    };
    const RunConfig config = config_;
    config_.engines[0].preconditioner_alpha = 0.2;
    config_.probe.update.start = 4;
    expect_refusal("2 keys differ (engines[0].preconditioner_alpha, probe.update.start");
    config_ = config;
    config_.tiling.tiles = {1, 2};
    expect_refusal("tiling.tiles");
    config_ = config;
    config_.engines[0].num_iter = 2;
    expect_refusal("engines[0].num_iter: 2 iterations");
    config_ = config;
    const SmallScan other(near_field_scan());
    config_.scan.file = other.folder() / "scan.cxi";
    expect_refusal("another scan");
}

// The same positions and detector: only the counts tell the scans apart.
TEST_F(CheckpointsTest, OfOtherFramesAreRefused) {
    ASSERT_TRUE(run_until(3).stopped_early);
    SimulationConfig again = far_field_scan();
    again.random_seed += 1;
    again.object.feature_size_px = 6;
    const SmallScan other(again);
    config_.scan.file = other.folder() / "scan.cxi";
    EXPECT_THROW(go_on(), Error);
    std::filesystem::copy(scan_.folder() / "scan.cxi", scan_.folder() / "moved.cxi");
    config_.scan.file = scan_.folder() / "moved.cxi";
    EXPECT_NO_THROW(go_on());
}

// More iterations, other engines later, choices left open: what does not touch the iterations done so far.
TEST_F(CheckpointsTest, GoOnWithOtherSettingsOfWhatIsToCome) {
    ASSERT_TRUE(run_until(3).stopped_early);
    config_.engines[0].num_iter = 11;
    config_.engines.push_back({.name = EngineName::GD, .num_iter = 2});
    config_.runtime.scheduler = "lws";
    config_.output.pictures = false;
    const Outcome whole = run(config_);
    config_.tiling.tiles.reset();
    config_.tiling.batch_size.reset();
    config_.runtime.waves = Waves::automatic;
    expect_bitwise_equal(go_on(), whole);
}

TEST_F(CheckpointsTest, ThatCannotBeWrittenLeaveTheRunAlone) {
    std::ofstream(folder_) << "a file where the folder should be";
    config_.output.checkpoint_interval_s = 1e-9;
    const Outcome plain = run(config_);
    RunSettings settings;
    settings.checkpoints = folder_;
    expect_bitwise_equal(run(config_, settings), plain);
}

TEST_F(CheckpointsTest, TakeTheMemoryOfTheForecast) {
    const Ranks ranks;
    const Runtime runtime(config_.runtime, ranks);
    const Problem problem = make_problem(config_, ScanReader(config_.scan, {}).info(), runtime.machine());
    const Handles handles = make_handles(problem, ranks);
    OutputThread output;
    const Checkpoints checkpoints(problem, handles, {}, output);
    std::size_t forecast = 0;
    for (const MemoryTerm& term : problem.memory.terms) {
        if (term.what.starts_with("checkpoints")) forecast += term.bytes;
    }
    EXPECT_NEAR(static_cast<double>(checkpoints.bytes()) / static_cast<double>(forecast), 1, 0.03);
}

}  // namespace
}  // namespace tessera::test
