// The keys that say what a detector does to counts.
#include <gtest/gtest.h>

#include "unit/config_texts.hpp"

namespace tessera {
namespace {

TEST(RunFile, WhatFramesHoldBesideCounts) {
    const RunConfig c = run_of("scan: {file: a.cxi, mask: {saturated_above: 6.5e4, negative_counts: zero}}");
    EXPECT_EQ(c.scan.mask.saturated_above, 65000.0);
    EXPECT_EQ(c.scan.mask.negative_counts, NegativeCounts::zero);
    EXPECT_EQ(run_of(write_run_config(c)), c);
    EXPECT_EQ(run_of(scan_line).scan.mask.saturated_above, std::nullopt);
    EXPECT_EQ(run_of(scan_line).scan.mask.negative_counts, NegativeCounts::leave_out);
    expect_problem("scan: {file: a.cxi, mask: {saturated_above: 0}}",
                   "run.yaml:1: scan.mask.saturated_above: 0 is out of range (allowed: above 0)");
    expect_problem("scan: {file: a.cxi, mask: {negative_counts: refuse}}",
                   "run.yaml:1: scan.mask.negative_counts: expected one of leave_out, zero, got 'refuse'");
}

TEST(RunFile, ADetectorBlurs) {
    const RunConfig c = run_of(with_scan("detector: {detector_blur_std: 0.8}"));
    EXPECT_EQ(c.detector.blur_sigma_px, 0.8);
    EXPECT_EQ(run_of(write_run_config(c)), c);
    EXPECT_EQ(run_of(scan_line).detector.blur_sigma_px, 0);
    expect_problem(
        with_scan("detector: {blur_sigma_px: 11}"),
        "run.yaml:2: detector.blur_sigma_px: 11 is out of range (allowed: at least 0, at most 10)");
    for (const char* name : {"CG", "GD", "ePIE", "rPIE", "mPIE", "LSQML"})
        run_of(with_scan(std::string("detector: {blur_sigma_px: 1}\nengines: [{name: ") + name + "}]"));
    for (const char* name : {"DM", "RAAR", "AP"})
        expect_problem(
            with_scan(std::string("detector: {blur_sigma_px: 1}\nengines: [{name: ") + name + "}]"),
            "run.yaml:3: engines[0].name: engines DM, RAAR and AP replace the modulus of single "
            "pixels: with detector.blur_sigma_px above 0 use an engine with a gradient (CG, GD, "
            "ePIE, rPIE, mPIE, LSQML)");
    expect_problem(with_scan("detector: {blur_sigma_px: 1}\nengines: [{name: LSQML, noise_model: poisson}]"),
                   "run.yaml:3: engines[0].name: LSQML with noise_model: poisson takes the step of each "
                   "pixel by itself: "
                   "with detector.blur_sigma_px above 0 use noise_model: amplitude, or CG or GD");
}

TEST(RunFile, ADetectorIsUpsampled) {
    const RunConfig c = run_of(with_scan("detector: {upsampling: 2}"));
    EXPECT_EQ(c.detector.upsampling, 2);
    EXPECT_EQ(run_of(write_run_config(c)), c);
    EXPECT_EQ(run_of(scan_line).detector.upsampling, 1);
    expect_problem(with_scan("detector: {upsampling: 0}"),
                   "run.yaml:2: detector.upsampling: 0 is out of range (allowed: at least 1, at most 8)");
    for (const char* name : {"CG", "GD", "ePIE", "rPIE", "mPIE", "LSQML"})
        run_of(with_scan(std::string("detector: {upsampling: 2}\nengines: [{name: ") + name + "}]"));
    for (const char* name : {"DM", "RAAR", "AP"})
        expect_problem(with_scan(std::string("detector: {upsampling: 2}\nengines: [{name: ") + name + "}]"),
                       "run.yaml:3: engines[0].name: engines DM, RAAR and AP replace the modulus of single "
                       "pixels: with detector.upsampling above 1 use an engine with a gradient (CG, GD, "
                       "ePIE, rPIE, mPIE, LSQML)");
    expect_problem(with_scan("detector: {upsampling: 2}\nengines: [{name: LSQML, noise_model: poisson}]"),
                   "run.yaml:3: engines[0].name: LSQML with noise_model: poisson takes the step of each "
                   "pixel by itself: "
                   "with detector.upsampling above 1 use noise_model: amplitude, or CG or GD");
    expect_problem(with_scan("detector: {upsampling: 2}\nprobe: {variable: {num_opr_modes: 1}}"),
                   "run.yaml:2: detector.upsampling: must be 1 with probe.variable: what fits the frames' "
                   "probes looks at each pixel by itself");
}

TEST(RunFile, ABackgroundIsRefined) {
    const RunConfig c =
        run_of(with_scan("detector: {refine_background: {start: 3, interval: 2, step_size: 0.5}}"));
    EXPECT_EQ(c.detector.refine_background, (RefineBackgroundConfig{3, 2, 0.5}));
    EXPECT_EQ(run_of(write_run_config(c)), c);
    EXPECT_EQ(run_of(scan_line).detector.refine_background, std::nullopt);
    EXPECT_EQ(run_of(with_scan("detector: {refine_background: {}}")).detector.refine_background,
              RefineBackgroundConfig());
    const auto refused = [](const std::string& keys, const std::string& why) {
        expect_problem(with_scan("detector: {refine_background: {" + keys + "}}"),
                       "run.yaml:2: detector.refine_background." + why);
    };
    refused("start: -1", "start: -1 is out of range (allowed: at least 0)");
    refused("interval: 0", "interval: 0 is out of range (allowed: at least 1)");
    refused("step_size: 0", "step_size: 0 is out of range (allowed: above 0, at most 1)");
    refused("step_size: 1.5", "step_size: 1.5 is out of range (allowed: above 0, at most 1)");
    expect_problem(with_scan("detector: {refine_background: {}}\nruntime: {mixed: on}"),
                   "run.yaml:2: detector.refine_background: needs runtime.mixed: off, for all ranks must "
                   "change the background alike, to the last bit");
    for (const char* name : {"CG", "GD", "DM", "RAAR", "AP", "ePIE", "rPIE", "mPIE", "LSQML"})
        run_of(with_scan(std::string("detector: {refine_background: {}}\nengines: [{name: ") + name + "}]"));
}

}  // namespace
}  // namespace tessera
