#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

#include "config_texts.hpp"

// The keys of the simulation file.
namespace tessera {
namespace {

constexpr std::string_view full_simulation = R"(object:
  pattern: textures
  amplitude_range: [0.2, 0.9]
  phase_range_rad: [-1, 1]
  feature_size_px: 5.5
  num_slices: 3
  slice_spacings_m: [1e-6, 2e-6]
  slice_propagation: fresnel
probe:
  shape: gaussian
  diameter_px: 31
  defocus_m: 1e-4
  num_modes: 2
  mode_power: 0.1
  photons_per_frame: 1e5
  guess_defocus_error: -0.2
scan:
  pattern: jittered
  grid: [3, 4]
  step_px: 7.5
  jitter: 0
  integer_positions: yes
  fluctuation: {intensity: 0.125, pointing_px: 0.5, defocus_m: 1e-4}
detector:
  shape: 96
  probe_shape: [48, 64]
  pixel_size_m: 1.0e-5
  distance_m: 0.5
  energy_eV: 6200
  propagation: near_field
  focus_to_sample_m: 0.01
  photon_noise: false
  integer_counts: false
  background_per_pixel: 0.5
  masked_fraction: 0.01
  blur_sigma_px: 0.8
  saturation: 1200
random_seed: 9
file: out.cxi
)";

TEST(SimulationFile, AVoltageTakesThePlaceOfTheEnergy) {
    const SimulationConfig c = simulation_of("detector: {accelerating_voltage_kV: 200}");
    EXPECT_EQ(c.detector.accelerating_voltage_kV, 200.0);
    EXPECT_EQ(simulation_of(write_simulation_config(c)), c);
    EXPECT_EQ(simulation_problems("detector:\n  energy_eV: 8000\n  accelerating_voltage_kV: 200\n"),
              Texts{"sim.yaml:2: detector.energy_eV: has no meaning here (only for photons: without "
                    "accelerating_voltage_kV)"});
}

TEST(SimulationFile, EveryKeyIsReadAndWritten) {
    SimulationConfig expected;
    expected.object = {ObjectPattern::textures,  {0.2, 0.9}, {-1, 1}, 5.5, {}, 1, 3, {1e-6, 2e-6},
                       SlicePropagation::fresnel};
    expected.probe = {ProbeShape::gaussian, 31, 1e-4, {}, 0, 2, 0.1, 1e5, -0.2};
    expected.scan = {ScanPattern::jittered, {3, 4}, 7.5, 0, true};
    expected.detector = {{96, 96},
                         std::array<int, 2>{48, 64},
                         1.0e-5,
                         0.5,
                         {},
                         6200,
                         Propagation::near_field,
                         0.01,
                         false,
                         false,
                         0.5,
                         0.01,
                         0.8,
                         1200.0};
    expected.scan.fluctuation = {0.125, 0.5, 1e-4};
    expected.random_seed = 9;
    expected.file = "out.cxi";
    EXPECT_EQ(simulation_of(full_simulation), expected);
    EXPECT_EQ(simulation_of(write_simulation_config(expected)), expected);
}

TEST(SimulationFile, EmptyIsAllDefaults) {
    EXPECT_EQ(simulation_of(""), SimulationConfig{});
    EXPECT_EQ(simulation_of(write_simulation_config({})), SimulationConfig{});
}

TEST(SimulationFile, Problems) {
    const auto problem = [](const std::string& yaml) {
        const Texts texts = simulation_problems(yaml);
        EXPECT_EQ(texts.size(), 1u) << yaml;
        return texts.empty() ? std::string() : texts[0];
    };
    EXPECT_EQ(problem("detector: {propagation: auto}"),
              "sim.yaml:1: detector.propagation: must be far_field or near_field");
    EXPECT_EQ(problem("detector:\n  shape: [64, 32]\n  probe_shape: 48\n"),
              "sim.yaml:3: detector.probe_shape: must fit the frame, [64, 32]");
    EXPECT_EQ(
        problem("detector: {focus_to_sample_m: 1}"),
        "sim.yaml:1: detector.focus_to_sample_m: has no meaning here (only for propagation: near_field)");
    EXPECT_EQ(problem("object: {amplitude_range: [0.9, 0.2]}"),
              "sim.yaml:1: object.amplitude_range: must be [least, most]");
    EXPECT_EQ(problem("scan: {pattern: raster, jitter: 0.2}"),
              "sim.yaml:1: scan.jitter: has no meaning here (only for pattern: jittered)");
    EXPECT_EQ(
        problem("geometry: {energy_eV: 3}"),
        "sim.yaml:1: geometry: unknown key (known here: object, probe, scan, detector, random_seed, file)");
    EXPECT_EQ(problem("object: {pattern: lead_titanate}"),
              "sim.yaml:1: object.pattern: lead_titanate is a crystal seen by electrons: it needs "
              "detector.accelerating_voltage_kV");
    EXPECT_EQ(
        problem("object: {num_slices: 3}"),
        "sim.yaml:1: object.slice_spacings_m: is required with num_slices above 1: one length for all, or a "
        "list of 2");
    EXPECT_EQ(
        problem("object: {num_modes: 2}"),
        "sim.yaml:1: object.num_modes: has no meaning here (only for pattern: random_features or textures)");
    EXPECT_EQ(
        problem("object: {pattern: textures, num_modes: 2, num_slices: 3, slice_spacings_m: 1e-6}"),
        "sim.yaml:1: object.num_modes: must be 1 with num_slices 3: an object has several modes or several "
        "slices, not both");
    EXPECT_EQ(problem("object: {pattern: textures, num_modes: 0}"),
              "sim.yaml:1: object.num_modes: 0 is out of range (allowed: at least 1, at most 100)");
    EXPECT_EQ(problem("probe: {shape: convergent}"),
              "sim.yaml:1: probe.convergence_angle_mrad: is required with shape: convergent");
    EXPECT_EQ(problem("probe: {convergence_angle_mrad: 30}"),
              "sim.yaml:1: probe.convergence_angle_mrad: has no meaning here (only for shape: convergent)");
    EXPECT_EQ(
        problem("probe: {shape: convergent, convergence_angle_mrad: 1}\ndetector: {propagation: near_field}"),
        "sim.yaml:1: probe.shape: convergent is for the far field");
    EXPECT_EQ(
        problem("scan: {fluctuation: {intensity: 0.6}}"),
        "sim.yaml:1: scan.fluctuation.intensity: 0.6 is out of range (allowed: at least 0, at most 0.5)");
    EXPECT_EQ(problem("scan: {fluctuation: {pointing_px: -1}}"),
              "sim.yaml:1: scan.fluctuation.pointing_px: -1 is out of range (allowed: at least 0, at most "
              "1000)");
    EXPECT_EQ(problem("energy_eV: 3"),
              "sim.yaml:1: energy_eV: unknown key (did you mean detector.energy_eV?)");
}

}  // namespace
}  // namespace tessera
