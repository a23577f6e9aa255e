#include "config/run_config.hpp"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "config/schema.hpp"
#include "config/wording.hpp"

// The schema of the run file: one describe() per struct of run_config.hpp, one line per key.
namespace tessera {

namespace {

constexpr int max_side_px = 65536;  // of a frame; keeps products of sides far from overflow
constexpr int max_num_modes = 1000;

constexpr Word<Interpolation> interpolations[] = {{"nearest", Interpolation::nearest},
                                                  {"bilinear", Interpolation::bilinear},
                                                  {"fourier", Interpolation::fourier}};
constexpr Word<ScanFormat> scan_formats[] = {
    {"auto", ScanFormat::automatic}, {"cxi", ScanFormat::cxi}, {"hdf5", ScanFormat::hdf5}};
constexpr Word<PositionUnit> position_units[] = {
    {"m", PositionUnit::m}, {"um", PositionUnit::um}, {"nm", PositionUnit::nm}, {"px", PositionUnit::px}};
constexpr Word<NegativeCounts> negative_counts_words[] = {{"leave_out", NegativeCounts::leave_out},
                                                          {"zero", NegativeCounts::zero}};
constexpr Word<InitialObject> initial_objects[] = {
    {"flat", InitialObject::flat}, {"random", InitialObject::random}, {"file", InitialObject::file}};
constexpr Word<InitialProbe> initial_probes[] = {
    {"auto", InitialProbe::automatic},        {"file", InitialProbe::file},
    {"aperture", InitialProbe::aperture},     {"gaussian", InitialProbe::gaussian},
    {"zone_plate", InitialProbe::zone_plate}, {"convergent", InitialProbe::convergent},
    {"from_data", InitialProbe::from_data}};
constexpr Word<bool> power_words[] = {{"auto", true}, {"keep", false}};  // is the probe rescaled?
constexpr Word<Waves> waves_words[] = {
    {"auto", Waves::automatic}, {"keep", Waves::keep}, {"recompute", Waves::recompute}};
constexpr Word<Exchange> exchanges[] = {
    {"neighbours", Exchange::neighbours}, {"passes", Exchange::passes}, {"voxels", Exchange::voxels}};
constexpr Word<TuneSearch> tune_searches[] = {
    {"auto", TuneSearch::automatic}, {"grid", TuneSearch::grid}, {"one_by_one", TuneSearch::one_by_one}};
constexpr Word<bool> off_or_on[] = {{"off", false}, {"on", true}};
constexpr Word<GpuKernels> gpu_kernel_words[] = {{"staged", GpuKernels::staged},
                                                 {"on_chip", GpuKernels::on_chip}};
constexpr Word<Operations> operations_words[] = {{"fused", Operations::fused},
                                                 {"staged", Operations::staged}};

// Energy and wavelength of photons both given: they may differ by the rounding of either.
void check_wavelength(KeyVisitor& io, const GeometryConfig& c) {
    constexpr double meter_eV = 1.23984198e-6;  // h c
    constexpr double rounding = 1e-4;
    if (!c.energy_eV || !c.wavelength_m) return;
    const double expected_m = meter_eV / *c.energy_eV;
    io.check(std::abs(*c.wavelength_m - expected_m) <= rounding * expected_m, "wavelength_m",
             fmt::format("{} disagrees with energy_eV {}, which is {:.6g} m; give one of them",
                         *c.wavelength_m, *c.energy_eV, expected_m));
}

}  // namespace

static void describe(KeyVisitor& io, GeometryConfig& c) {
    io.choice("propagation", c.propagation, propagation_words);
    io.key("detector_distance_m", c.detector_distance_m, above(0));
    io.key("detector_pixel_size_m", c.detector_pixel_size_m, above(0));
    io.key("focus_to_sample_m", c.focus_to_sample_m,
           above(0).only_if(c.propagation != Propagation::far_field, "propagation: near_field"));
    io.key("energy_eV", c.energy_eV, above(0));
    io.key("wavelength_m", c.wavelength_m, above(0));
    io.key("accelerating_voltage_kV", c.accelerating_voltage_kV, voltage_range_kV);
    check_wavelength(io, c);
    constexpr std::string_view both =
        "goes with photons, accelerating_voltage_kV with electrons; give one of them";
    io.check(!c.accelerating_voltage_kV || !c.energy_eV, "energy_eV", both);
    io.check(!c.accelerating_voltage_kV || !c.wavelength_m, "wavelength_m",
             "accelerating_voltage_kV gives it already; give one of them");
}

static void describe(KeyVisitor& io, MaskConfig& c) {
    io.key("file", c.file);
    io.key("key", c.key);
    io.key("invert", c.invert);
    io.key("saturated_above", c.saturated_above, above(0));
    io.choice("negative_counts", c.negative_counts, negative_counts_words);
}

static void describe(KeyVisitor& io, FramesConfig& c) {
    io.key("start", c.start, at_least(0));
    io.key("stop", c.stop, at_least(1));
    io.key("step", c.step, at_least(1));
    io.check(!c.stop || *c.stop > c.start, "stop",
             fmt::format("{} must be above start, {}", c.stop.value_or(0), c.start));
}

static void describe(KeyVisitor& io, CropConfig& c) {
    io.key("size", c.size, within(1, max_side_px).or_one_for_both());
    io.key("center", c.center, within(0, max_side_px).or_auto());
}

static void describe(KeyVisitor& io, OrientationConfig& c) {
    io.key("transpose", c.transpose);
    io.key("flip_y", c.flip_y);
    io.key("flip_x", c.flip_x);
}

static void describe(KeyVisitor& io, Hdf5KeysConfig& c) {
    io.key("frames", c.frames);
    io.key("positions", c.positions);
    io.key("positions_y", c.positions_y);
    io.key("positions_x", c.positions_x);
    io.key("positions_order", c.positions_order);
    io.choice("position_unit", c.position_unit, position_units);
    io.key("mask", c.mask);
    io.key("probe", c.probe);
    io.key("background", c.background);
    io.key("frames_are_amplitudes", c.frames_are_amplitudes);
    io.key("frames_dc_at_corner", c.frames_dc_at_corner);

    const std::array<std::string, 2> yx = {"y", "x"}, xy = {"x", "y"};
    io.check(c.positions_order == yx || c.positions_order == xy, "positions_order",
             "must be [y, x] or [x, y]");
    io.check(c.positions_y.has_value() == c.positions_x.has_value(),
             c.positions_y ? "positions_x" : "positions_y", "positions_y and positions_x go together");
    io.check(!c.positions || !c.positions_y, "positions",
             "give either positions, or positions_y and positions_x");
}

static void describe(KeyVisitor& io, ScanMotionConfig& c) {
    io.key("scale", c.scale);
    io.key("swap_xy", c.swap_xy);
    io.check(c.scale[0] != 0 && c.scale[1] != 0, "scale", "must not be 0");
}

static void describe(KeyVisitor& io, ScanConfig& c) {
    io.key("file", c.file);
    io.choice("format", c.format, scan_formats);
    io.group("geometry", c.geometry);
    io.group("mask", c.mask);
    io.group("frames", c.frames);
    io.group("crop", c.crop);
    io.group("orientation", c.orientation);
    io.group("positions", c.positions);
    io.group("keys", c.keys);

    io.check(!c.file.empty(), "file", "is required");
    if (c.format != ScanFormat::hdf5) return;
    io.check(c.keys.frames.has_value(), "keys.frames", "is required with format: hdf5");
    io.check(c.keys.positions || c.keys.positions_y || c.keys.positions_x, "keys.positions",
             "is required with format: hdf5 (or positions_y and positions_x)");
}

static void describe(KeyVisitor& io, ObjectConstraintsConfig& c) {
    constexpr double half_turn = std::numbers::pi;
    const auto of_any = [&](const Rule& rule) {
        return rule.only_if(c.is_any(), "amplitude, phase_rad, smoothing or total_variation");
    };
    io.key("amplitude", c.amplitude, at_least(0));
    io.key("phase_rad", c.phase_rad, within(-half_turn, half_turn));
    io.key("smoothing", c.smoothing, within(0, 1));
    io.key("total_variation", c.total_variation, within(0, 10));
    io.key("start", c.start, of_any(at_least(0)));
    io.key("interval", c.interval, of_any(at_least(1)));
    io.check(!c.amplitude || ((*c.amplitude)[0] <= (*c.amplitude)[1] && (*c.amplitude)[1] > 0), "amplitude",
             "the least must not exceed the largest, which must be above 0");
    io.check(!c.phase_rad || (*c.phase_rad)[0] < (*c.phase_rad)[1], "phase_rad",
             "the first must be below the second");
}

static void describe(KeyVisitor& io, RefineBackgroundConfig& c) {
    io.key("start", c.start, at_least(0));
    io.key("interval", c.interval, at_least(1));
    io.key("step_size", c.step_size, above_up_to(0, 1));
}

static void describe(KeyVisitor& io, DetectorConfig& c) {
    io.also_called("blur_sigma_px", "detector_blur_std");
    io.key("blur_sigma_px", c.blur_sigma_px, within(0, 10));
    io.key("upsampling", c.upsampling, within(1, 8));
    io.optional_group("refine_background", c.refine_background);
}

static void describe(KeyVisitor& io, ObjectConfig& c) {
    const auto is_file = [&] { return c.initial == InitialObject::file; };
    io.key("margin_px", c.margin_px, within(0, max_side_px));
    io.choice("initial", c.initial, initial_objects);
    io.key("file", c.file, anything().only_if(is_file(), "initial: file"));
    io.check(!is_file() || c.file, "file", "is required with initial: file");
    io.also_called("num_modes", "num_object_modes");
    io.key("num_modes", c.num_modes, within(1, max_object_modes));
    io.key("mode_spread", c.mode_spread, above_up_to(0, 1).only_if(c.num_modes > 1, "num_modes above 1"));
    describe_slices(io, c);
    check_modes_or_slices(io, c);
    io.key("regularize_layers", c.regularize_layers,
           within(0, 1).only_if(c.num_slices > 1, "num_slices above 1"));
    io.key("regularize_interval", c.regularize_interval,
           at_least(1).only_if(c.regularize_layers > 0, "regularize_layers above 0"));
    io.group("constraints", c.constraints);
    io.check(
        c.num_modes == 1 || !c.constraints.has_limits(), "constraints",
        "limits of amplitude and phase are for objects of one mode: those after the first may be anything");
}

static void describe(KeyVisitor& io, ProbeUpdateConfig& c) {
    io.key("start", c.start, at_least(0));
}

static void describe(KeyVisitor& io, ProbeSupportConfig& c) {
    io.key("radius", c.radius, above_up_to(0, 2));
    io.key("fourier_radius", c.fourier_radius, above_up_to(0, 2));
    io.key("interval", c.interval,
           at_least(1).only_if(c.radius || c.fourier_radius, "radius or fourier_radius"));
}

// The shapes that are made from lengths: which one uses what, and needs what.
static void describe_probe_shape(KeyVisitor& io, ProbeConfig& c) {
    const bool is_zone_plate = c.initial == InitialProbe::zone_plate;
    const bool is_convergent = c.initial == InitialProbe::convergent;
    const bool has_diameter =
        is_zone_plate || c.initial == InitialProbe::aperture || c.initial == InitialProbe::gaussian;
    constexpr std::string_view with_diameter = "initial: aperture, gaussian or zone_plate";
    constexpr std::string_view with_defocus = "initial: aperture, gaussian, zone_plate or convergent";
    constexpr std::string_view zone_plate = "initial: zone_plate";
    constexpr std::string_view convergent = "initial: convergent";
    io.key("diameter_m", c.diameter_m, above(0).only_if(has_diameter, with_diameter));
    io.key("defocus_m", c.defocus_m, anything().only_if(has_diameter || is_convergent, with_defocus));
    io.key("focal_length_m", c.focal_length_m, above(0).only_if(is_zone_plate, zone_plate));
    io.key("outer_zone_width_m", c.outer_zone_width_m, above(0).only_if(is_zone_plate, zone_plate));
    io.key("central_stop_m", c.central_stop_m, above(0).only_if(is_zone_plate, zone_plate));
    io.key("convergence_angle_mrad", c.convergence_angle_mrad,
           convergence_range_mrad.only_if(is_convergent, convergent));
    io.key("spherical_aberration_m", c.spherical_aberration_m, anything().only_if(is_convergent, convergent));

    io.check(!has_diameter || c.diameter_m, "diameter_m", fmt::format("is required with {}", with_diameter));
    io.check(!is_convergent || c.convergence_angle_mrad, "convergence_angle_mrad",
             fmt::format("is required with {}", convergent));
    if (!is_zone_plate) return;
    io.check(c.focal_length_m || c.outer_zone_width_m, "focal_length_m",
             "is required with initial: zone_plate (or outer_zone_width_m)");
    io.check(!c.focal_length_m || !c.outer_zone_width_m, "outer_zone_width_m",
             "gives the focal length; give either this or focal_length_m");
    io.check(!c.central_stop_m || !c.diameter_m || *c.central_stop_m < *c.diameter_m, "central_stop_m",
             "must be below diameter_m");
}

static void describe(KeyVisitor& io, VariableProbeConfig& c) {
    constexpr std::string_view wanted = "num_opr_modes above 0 or variable_intensity: true";
    io.also_called("num_opr_modes", "variable_probe_modes");
    io.also_called("variable_intensity", "optimize_intensity_variation");
    io.key("num_opr_modes", c.num_opr_modes, within(0, max_opr_modes));
    io.key("variable_intensity", c.variable_intensity);
    io.key("start", c.start, at_least(0).only_if(c.is_wanted(), wanted));
    io.key("interval", c.interval, at_least(1).only_if(c.is_wanted(), wanted));
    io.key("step_size", c.step_size, above_up_to(0, 1).only_if(c.is_wanted(), wanted));
    io.key("opr_step_size", c.opr_step_size,
           above_up_to(0, 1).only_if(c.num_opr_modes > 0, "num_opr_modes above 0"));
}

static void describe(KeyVisitor& io, ProbeConfig& c) {
    io.choice("initial", c.initial, initial_probes);
    io.key("file", c.file, anything().only_if(c.initial == InitialProbe::file, "initial: file"));
    io.key("num_modes", c.num_modes, within(1, max_num_modes));
    io.key("orthogonalize_interval", c.orthogonalize_interval, at_least(0));
    io.key("mode_power", c.mode_power, above_up_to(0, 1));
    io.group("update", c.update);
    io.group("support", c.support);
    io.group("variable", c.variable);
    io.key("size", c.size, within(1, max_side_px).or_one_for_both());
    io.choice("power", c.rescale, power_words);
    describe_probe_shape(io, c);
}

static void describe(KeyVisitor& io, PositionsConfig& c) {
    io.choice("interpolation", c.interpolation, interpolations);
    io.key("max_shift_px", c.max_shift_px, within(0, 1000));
}

static void describe(KeyVisitor& io, TilingConfig& c) {
    io.key("tiles", c.tiles, within(1, max_side_px).or_auto());
    io.key("batch_size", c.batch_size, at_least(1).or_auto());
    io.choice("exchange", c.exchange, exchanges);
    io.key("halo_m", c.halo_m, above(0));
}

// memory_limit is a map in the file, and plain members here.
struct MemoryLimit {
    std::optional<std::uint64_t>& host_bytes;
    std::optional<std::uint64_t>& gpu_bytes;
};
static void describe(KeyVisitor& io, MemoryLimit& c) {
    io.key("host", c.host_bytes, above(0).in(Unit::bytes));
    io.key("gpu", c.gpu_bytes, above(0).in(Unit::bytes));
}

static void describe(KeyVisitor& io, RuntimeConfig& c) {
    io.key("scheduler", c.scheduler, anything().or_auto());
    io.key("cpus", c.cpus, at_least(1).or_auto());
    io.key("gpus", c.gpus, at_least(0).or_auto());
    io.choice("mixed", c.mixed, off_or_on);
    io.choice("gpu_kernels", c.gpu_kernels, gpu_kernel_words);
    io.choice("operations", c.operations, operations_words);
    io.choice("priorities", c.priorities, off_or_on);
    io.choice("waves", c.waves, waves_words);
    io.key("submit_ahead", c.submit_ahead, within(1, 1000));
    MemoryLimit memory_limit{c.memory_limit_host_bytes, c.memory_limit_gpu_bytes};
    io.group("memory_limit", memory_limit);
    io.key("disk", c.disk);
    io.key("trace", c.trace);
    io.key("time_limit", c.time_limit_s, above(0).in(Unit::seconds));
    io.key("random_seed", c.random_seed);
    io.check(c.operations == Operations::fused || c.gpu_kernels == GpuKernels::staged, "operations",
             "staged needs gpu_kernels: staged; on the chip waves stay within a task");
}

static void describe(KeyVisitor& io, OutputConfig& c) {
    io.key("file", c.file);
    io.key("save_interval", c.save_interval, at_least(0));
    io.key("checkpoint_interval", c.checkpoint_interval_s, at_least(0).in(Unit::seconds).or_auto());
    io.key("pictures", c.pictures);
    io.key("remove_ramp", c.remove_ramp);
    io.key("flat_region", c.flat_region, at_least(0));
    if (!c.flat_region) return;
    const auto& [y0, y1, x0, x1] = *c.flat_region;
    io.check(y1 - y0 >= 2 && x1 - x0 >= 2, "flat_region",
             "must be [y0, y1, x0, x1] with y1 and x1 at least 2 above y0 and x0 (which count, y1 and x1 do "
             "not)");
}

static void describe(KeyVisitor& io, TuneConfig& c) {
    io.key("vary", c.vary);
    io.choice("search", c.search, tune_searches);
    io.key("warm_up", c.warm_up, at_least(1));
    io.key("num_iter", c.num_iter, at_least(1));
    io.key("repetitions", c.repetitions, at_least(1));
    io.key("confirmations", c.confirmations, at_least(1));
    io.key("max_trials", c.max_trials, at_least(1));
    io.key("launcher", c.launcher);
}

// Task batches are cut within mini-batches, once for the whole run.
static void check_minibatches(KeyVisitor& io, const RunConfig& c) {
    std::optional<std::size_t> first;
    for (std::size_t i = 0; i < c.engines.size(); ++i) {
        if (!has_minibatches(c.engines[i].name)) continue;
        if (!first) first = i;
        const EngineConfig &here = c.engines[i], &there = c.engines[*first];
        io.check(here.minibatch_size == there.minibatch_size && here.batching_mode == there.batching_mode,
                 "engines",
                 fmt::format("engines[{}] and engines[{}] must have the same minibatch_size and "
                             "batching_mode: frames are dealt into mini-batches once, for all engines",
                             *first, i));
    }
}

// Where an engine cannot work.
static void check_engine(KeyVisitor& io, const RunConfig& c, std::size_t i) {
    const EngineName name = c.engines[i].name;
    if (!projects_waves(name) && !has_minibatches(name)) return;
    const std::string_view engines = projects_waves(name) ? projecting_engines : minibatch_engines;
    const std::string key = fmt::format("engines[{}].name", i);
    io.check(c.object.num_slices == 1, key,
             fmt::format("{} are for objects of one slice, object.num_slices is {} (use CG or GD)", engines,
                         c.object.num_slices));
    io.check(
        c.object.num_modes == 1 || !has_minibatches(name), key,
        fmt::format("{} are for objects of one mode, object.num_modes is {} (use CG, GD, DM, RAAR or AP)",
                    engines, c.object.num_modes));
    io.check(c.object.num_modes == 1 || !c.engines[i].projection.clip_object,
             fmt::format("engines[{}].clip_object", i),
             "is for objects of one mode: those after the first may be of any amplitude");
    io.check(!c.tiling.halo_m, key,
             fmt::format("{} need whole windows: tiling.halo_m is for CG and GD (leave it out)", engines));
    io.check(
        !projects_waves(name) || c.tiling.exchange != Exchange::voxels, key,
        fmt::format("{} sum over tiles: tiling.exchange must be neighbours or passes, not voxels", engines));
}

// The same circle in other words, and another.
static void check_support(KeyVisitor& io, const RunConfig& c, std::size_t i) {
    io.check(!c.engines[i].projection.probe_support_radius || !c.probe.support.radius,
             fmt::format("engines[{}].probe_support_radius", i),
             "is what probe.support.radius says for all engines; give one of them");
    io.check(!c.engines[i].projection.probe_support_radius || c.probe.support.interval == 1,
             fmt::format("engines[{}].probe_support_radius", i),
             "holds in every iteration: it goes with probe.support.interval: 1");
}

// Frames that move: tiles have room for it, and each frame belongs to one of them.
static void check_refinement(KeyVisitor& io, const RunConfig& c, std::size_t i) {
    if (!c.engines[i].refine_positions) return;
    const std::string key = fmt::format("engines[{}].refine_positions", i);
    io.check(
        c.positions.max_shift_px > 0, key,
        "needs positions.max_shift_px above 0: how far frames may move from where the scan says, such as 5");
    io.check(
        c.tiling.exchange != Exchange::voxels, key,
        "goes with tiling.exchange: neighbours or passes, not voxels: there tiles compute frames of others");
    io.check(c.object.num_slices == 1 || c.positions.interpolation != Interpolation::bilinear, key,
             "needs positions.interpolation: fourier or nearest with object.num_slices above 1");
}

// What is done to the probe alone and not to eigen-probes.
static void check_eigen_probes_alone(KeyVisitor& io, const RunConfig& c) {
    const bool has_none = c.probe.variable.num_opr_modes == 0;
    io.check(has_none || !(c.probe.support.radius || c.probe.support.fourier_radius), "probe.support",
             "goes with probe.variable.num_opr_modes: 0; eigen-probes have no support");
    io.check(has_none || !(c.output.remove_ramp || c.output.flat_region),
             c.output.remove_ramp ? "output.remove_ramp" : "output.flat_region",
             "goes with probe.variable.num_opr_modes: 0; eigen-probes keep the ramp");
}

// Exit waves of engines that project follow one probe: they may come before frames have their own.
static void check_variable_probe(KeyVisitor& io, const RunConfig& c) {
    constexpr std::string_view key = "probe.variable";
    if (!c.probe.variable.is_wanted()) return;
    io.check(!c.runtime.mixed, key,
             "needs runtime.mixed: off, for all ranks must change the eigen-probes alike, to the last bit");
    io.check(
        c.tiling.exchange != Exchange::voxels, key,
        "goes with tiling.exchange: neighbours or passes, not voxels: there tiles compute frames of others");
    io.check(c.probe.variable.num_opr_modes == 0 || c.probe.orthogonalize_interval == 0,
             "probe.orthogonalize_interval",
             "must be 0 with probe.variable.num_opr_modes above 0: only the first mode varies, so modes "
             "cannot be mixed");
    io.check(c.detector.blur_sigma_px == 0, "detector.blur_sigma_px",
             "must be 0 with probe.variable: what fits the frames' probes looks at each pixel by itself");
    io.check(c.object.num_modes == 1, "object.num_modes",
             "must be 1 with probe.variable: what fits the frames' probes knows one object");
    io.check(c.detector.upsampling == 1, "detector.upsampling",
             "must be 1 with probe.variable: what fits the frames' probes looks at each pixel by itself");
    check_eigen_probes_alone(io, c);
    bool has_varied = false;
    for (std::size_t i = 0; i < c.engines.size(); ++i) {
        const bool projects = projects_waves(c.engines[i].name);
        io.check(!projects || (!has_varied && i + 1 < c.engines.size()), fmt::format("engines[{}].name", i),
                 fmt::format("{} know one probe for all frames: with probe.variable they must come before "
                             "{}, which let it vary",
                             projecting_engines, gradient_engines));
        has_varied = has_varied || !projects;
    }
}

// What device kernels count in one extent of a grid.
static void check_waves_of_a_frame(KeyVisitor& io, const RunConfig& c) {
    constexpr int most = 4096;
    io.check(c.object.num_modes * c.probe.num_modes <= most, "object.num_modes",
             fmt::format("{} with {} modes of the probe make more than {} exit waves of each frame",
                         c.object.num_modes, c.probe.num_modes, most));
}

// A pixel that is blurred, or one of a far field that is finer, knows the sum of several pixels' light, which
// no engine can project one modulus on.
static void check_seen_pixels(KeyVisitor& io, const RunConfig& c, std::size_t i) {
    const bool is_blurred = c.detector.blur_sigma_px > 0;
    if (!is_blurred && c.detector.upsampling == 1) return;
    const char* cause = is_blurred ? "detector.blur_sigma_px above 0" : "detector.upsampling above 1";
    const std::string key = fmt::format("engines[{}].name", i);
    io.check(
        !projects_waves(c.engines[i].name), key,
        fmt::format("{} replace the modulus of single pixels: with {} use an engine with a gradient (CG, "
                    "GD, ePIE, rPIE, mPIE, LSQML)",
                    projecting_engines, cause));
    io.check(
        c.engines[i].name != EngineName::LSQML || c.engines[i].noise_model == NoiseModel::amplitude, key,
        fmt::format("LSQML with noise_model: poisson takes the step of each pixel by itself: with {} use "
                    "noise_model: amplitude, or CG or GD",
                    cause));
}

void describe(KeyVisitor& io, RunConfig& c) {
    io.group("scan", c.scan);
    io.group("detector", c.detector);
    io.group("object", c.object);
    io.group("probe", c.probe);
    io.list("engines", c.engines);
    io.group("positions", c.positions);
    io.group("tiling", c.tiling);
    io.group("runtime", c.runtime);
    io.group("output", c.output);
    io.optional_group("tune", c.tune);
    io.check(!c.engines.empty(), "engines",
             "must list at least one engine, such as {name: CG, num_iter: 100}");
    io.check(c.object.num_modes == 1 || !c.output.flat_region, "output.flat_region",
             "is for objects of one mode: modes have no common mean");
    check_minibatches(io, c);
    io.check(!c.runtime.mixed || c.probe.num_modes == 1 || c.probe.orthogonalize_interval == 0,
             "probe.orthogonalize_interval",
             "needs runtime.mixed: off, for all ranks must mix the modes alike, to the last bit");
    io.check(!c.runtime.mixed || !c.probe.support.fourier_radius, "probe.support.fourier_radius",
             "needs runtime.mixed: off, for all ranks must transform the probe alike, to the last bit");
    check_waves_of_a_frame(io, c);
    io.check(
        c.runtime.operations == Operations::fused || c.object.num_slices == 1, "runtime.operations",
        fmt::format("staged needs object.num_slices: 1, it is {}: what meets the slices of an object stays "
                    "within a task (use fused)",
                    c.object.num_slices));
    check_variable_probe(io, c);
    io.check(!c.runtime.mixed || !c.detector.refine_background, "detector.refine_background",
             "needs runtime.mixed: off, for all ranks must change the background alike, to the last bit");
    io.check(
        !c.runtime.mixed || !c.object.constraints.has_limits(), "runtime.mixed",
        "must be off with limits in object.constraints: tiles that overlap are limited alike by one kind of "
        "device alone");
    for (std::size_t i = 0; i < c.engines.size(); ++i) {
        check_engine(io, c, i);
        check_refinement(io, c, i);
        check_support(io, c, i);
        check_seen_pixels(io, c, i);
    }
}

}  // namespace tessera
