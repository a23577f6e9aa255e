#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

#include "config_texts.hpp"

// The keys of engines: of which they are, and where an engine cannot work.
namespace tessera {
namespace {

TEST(RunFile, KeysOfAnotherEngineAreRefused) {
    expect_problem(with_scan("engines:\n  - beta: dai_yuan\n    name: GD\n"),
                   "run.yaml:3: engines[0].beta: has no meaning here (only for engine CG)");
    expect_problem(with_scan("engines: [{step: 0.1}]"),
                   "run.yaml:2: engines[0].step: has no meaning here (only for engine GD)");
    EXPECT_EQ(run_problems(with_scan("engines: [{step: null}]")), Texts{});
    expect_problem(
        with_scan("engines: [{fourier_relax_factor: 0.1}]"),
        "run.yaml:2: engines[0].fourier_relax_factor: has no meaning here (only for engines DM, RAAR "
        "and AP)");
    expect_problem(with_scan("engines: [{name: DM, noise_model: poisson}]"),
                   "run.yaml:2: engines[0].noise_model: has no meaning here (only for engines CG, GD, ePIE, "
                   "rPIE, mPIE and LSQML)");
    expect_problem(with_scan("engines: [{name: RAAR, alpha: 1}]"),
                   "run.yaml:2: engines[0].alpha: has no meaning here (only for engine DM)");
    expect_problem(with_scan("engines: [{name: AP, beta: 0.5}]"),
                   "run.yaml:2: engines[0].beta: has no meaning here (only for engines CG, DM and RAAR)");
}

TEST(RunFile, EnginesThatProjectWavesHaveTheirOwnAlphaAndBeta) {
    const RunConfig c = run_of(with_scan(
        "engines: [{name: DM, alpha: 0.5, beta: 0.9, clip_object: [0.2, 1.1]}, {name: RAAR, beta: 0.8}]\n"));
    EXPECT_EQ(c.engines[0].projection.alpha, 0.5);
    EXPECT_EQ(c.engines[0].projection.beta, 0.9);
    EXPECT_EQ(c.engines[0].projection.clip_object, (std::array<double, 2>{0.2, 1.1}));
    EXPECT_EQ(c.engines[1].projection.raar_beta, 0.8);
    EXPECT_EQ(run_of(write_run_config(c)), c);
}

TEST(RunFile, EnginesThatProjectWavesAreRefusedWhereTheyCannotWork) {
    const auto expect_words = [](std::string_view yaml, std::string_view words) {
        const Texts problems = run_problems(with_scan(yaml));
        ASSERT_EQ(problems.size(), 1U);
        EXPECT_NE(problems[0].find(words), std::string::npos) << problems[0];
    };
    expect_words("engines: [{name: CG}, {name: AP}]\nobject: {num_slices: 2, slice_spacings_m: 1.0e-6}",
                 "run.yaml:2: engines[1].name: engines DM, RAAR and AP are for objects of one slice");
    expect_words("engines: [{name: DM}]\ntiling: {exchange: voxels}",
                 "tiling.exchange must be neighbours or passes");
    expect_words("engines: [{name: DM, clip_object: [2, 1]}]", "least amplitude must not exceed");
    expect_words("engines: [{name: DM, overlap_max_iterations: 1, probe_center_tol: 1}]",
                 "needs overlap_max_iterations of at least 2");
}

TEST(RunFile, MinibatchEnginesHaveKeysOfTheirOwn) {
    const RunConfig c = run_of(with_scan(
        "engines:\n"
        "  - {name: ePIE, minibatch_size: 32, batching_mode: random, alpha_object: 0.9, alpha_probe: 0.3,\n"
        "     object_norm_is_global: true}\n"
        "  - {name: mPIE, minibatch_size: 32, batching_mode: random, friction: 0.7, feedback_interval: 4,\n"
        "     step_size: 0.3}\n"
        "  - {name: LSQML, minibatch_size: 32, batching_mode: random, noise_model: poisson, beta_LSQ: 0.5,\n"
        "     preconditioning_damping_factor: 0.2, momentum_acceleration_gain: 0.4,\n"
        "     momentum_acceleration_friction: 0.3, momentum_acceleration_gradient_mixing_factor: 0.6}\n"));
    EXPECT_EQ(c.engines[0].name, EngineName::ePIE);
    EXPECT_EQ(c.engines[0].minibatch_size, 32);
    EXPECT_EQ(c.engines[0].batching_mode, BatchingMode::random);
    EXPECT_EQ(c.engines[0].alpha_object, 0.9);
    EXPECT_EQ(c.engines[0].alpha_probe, 0.3);
    EXPECT_TRUE(c.engines[0].object_norm_is_global);
    EXPECT_EQ(c.engines[1].friction, 0.7);
    EXPECT_EQ(c.engines[1].feedback_interval, 4);
    EXPECT_EQ(c.engines[1].step_size, 0.3);
    EXPECT_EQ(c.engines[2].beta_LSQ, 0.5);
    EXPECT_EQ(c.engines[2].preconditioning_damping_factor, 0.2);
    EXPECT_EQ(c.engines[2].momentum_acceleration_gain, 0.4);
    EXPECT_EQ(c.engines[2].momentum_acceleration_friction, 0.3);
    EXPECT_EQ(c.engines[2].momentum_acceleration_gradient_mixing_factor, 0.6);
    EXPECT_EQ(run_of(write_run_config(c)), c);
}

// As users of other programs know them; the file that is written has our names.
TEST(RunFile, KeysHaveTheNamesOfOtherPrograms) {
    const RunConfig c = run_of(
        with_scan("engines: [{name: LSQML, batch_size: 7, optimal_step_size_scaler: 0.4, delta_p: 0.3}]"));
    EXPECT_EQ(c.engines[0].minibatch_size, 7);
    EXPECT_EQ(c.engines[0].beta_LSQ, 0.4);
    EXPECT_EQ(c.engines[0].preconditioning_damping_factor, 0.3);
    EXPECT_EQ(write_run_config(c).find("optimal_step_size_scaler"), std::string::npos);
    expect_problem(
        with_scan("engines:\n  - name: rPIE\n    minibatch_size: 7\n    batch_size: 8\n"),
        "run.yaml:5: engines[0].batch_size: is another name of minibatch_size, which is given too");
}

TEST(RunFile, MinibatchesAreDealtOnceForAllEngines) {
    expect_problem(with_scan("engines:\n  - {name: rPIE, minibatch_size: 8}\n  - {name: LSQML}\n"),
                   "run.yaml:2: engines: engines[0] and engines[1] must have the same minibatch_size and "
                   "batching_mode: frames are dealt into mini-batches once, for all engines");
    expect_problem(with_scan("engines:\n  - name: CG\n    minibatch_size: 8\n"),
                   "run.yaml:4: engines[0].minibatch_size: has no meaning here (only for engines ePIE, rPIE, "
                   "mPIE and LSQML)");
    expect_problem(
        with_scan("engines:\n  - name: rPIE\n    noise_model: poisson\n"),
        "run.yaml:4: engines[0].noise_model: must be amplitude: the PIE engines replace the modulus "
        "of the far field (LSQML has poisson)");
    expect_problem(with_scan("engines:\n  - name: LSQML\n    noise_model: gaussian\n"),
                   "run.yaml:4: engines[0].noise_model: must be amplitude (which PtychoShelves calls "
                   "gaussian) or poisson with LSQML");
    expect_problem(with_scan("object: {num_slices: 2, slice_spacings_m: 1e-6}\nengines:\n  - name: rPIE\n"),
                   "run.yaml:4: engines[0].name: engines ePIE, rPIE, mPIE and LSQML are for objects of one "
                   "slice, object.num_slices is 2 (use CG or GD)");
    expect_problem(with_scan("engines:\n  - name: LSQML\ntiling:\n  halo_m: 1.0e-7\n"),
                   "run.yaml:3: engines[0].name: engines ePIE, rPIE, mPIE and LSQML need whole windows: "
                   "tiling.halo_m is for CG and GD (leave it out)");
}

TEST(RunFile, EnginesRefinePositionsWhereTheySaySo) {
    const RunConfig c = run_of(with_scan(
        "positions: {max_shift_px: 4}\n"
        "engines:\n"
        "  - {name: rPIE}\n"
        "  - {name: CG, refine_positions: {}}\n"
        "  - name: DM\n"
        "    refine_positions: {start: 3, stop: 9, interval: 2, step_size: 0.7, momentum: 0.3,\n"
        "                       update_magnitude_limit: 0.2, model_weight: 0.01, keep_jitter: 0.5,\n"
        "                       model: {scale: false, asymmetry: false, rotation: true, shear: false}}\n"));
    EXPECT_EQ(c.positions.max_shift_px, 4);
    EXPECT_FALSE(c.engines[0].refine_positions);
    EXPECT_EQ(c.engines[1].refine_positions, RefinePositionsConfig());
    RefinePositionsConfig expected = {3, 9, 2, 0.7, 0.3, 0.2, {false, false, true, false}, 0.01, 0.5, {}};
    EXPECT_EQ(c.engines[2].refine_positions, expected);
    EXPECT_EQ(run_of(write_run_config(c)), c);
}

TEST(RunFile, FramesAreSearchedForWithinARefinement) {
    const RunConfig c =
        run_of(with_scan("positions: {max_shift_px: 4}\n"
                         "engines:\n"
                         "  - {name: CG, refine_positions: {search: {}}}\n"
                         "  - {name: CG, refine_positions: {search: {start: 2, stop: 40, interval: 3, "
                         "num_tries: 9, radius_px: 2.5,\n"
                         "                                           suspicious_error: 1.5}}}\n"));
    EXPECT_EQ(c.engines[0].refine_positions->search, SearchPositionsConfig());
    EXPECT_EQ(c.engines[1].refine_positions->search, (SearchPositionsConfig{2, 40, 3, 9, 2.5, 1.5}));
    EXPECT_EQ(run_of(write_run_config(c)), c);
    const std::string head = "positions: {max_shift_px: 4}\nengines:\n  - name: CG\n    refine_positions:\n";
    expect_problem(with_scan(head + "      search: {start: 5, stop: 4}\n"),
                   "run.yaml:6: engines[0].refine_positions.search.stop: must be above start");
    expect_problem(with_scan(head + "      search: {num_tries: 65}\n"),
                   "run.yaml:6: engines[0].refine_positions.search.num_tries: 65 is out of range (allowed: "
                   "at least 1, at most 64)");
}

TEST(RunFile, ModesAreMixedByOneKindOfWorker) {
    expect_problem(
        with_scan("probe: {num_modes: 2, orthogonalize_interval: 3}\nruntime: {gpus: 1, mixed: on}\n"),
        "run.yaml:2: probe.orthogonalize_interval: needs runtime.mixed: off, for all ranks must mix the "
        "modes "
        "alike, to the last bit");
}

TEST(RunFile, OperationsAreStagedWhereTheyCanBe) {
    const RunConfig c = run_of(with_scan("runtime: {operations: staged, priorities: off}\n"));
    EXPECT_EQ(c.runtime.operations, Operations::staged);
    EXPECT_FALSE(c.runtime.priorities);
    EXPECT_EQ(run_of(write_run_config(c)), c);
    expect_problem(with_scan("runtime:\n  gpu_kernels: on_chip\n  operations: staged\n"),
                   "run.yaml:4: runtime.operations: staged needs gpu_kernels: staged; on the chip waves stay "
                   "within a task");
    expect_problem(
        with_scan("object: {num_slices: 3, slice_spacings_m: 1e-6}\nruntime:\n  operations: staged\n"),
        "run.yaml:4: runtime.operations: staged needs object.num_slices: 1, it is 3: what meets the "
        "slices of an object stays within a task (use fused)");
}

TEST(RunFile, RefinementIsRefusedWhereItCannotWork) {
    const std::string engines = "engines:\n  - name: CG\n    refine_positions: {start: 5}\n";
    expect_problem(with_scan(engines),
                   "run.yaml:4: engines[0].refine_positions: needs positions.max_shift_px above 0: how far "
                   "frames may move from where the scan says, such as 5");
    const std::string room = engines + "positions: {max_shift_px: 5}\n";
    expect_problem(
        with_scan(room + "tiling: {exchange: voxels}\n"),
        "run.yaml:4: engines[0].refine_positions: goes with tiling.exchange: neighbours or passes, "
        "not voxels: there tiles compute frames of others");
    expect_problem(
        with_scan(engines + "positions: {max_shift_px: 5, interpolation: bilinear}\n"
                            "object: {num_slices: 2, slice_spacings_m: 1e-6}\n"),
        "run.yaml:4: engines[0].refine_positions: needs positions.interpolation: fourier or nearest "
        "with object.num_slices above 1");
    expect_problem(with_scan("positions: {max_shift_px: 5}\nengines:\n  - name: CG\n"
                             "    refine_positions: {start: 5, stop: 5}\n"),
                   "run.yaml:5: engines[0].refine_positions.stop: must be above start");
}

}  // namespace
}  // namespace tessera
