#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config_texts.hpp"

// The keys of the run file: what each takes, what is refused and where, and writing.
namespace tessera {
namespace {

// A key other than each default, so that nothing can be read by standing still.
constexpr std::string_view full_run = R"(scan:
  file: data/scan 1.h5
  format: hdf5
  geometry:
    propagation: near_field
    detector_distance_m: 5.2
    detector_pixel_size_m: 6.5e-6
    focus_to_sample_m: 0.0143
    energy_eV: 12398.4198
    wavelength_m: 1.0e-10
  mask: {file: mask.h5, key: /mask, invert: true, saturated_above: 60000.5, negative_counts: zero}
  frames: {start: 3, stop: 400, step: 2}
  crop: {size: [256, 128], center: [130, 120]}
  orientation: {transpose: on, flip_y: Yes, flip_x: TRUE}
  positions: {scale: [-1, 2.5], swap_xy: true}
  keys:
    frames: /entry/data
    positions_y: /y
    positions_x: /x
    positions_order: [x, y]
    position_unit: um
    mask: /m
    probe: /p
    background: /b
    frames_are_amplitudes: true
    frames_dc_at_corner: true
object:
  margin_px: 17
  initial: file
  file: earlier.h5
  num_slices: 3
  slice_spacings_m: [1.5e-9, 2.5e-9]
  slice_propagation: fresnel
  regularize_layers: 0.25
  regularize_interval: 5
  constraints: {smoothing: 0.2, total_variation: 0.01, start: 3, interval: 2}
probe:
  initial: zone_plate
  num_modes: 3
  mode_power: 0.25
  update: {start: 7}
  support: {radius: 0.9, interval: 3}
  size: 64
  power: keep
  diameter_m: 1.2e-4
  defocus_m: -4.0e-4
  outer_zone_width_m: 6e-8
  central_stop_m: 4e-5
engines:
  - name: GD
    num_iter: 12
    noise_model: gaussian
    preconditioner_alpha: 0.3
    step: 0.7
    momentum: 0
    tolerance: 1e-4
  - {name: CG, num_iter: 5, noise_model: poisson, beta: dai_yuan}
positions: {interpolation: bilinear}
tiling: {tiles: [2, 3], batch_size: 16, exchange: passes, halo_m: 600.0e-12}
runtime:
  scheduler: dmdas
  cpus: 4
  waves: recompute
  submit_ahead: 5
  gpus: 2
  mixed: on
  gpu_kernels: on_chip
  operations: fused
  priorities: off
  memory_limit: {host: 1.5GiB, gpu: 512MiB}
  disk: /scratch/waves
  trace: /scratch/trace
  time_limit: 10min
  random_seed: 18446744073709551615
output: {file: out/r.h5, save_interval: 50, checkpoint_interval: 90s, pictures: no, remove_ramp: on, flat_region: [1, 7, 2, 9]}
)";

RunConfig expected_full_run() {
    RunConfig c;
    c.scan.file = "data/scan 1.h5";
    c.scan.format = ScanFormat::hdf5;
    c.scan.geometry = {Propagation::near_field, 5.2, 6.5e-6, 0.0143, 12398.4198, 1.0e-10, {}};
    c.scan.mask = {"mask.h5", "/mask", true, 60000.5, NegativeCounts::zero};
    c.scan.frames = {3, 400, 2};
    c.scan.crop.size = {256, 128};
    c.scan.crop.center = {130, 120};
    c.scan.orientation = {true, true, true};
    c.scan.positions = {{-1, 2.5}, true};
    c.scan.keys.frames = "/entry/data";
    c.scan.keys.positions_y = "/y";
    c.scan.keys.positions_x = "/x";
    c.scan.keys.positions_order = {"x", "y"};
    c.scan.keys.position_unit = PositionUnit::um;
    c.scan.keys.mask = "/m";
    c.scan.keys.probe = "/p";
    c.scan.keys.background = "/b";
    c.scan.keys.frames_are_amplitudes = true;
    c.scan.keys.frames_dc_at_corner = true;
    c.object = {17,
                InitialObject::file,
                "earlier.h5",
                1,
                0.05,
                3,
                {1.5e-9, 2.5e-9},
                SlicePropagation::fresnel,
                0.25,
                5,
                {}};
    c.object.constraints = {{}, {}, 0.2, 0.01, 3, 2};
    c.probe.initial = InitialProbe::zone_plate;
    c.probe.num_modes = 3;
    c.probe.mode_power = 0.25;
    c.probe.update.start = 7;
    c.probe.support.radius = 0.9;
    c.probe.support.interval = 3;
    c.probe.size = {64, 64};
    c.probe.rescale = false;
    c.probe.diameter_m = 1.2e-4;
    c.probe.defocus_m = -4.0e-4;
    c.probe.outer_zone_width_m = 6e-8;
    c.probe.central_stop_m = 4e-5;
    c.engines.assign(2, EngineConfig{});
    c.engines[0] = {
        EngineName::GD, 12, NoiseModel::gaussian, ConjugateRule::polak_ribiere, 0.3, 0.7, 0.0, 1e-4};
    c.engines[1].num_iter = 5;
    c.engines[1].noise_model = NoiseModel::poisson;
    c.engines[1].beta = ConjugateRule::dai_yuan;
    c.positions.interpolation = Interpolation::bilinear;
    c.tiling.tiles = {2, 3};
    c.tiling.batch_size = 16;
    c.tiling.exchange = Exchange::passes;
    c.tiling.halo_m = 600e-12;
    c.runtime = {"dmdas",
                 4,
                 2,
                 true,
                 GpuKernels::on_chip,
                 Operations::fused,
                 false,
                 Waves::recompute,
                 5,
                 1610612736u,
                 536870912u,
                 "/scratch/waves",
                 "/scratch/trace",
                 600.0,
                 18446744073709551615u};
    c.output = {"out/r.h5", 50, 90.0, false, true, std::array{1, 7, 2, 9}};
    return c;
}

TEST(RunFile, MissingKeysKeepTheirDefaults) {
    RunConfig expected;
    expected.scan.file = "a.cxi";
    EXPECT_EQ(run_of(scan_line), expected);
}

TEST(RunFile, NullAndAutoAreTheDefaults) {
    RunConfig expected;
    expected.scan.file = "a.cxi";
    EXPECT_EQ(run_of(R"(
scan: {file: a.cxi, format: auto, geometry: {propagation: auto, energy_eV: ~}, crop: {size: null, center: auto}}
object:
probe: {initial: auto, num_modes: null, power: auto, update: null}
engines: null
tiling: {tiles: auto, batch_size: auto}
runtime: {scheduler: auto, cpus: auto, waves: auto, memory_limit: {host: null}, time_limit: null}
)"),
              expected);
}

TEST(RunFile, EveryKeyIsRead) {
    EXPECT_EQ(run_of(full_run), expected_full_run());
}

TEST(RunFile, AnchorsStandForWhatTheyName) {
    const RunConfig c = run_of(with_scan("engines: [&first {name: GD, num_iter: 3}, *first]\n"));
    ASSERT_EQ(c.engines.size(), 2u);
    EXPECT_EQ(c.engines[0].num_iter, 3);
    EXPECT_EQ(c.engines[1], c.engines[0]);
}

TEST(RunFile, Quantities) {
    const auto host = [](const std::string& text) {
        return run_of(with_scan("runtime: {memory_limit: {host: " + text + "}}"))
            .runtime.memory_limit_host_bytes;
    };
    EXPECT_EQ(host("8GiB"), std::uint64_t{8} << 30);
    EXPECT_EQ(host("500MB"), 500000000u);
    EXPECT_EQ(host("1.5 TiB"), (std::uint64_t{3} << 40) / 2);
    EXPECT_EQ(host("4096"), 4096u);
    EXPECT_EQ(host("9007199254740993"), 9007199254740993u);  // 2^53 + 1: not through a double
    const auto limit = [](const std::string& text) {
        return run_of(with_scan("runtime: {time_limit: " + text + "}")).runtime.time_limit_s;
    };
    EXPECT_EQ(limit("90"), 90.0);
    EXPECT_EQ(limit("90s"), 90.0);
    EXPECT_EQ(limit("10min"), 600.0);
    EXPECT_EQ(limit("1.5 h"), 5400.0);
}

TEST(RunFile, UnknownKeysNameTheNearest) {
    expect_problem(with_scan("engines:\n  - name: CG\n    num_itr: 3\n"),
                   "run.yaml:4: engines[0].num_itr: unknown key (did you mean num_iter?)");
    expect_problem(with_scan("oputput: {}\n"), "run.yaml:2: oputput: unknown key (did you mean output?)");
    expect_problem("scan:\n  file: a.cxi\n  geometry: {energy: 8000}\n",
                   "run.yaml:3: scan.geometry.energy: unknown key (did you mean energy_eV?)");
    expect_problem(with_scan("num_modes: 2\n"),
                   "run.yaml:2: num_modes: unknown key (did you mean object.num_modes?)");
    expect_problem(
        with_scan("tiling:\n  overlap: 5\n"),
        "run.yaml:3: tiling.overlap: unknown key (known here: tiles, batch_size, exchange, halo_m)");
}

TEST(RunFile, DuplicateKeysAreFound) {
    expect_problem(with_scan("object:\n  margin_px: 3\n  initial: flat\n  margin_px: 3\n"),
                   "run.yaml:5: object.margin_px: duplicate key (first on line 3)");
    expect_problem(with_scan("scan: {file: b.cxi}\n"), "run.yaml:2: scan: duplicate key (first on line 1)");
}

TEST(RunFile, WrongTypes) {
    expect_problem(with_scan("object: {margin_px: wide}"),
                   "run.yaml:2: object.margin_px: expected a whole number, got 'wide'");
    expect_problem(with_scan("object: {margin_px: 1.5}"),
                   "run.yaml:2: object.margin_px: expected a whole number, got '1.5'");
    expect_problem(with_scan("object: {margin_px: '3'}"),
                   "run.yaml:2: object.margin_px: expected a whole number, got '3' in quotes");
    expect_problem(with_scan("object: {margin_px: [3]}"),
                   "run.yaml:2: object.margin_px: expected a whole number, got a list of 1");
    expect_problem(with_scan("object: 3"), "run.yaml:2: object: expected a map of keys, got '3'");
    expect_problem(with_scan("engines:\n  name: CG\n"),
                   "run.yaml:2: engines: expected a list, got a map of keys");
    expect_problem(with_scan("engines: [CG]\n"), "run.yaml:2: engines[0]: expected a map of keys, got 'CG'");
    expect_problem(with_scan("output: {pictures: 1}"),
                   "run.yaml:2: output.pictures: expected true or false, got '1'");
    expect_problem(with_scan("output: {file: {}}"),
                   "run.yaml:2: output.file: expected a text, got a map of keys");
    expect_problem(with_scan("output: {file: ''}"), "run.yaml:2: output.file: must not be empty");
    expect_problem(with_scan("output: {file: \"a\\0b\"}"),
                   "run.yaml:2: output.file: 'a?b' holds a control character");
    expect_problem(with_scan("tiling: {halo_m: 0}"),
                   "run.yaml:2: tiling.halo_m: 0 is out of range (allowed: above 0)");
    expect_problem(with_scan("tiling: {tiles: [1, 2, 3]}"),
                   "run.yaml:2: tiling.tiles: expected a list of two values, got a list of 3 (or auto)");
    expect_problem(with_scan("tiling: {batch_size: some}"),
                   "run.yaml:2: tiling.batch_size: expected a whole number, got 'some' (or auto)");
    expect_problem(with_scan("runtime: {time_limit: 3 days}"),
                   "run.yaml:2: runtime.time_limit: expected a time such as 90s, 10min or 2h, got '3 days'");
    expect_problem(
        with_scan("runtime: {memory_limit: {host: 8 gigs}}"),
        "run.yaml:2: runtime.memory_limit.host: expected a number of bytes such as 8GiB or 500MB, got "
        "'8 gigs'");
    expect_problem(with_scan("runtime: {memory_limit: 8GiB}"),
                   "run.yaml:2: runtime.memory_limit: expected a map of keys, got '8GiB'");
}

TEST(RunFile, ValuesOutOfRange) {
    expect_problem(with_scan("engines:\n  - num_iter: 0\n"),
                   "run.yaml:3: engines[0].num_iter: 0 is out of range (allowed: at least 1)");
    expect_problem(
        with_scan("engines: [{preconditioner_alpha: 0}]"),
        "run.yaml:2: engines[0].preconditioner_alpha: 0 is out of range (allowed: above 0, at most 1)");
    expect_problem(with_scan("engines: [{name: GD, momentum: 1}]"),
                   "run.yaml:2: engines[0].momentum: 1 is out of range (allowed: at least 0, below 1)");
    expect_problem(with_scan("runtime: {random_seed: 18446744073709551616}"),
                   "run.yaml:2: runtime.random_seed: 18446744073709551616 is out of range");
    expect_problem(with_scan("runtime: {time_limit: 0s}"),
                   "run.yaml:2: runtime.time_limit: 0s is out of range (allowed: above 0)");
    expect_problem("scan: {file: a.cxi, crop: {size: [0, 4]}}",
                   "run.yaml:1: scan.crop.size: 0 is out of range (allowed: at least 1, at most 65536)");
}

TEST(RunFile, WholeNumbersFitTheirType) {
    expect_problem(
        with_scan("engines: [{num_iter: 2147483648}]"),
        "run.yaml:2: engines[0].num_iter: 2147483648 is out of range (allowed: at least -2147483648, at "
        "most 2147483647)");
    EXPECT_EQ(run_of(with_scan("engines: [{num_iter: 2147483647}]")).engines[0].num_iter, 2147483647);
}

TEST(RunFile, NumbersAreFinite) {
    const auto expect = [](const char* word, const std::string& message) {
        expect_problem(
            with_scan(fmt::format("probe: {{initial: gaussian, diameter_m: 1, defocus_m: {}}}", word)),
            "run.yaml:2: probe.defocus_m: " + message);
    };
    for (const char* word : {".nan", ".inf", "-.inf", ".NaN"})
        expect(word, fmt::format("{} is not finite", word));
    for (const char* word : {"nan", "inf", "1e999", "0x10", "1_000", "+-1"}) {
        expect(word, fmt::format("expected a number, got '{}'", word));
    }
}

TEST(RunFile, WordsListWhatIsAllowed) {
    expect_problem(
        with_scan("positions: {interpolation: cubic}"),
        "run.yaml:2: positions.interpolation: expected one of nearest, bilinear, fourier, got 'cubic'");
    expect_problem(with_scan("engines: [{name: cg}]"),
                   "run.yaml:2: engines[0].name: expected one of CG, GD, DM, RAAR, AP, ePIE, rPIE, mPIE, "
                   "LSQML, got 'cg'; did you mean CG?");
    expect_problem(
        with_scan("engines: [{beta: polak_ribière}]"),
        "run.yaml:2: engines[0].beta: expected one of polak_ribiere, dai_yuan, fletcher_reeves, got "
        "'polak_ribière'; did you mean polak_ribiere?");
}

TEST(RunFile, EnergyAndWavelengthAgree) {
    const auto scan = [](const std::string& wavelength) {
        return "scan:\n  file: a.cxi\n  geometry:\n    energy_eV: 8000\n    wavelength_m: " + wavelength +
               "\n";
    };
    EXPECT_EQ(run_problems(scan("1.549802e-10")), Texts{});
    expect_problem(scan("1.6e-10"),
                   "run.yaml:5: scan.geometry.wavelength_m: 1.6e-10 disagrees with energy_eV 8000, which is "
                   "1.5498e-10 m; give one of them");
}

TEST(RunFile, AVoltageIsOfElectrons) {
    const auto scan = [](const std::string& geometry) {
        return "scan:\n  file: a.cxi\n  geometry: {" + geometry + "}\n";
    };
    EXPECT_EQ(run_of(scan("accelerating_voltage_kV: 300")).scan.geometry.accelerating_voltage_kV, 300.0);
    expect_problem(
        scan("accelerating_voltage_kV: 300, energy_eV: 8000"),
        "run.yaml:3: scan.geometry.energy_eV: goes with photons, accelerating_voltage_kV with electrons; "
        "give one of them");
    expect_problem(
        scan("accelerating_voltage_kV: 300, wavelength_m: 1.969e-12"),
        "run.yaml:3: scan.geometry.wavelength_m: accelerating_voltage_kV gives it already; give one of them");
    expect_problem(
        scan("accelerating_voltage_kV: 300e3"),
        "run.yaml:3: scan.geometry.accelerating_voltage_kV: 300e3 is out of range (allowed: at least 0.01, "
        "at most 10000)");
    expect_problem(scan("accelerating_voltage_kv: 300"),
                   "run.yaml:3: scan.geometry.accelerating_voltage_kv: unknown key (did you mean "
                   "accelerating_voltage_kV?)");
    expect_problem(scan("accelerating_voltage_V: 300"),
                   "run.yaml:3: scan.geometry.accelerating_voltage_V: unknown key (did you mean "
                   "accelerating_voltage_kV?)");
    RunConfig c = run_of(scan("accelerating_voltage_kV: 80.5"));
    EXPECT_EQ(run_of(write_run_config(c)), c);
}

TEST(RunFile, FramesStopAfterTheyStart) {
    expect_problem("scan:\n  file: a.cxi\n  frames:\n    start: 5\n    stop: 5\n",
                   "run.yaml:5: scan.frames.stop: 5 must be above start, 5");
}

TEST(RunFile, OtherContradictions) {
    expect_problem("object: {margin_px: 3}\n", "run.yaml:1: scan.file: is required");
    expect_problem("object:\nscan:\n  format: cxi\n", "run.yaml:2: scan.file: is required");
    expect_problem(with_scan("engines: []\n"),
                   "run.yaml:2: engines: must list at least one engine, such as {name: CG, "
                   "num_iter: 100}");
    expect_problem(with_scan("object: {initial: file}"),
                   "run.yaml:2: object.file: is required with initial: file");
    expect_problem("scan:\n  file: a\n  geometry:\n    propagation: far_field\n    focus_to_sample_m: 1\n",
                   "run.yaml:5: scan.geometry.focus_to_sample_m: has no meaning here (only for propagation: "
                   "near_field)");
    expect_problem("scan:\n  file: a\n  positions: {scale: [0, 1]}\n",
                   "run.yaml:3: scan.positions.scale: must not be 0");
    expect_problem("scan:\n  file: a\n  keys: {positions_order: [y, y]}\n",
                   "run.yaml:3: scan.keys.positions_order: must be [y, x] or [x, y]");
    expect_problem("scan:\n  file: a\n  keys: {positions_y: /y}\n",
                   "run.yaml:3: scan.keys.positions_x: positions_y and positions_x go together");
    expect_problem(
        "scan:\n  file: a\n  format: hdf5\n  keys: {frames: /d}\n",
        "run.yaml:4: scan.keys.positions: is required with format: hdf5 (or positions_y and positions_x)");
    EXPECT_EQ(run_problems("scan: {file: a, format: cxi, keys: {mask: /m}}"), Texts{});
}

TEST(RunFile, AllProblemsAreToldInTheOrderOfTheirLines) {
    const Texts expected = {
        "run.yaml:2: scan.fil: unknown key (did you mean file?)",
        "run.yaml:4: object.margin_px: -1 is out of range (allowed: at least 0, at most 65536)",
        "run.yaml:6: engines[0].name: expected one of CG, GD, DM, RAAR, AP, ePIE, rPIE, mPIE, LSQML, got "
        "'HIO'",
        "run.yaml:7: engines[0].num_iter: expected a whole number, got 'many'",
        "run.yaml:9: engines[1].beta: has no meaning here (only for engine CG)",
        "run.yaml:10: refine: unknown key (known here: scan, detector, object, probe, engines, positions, "
        "tiling, "
        "runtime, output, tune)",
        "--set runtime.cpus=0: runtime.cpus: 0 is out of range (allowed: at least 1) (or "
        "auto)",
    };
    const std::string yaml =
        "scan:\n  fil: a.cxi\nobject:\n  margin_px: -1\nengines:\n  - name: HIO\n    num_iter: many\n"
        "  - name: GD\n    beta: dai_yuan\nrefine: off\n";
    EXPECT_EQ(run_problems(yaml, {"runtime.cpus=0", "scan.file=b.cxi"}), expected);
}

TEST(RunFile, ProblemsAreCut) {
    std::string yaml(scan_line);
    for (int i = 0; i < 250; ++i) yaml += fmt::format("x{}: 1\n", i);
    const Texts texts = run_problems(yaml);
    ASSERT_EQ(texts.size(), 101u);
    EXPECT_EQ(texts.back(), "run.yaml: and 150 more problems");
}

TEST(RoundTrip, TheDefaultRun) {
    RunConfig c;
    c.scan.file = "a.cxi";
    EXPECT_EQ(run_of(write_run_config(c)), c);
}

TEST(RoundTrip, TheFullRun) {
    const RunConfig c = expected_full_run();
    const std::string text = write_run_config(c);
    EXPECT_EQ(run_of(text), c) << text;
    EXPECT_EQ(write_run_config(run_of(text)), text);
}

TEST(RoundTrip, ModesOfAnObject) {
    RunConfig c;
    c.scan.file = "a.cxi";
    c.object.num_modes = 3;
    c.object.mode_spread = 0.125;
    EXPECT_EQ(run_of(write_run_config(c)), c) << write_run_config(c);
}

TEST(RoundTrip, EqualAndUnequalSpacings) {
    for (const std::vector<double>& spacings_m :
         {std::vector<double>(9, 1.0 / 3), std::vector<double>{1e-10, 2e-10, 0.1},
          std::vector<double>{5e-324}}) {
        RunConfig c;
        c.scan.file = "a.cxi";
        c.object.num_slices = static_cast<int>(spacings_m.size()) + 1;
        c.object.slice_spacings_m = spacings_m;
        EXPECT_EQ(run_of(write_run_config(c)), c) << write_run_config(c);
    }
}

TEST(RoundTrip, ValuesThatAreHardToWrite) {
    for (const char* name :
         {"null",       "~",           "yes",   "12",     "a: b",        "- x", "#1", "it's",
          "\"quoted\"", "back\\slash", " lead", "trail ", "Größe µm.h5", "&a",  "*a", "!t",
          "{x}",        "[y]",         "%d",    "...",    "---",         "a,b", "-"}) {
        RunConfig c;
        c.scan.file = name;
        c.scan.keys.mask = name;
        c.runtime.scheduler = name;
        EXPECT_EQ(run_of(write_run_config(c)), c) << write_run_config(c);
    }
    for (const double value : {0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, -0.0, 1e21, 123456789.0}) {
        RunConfig c;
        c.scan.file = "a";
        c.probe.initial = InitialProbe::gaussian;
        c.probe.diameter_m = 1e-6;
        c.probe.defocus_m = value;
        if (value > 0) c.runtime.time_limit_s = value;
        EXPECT_EQ(run_of(write_run_config(c)), c) << write_run_config(c);
    }
    for (const std::uint64_t bytes :
         {std::uint64_t{1}, std::uint64_t{1023}, std::uint64_t{1024}, std::uint64_t{3} << 40,
          std::uint64_t{1} << 53, (std::uint64_t{1} << 53) + 1, ~std::uint64_t{0}}) {
        RunConfig c;
        c.scan.file = "a";
        c.runtime.memory_limit_host_bytes = bytes;
        EXPECT_EQ(run_of(write_run_config(c)), c) << write_run_config(c);
    }
}

TEST(RoundTrip, TheWrittenFileShowsEveryKeyWithItsValue) {
    RunConfig c;
    c.scan.file = "a.cxi";
    const std::string text = write_run_config(c);
    for (const char* line :
         {"scan:\n  file: a.cxi\n  format: auto\n", "    energy_eV: null\n", "  power: auto\n",
          "engines:\n  - name: CG\n    num_iter: 100\n", "    beta: polak_ribiere\n",
          "  memory_limit:\n    host: null\n", "  cpus: auto\n", "  pictures: true\n"}) {
        EXPECT_NE(text.find(line), text.npos) << line << "is missing in\n" << text;
    }
    EXPECT_EQ(text.find("momentum"), text.npos);  // of the other engine
    c.scan.geometry.wavelength_m = 1e-10;         // with a point: a number for readers of YAML 1.1 too
    EXPECT_NE(write_run_config(c).find("    wavelength_m: 1.0e-10\n"), text.npos);
}

}  // namespace
}  // namespace tessera
