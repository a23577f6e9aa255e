#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config_texts.hpp"

// The keys of probe and object that depend on one another.
namespace tessera {
namespace {

TEST(RunFile, ProbeShapesTakeWhatTheyNeed) {
    const auto probe = [](const std::string& keys) { return with_scan("probe:\n  initial: " + keys + "\n"); };
    expect_problem(probe("aperture"),
                   "run.yaml:2: probe.diameter_m: is required with initial: aperture, gaussian or "
                   "zone_plate");
    expect_problem(
        probe("zone_plate\n  diameter_m: 1e-4"),
        "run.yaml:2: probe.focal_length_m: is required with initial: zone_plate (or outer_zone_width_m)");
    expect_problem(probe("zone_plate\n  diameter_m: 1e-4\n  focal_length_m: 0.1\n  outer_zone_width_m: 5e-8"),
                   "run.yaml:6: probe.outer_zone_width_m: gives the focal length; give either this or "
                   "focal_length_m");
    expect_problem(probe("zone_plate\n  diameter_m: 1e-4\n  focal_length_m: 0.1\n  central_stop_m: 1e-4"),
                   "run.yaml:6: probe.central_stop_m: must be below diameter_m");
    expect_problem(probe("gaussian\n  diameter_m: 1e-4\n  focal_length_m: 0.1"),
                   "run.yaml:5: probe.focal_length_m: has no meaning here (only for initial: zone_plate)");
    expect_problem(probe("file\n  defocus_m: 1e-4"),
                   "run.yaml:4: probe.defocus_m: has no meaning here (only for initial: aperture, gaussian, "
                   "zone_plate or convergent)");
    expect_problem(probe("convergent"),
                   "run.yaml:2: probe.convergence_angle_mrad: is required with initial: convergent");
    expect_problem(
        probe("convergent\n  convergence_angle_mrad: 30\n  diameter_m: 1e-9"),
        "run.yaml:5: probe.diameter_m: has no meaning here (only for initial: aperture, gaussian or "
        "zone_plate)");
    const ProbeConfig convergent = run_of(probe("convergent\n  convergence_angle_mrad: 30\n  defocus_m: "
                                                "2e-8\n  spherical_aberration_m: 1e-3"))
                                       .probe;
    EXPECT_EQ(convergent.convergence_angle_mrad, 30.0);
    EXPECT_EQ(convergent.spherical_aberration_m, 1e-3);
    expect_problem(probe("auto\n  file: x.h5"),
                   "run.yaml:4: probe.file: has no meaning here (only for initial: file)");
    EXPECT_EQ(run_of(probe("file\n  file: x.h5")).probe.file, "x.h5");
}

TEST(RunFile, ProbesMayVary) {
    const auto varies = [](const std::string& keys, const std::string& more = "") {
        return with_scan("probe:\n  variable: {" + keys + "}\n" + more);
    };
    EXPECT_FALSE(run_of(with_scan("")).probe.variable.is_wanted());
    const VariableProbeConfig all = {3, true, 8, 2, 0.5, 0.25};
    EXPECT_EQ(
        run_of(varies("num_opr_modes: 3, variable_intensity: true, start: 8, interval: 2, step_size: 0.5, "
                      "opr_step_size: 0.25"))
            .probe.variable,
        all);
    EXPECT_EQ(run_of(varies("variable_probe_modes: 2, optimize_intensity_variation: true")).probe.variable,
              (VariableProbeConfig{2, true}))
        << "other programs' names";
    expect_problem(
        varies("num_opr_modes: 9"),
        "run.yaml:3: probe.variable.num_opr_modes: 9 is out of range (allowed: at least 0, at most 8)");
    expect_problem(varies("variable_intensity: maybe"),
                   "run.yaml:3: probe.variable.variable_intensity: expected true or false, got 'maybe'");
    expect_problem(varies("start: 3"),
                   "run.yaml:3: probe.variable.start: has no meaning here (only for num_opr_modes above 0 or "
                   "variable_intensity: true)");
    expect_problem(varies("variable_intensity: true, opr_step_size: 1"),
                   "run.yaml:3: probe.variable.opr_step_size: has no meaning here (only for num_opr_modes "
                   "above 0)");
    expect_problem(varies("variable_intensity: true, interval: 0"),
                   "run.yaml:3: probe.variable.interval: 0 is out of range (allowed: at least 1)");
    expect_problem(varies("variable_intensity: true, step_size: 0"),
                   "run.yaml:3: probe.variable.step_size: 0 is out of range (allowed: above 0, at most 1)");
}

TEST(RunFile, ProbesVaryWhereTheyCan) {
    const std::string varies = "  variable: {num_opr_modes: 1}\n";
    expect_problem(with_scan("probe:\n" + varies + "  num_modes: 2\n  orthogonalize_interval: 5\n"),
                   "run.yaml:5: probe.orthogonalize_interval: must be 0 with probe.variable.num_opr_modes "
                   "above 0: only the first mode varies, so modes cannot be mixed");
    expect_problem(with_scan("probe:\n" + varies + "runtime: {mixed: on}\n"),
                   "run.yaml:3: probe.variable: needs runtime.mixed: off, for all ranks must change the "
                   "eigen-probes alike, to the last bit");
    expect_problem(with_scan("probe:\n" + varies + "tiling: {exchange: voxels}\n"),
                   "run.yaml:3: probe.variable: goes with tiling.exchange: neighbours or passes, not voxels: "
                   "there tiles compute frames of others");
    const auto engines = [&](const std::string& names) {
        return with_scan("probe:\n" + varies + "engines:\n" + names);
    };
    EXPECT_EQ(run_of(engines("  - name: DM\n  - name: CG\n")).engines.size(), 2U);
    constexpr const char* one_probe =
        "engines DM, RAAR and AP know one probe for all frames: with probe.variable they must come before "
        "engines CG, GD, ePIE, rPIE, mPIE and LSQML, which let it vary";
    expect_problem(engines("  - name: CG\n  - name: DM\n"),
                   std::string("run.yaml:6: engines[1].name: ") + one_probe);
    expect_problem(engines("  - name: RAAR\n"), std::string("run.yaml:5: engines[0].name: ") + one_probe);
}

TEST(RunFile, SlicesHaveSpacingsBetweenThem) {
    const auto object = [](const std::string& keys) {
        return with_scan("object:\n  num_slices: " + keys + "\n");
    };
    EXPECT_EQ(run_of(object("4\n  slice_spacings_m: 2e-9")).object.slice_spacings_m,
              (std::vector<double>{2e-9, 2e-9, 2e-9}))
        << "one value stands for all";
    EXPECT_EQ(run_of(object("3\n  slice_spacings_m: [1e-9, 2e-9]")).object.slice_spacings_m,
              (std::vector<double>{1e-9, 2e-9}));
    EXPECT_EQ(run_of(object("2\n  slice_spacings_m: [1e-9]")).object.slice_propagation,
              SlicePropagation::angular_spectrum);
    expect_problem(
        object("3"),
        "run.yaml:2: object.slice_spacings_m: is required with num_slices above 1: one length for all, "
        "or a list of 2");
    expect_problem(
        object("3\n  slice_spacings_m: [1e-9, 1e-9, 1e-9]"),
        "run.yaml:4: object.slice_spacings_m: expected one value for all or a list of 2, got a list of 3");
    expect_problem(object("3\n  slice_spacings_m: [1e-9, 0]"),
                   "run.yaml:4: object.slice_spacings_m: 0 is out of range (allowed: above 0)");
    expect_problem(object("3\n  slice_spacings_m: near"),
                   "run.yaml:4: object.slice_spacings_m: expected a number, got 'near'");
    expect_problem(object("1\n  slice_spacings_m: 1e-9"),
                   "run.yaml:4: object.slice_spacings_m: has no meaning here (only for num_slices above 1)");
    expect_problem(object("0"),
                   "run.yaml:3: object.num_slices: 0 is out of range (allowed: at least 1, at most 1000)");
    expect_problem(
        object("2\n  slice_spacings_m: 1e-9\n  slice_propagation: asm"),
        "run.yaml:5: object.slice_propagation: expected one of fresnel, angular_spectrum, got 'asm'");
}

TEST(RunFile, ObjectsHaveModesOrSlices) {
    const auto object = [](const std::string& keys, const std::string& more = "") {
        return with_scan("object:\n  num_modes: " + keys + "\n" + more);
    };
    EXPECT_EQ(run_of(object("3\n  mode_spread: 0.2")).object.num_modes, 3);
    EXPECT_EQ(run_of(object("2")).object.mode_spread, 0.05);
    EXPECT_EQ(run_of(with_scan("object: {num_object_modes: 4}")).object.num_modes, 4) << "PtyPy's name";
    expect_problem(object("0"),
                   "run.yaml:3: object.num_modes: 0 is out of range (allowed: at least 1, at most 100)");
    expect_problem(with_scan("object: {num_modes: 100}\nprobe: {num_modes: 50}"),
                   "run.yaml:2: object.num_modes: 100 with 50 modes of the probe make more than 4096 exit "
                   "waves of each frame");
    expect_problem(object("two"), "run.yaml:3: object.num_modes: expected a whole number, got 'two'");
    expect_problem(object("2\n  mode_spread: 0"),
                   "run.yaml:4: object.mode_spread: 0 is out of range (allowed: above 0, at most 1)");
    expect_problem(object("1\n  mode_spread: 0.1"),
                   "run.yaml:4: object.mode_spread: has no meaning here (only for num_modes above 1)");
    expect_problem(
        object("2\n  num_slices: 3\n  slice_spacings_m: 1e-9"),
        "run.yaml:3: object.num_modes: must be 1 with num_slices 3: an object has several modes or "
        "several slices, not both");
    expect_problem(
        object("2\n  constraints: {amplitude: [0, 1]}"),
        "run.yaml:4: object.constraints: limits of amplitude and phase are for objects of one mode: "
        "those after the first may be anything");
    EXPECT_EQ(run_of(object("2\n  constraints: {smoothing: 0.1}")).object.constraints.smoothing, 0.1);
    expect_problem(object("2", "engines:\n  - name: rPIE\n"),
                   "run.yaml:5: engines[0].name: engines ePIE, rPIE, mPIE and LSQML are for objects of one "
                   "mode, object.num_modes is 2 (use CG, GD, DM, RAAR or AP)");
    expect_problem(
        object("2", "engines:\n  - {name: DM, clip_object: [0, 1]}\n"),
        "run.yaml:5: engines[0].clip_object: is for objects of one mode: those after the first may be "
        "of any amplitude");
    expect_problem(
        object("2", "probe: {variable: {variable_intensity: true}}\n"),
        "run.yaml:3: object.num_modes: must be 1 with probe.variable: what fits the frames' probes "
        "knows one object");
    expect_problem(object("2", "output: {flat_region: [0, 9, 0, 9]}\n"),
                   "run.yaml:4: output.flat_region: is for objects of one mode: modes have no common mean");
}

TEST(RunFile, SlicesAreCoupledWhereThereAreSeveral) {
    const auto object = [](const std::string& keys) {
        return with_scan("object:\n  slice_spacings_m: 1e-9\n  num_slices: 2\n  " + keys + "\n");
    };
    EXPECT_EQ(run_of(object("regularize_layers: 0.5")).object.regularize_interval, 1);
    EXPECT_EQ(run_of(object("margin_px: 4")).object.regularize_layers, 0);
    expect_problem(
        object("regularize_layers: 1.5"),
        "run.yaml:5: object.regularize_layers: 1.5 is out of range (allowed: at least 0, at most 1)");
    expect_problem(
        object("regularize_interval: 2"),
        "run.yaml:5: object.regularize_interval: has no meaning here (only for regularize_layers above 0)");
    expect_problem(with_scan("object: {regularize_layers: 0.1}"),
                   "run.yaml:2: object.regularize_layers: has no meaning here (only for num_slices above 1)");
}

}  // namespace
}  // namespace tessera
