#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

// The run file as plain structs: one member per key, the default beside it, units in the name.
// A new key is one member here and one line in run_config.cpp, which says what the key may be; reading,
// checking and writing it as YAML (config/yaml_reader.hpp) follow from that line.
namespace tessera {

enum class Propagation { automatic, far_field, near_field };
enum class NoiseModel { amplitude, poisson, gaussian };
enum class Interpolation { nearest, bilinear, fourier };
enum class ScanFormat { automatic, cxi, hdf5 };

struct GeometryConfig {  // null: what the file says; both and unequal is an error
    Propagation propagation = Propagation::automatic;
    std::optional<double> detector_distance_m;
    std::optional<double> detector_pixel_size_m;
    std::optional<double> focus_to_sample_m;  // near field with a divergent beam
    std::optional<double> energy_eV;          // of photons
    std::optional<double> wavelength_m;
    std::optional<double> accelerating_voltage_kV;  // the beam is of electrons
    bool operator==(const GeometryConfig&) const = default;
};

// What a number below zero in a frame is: no count, or what is left of one when a background was subtracted.
enum class NegativeCounts { leave_out, zero };

struct MaskConfig {
    std::optional<std::filesystem::path> file;  // null: the scan's own file
    std::optional<std::string> key;             // null: the scan's own mask
    bool invert = false;                        // true: non-zero means good
    std::optional<double> saturated_above;  // a pixel of a frame with so many counts says "at least so many"
    NegativeCounts negative_counts = NegativeCounts::leave_out;
    bool operator==(const MaskConfig&) const = default;
};

struct FramesConfig {
    std::ptrdiff_t start = 0;
    std::optional<std::ptrdiff_t> stop;
    std::ptrdiff_t step = 1;
    bool operator==(const FramesConfig&) const = default;
};

struct CropConfig {
    std::optional<std::array<int, 2>> size;    // (y, x); a scalar in the file means both
    std::optional<std::array<int, 2>> center;  // (y, x) in detector pixels; null: `auto`, the frame's centre
    bool operator==(const CropConfig&) const = default;
};

struct OrientationConfig {  // of the frames, applied in this order
    bool transpose = false;
    bool flip_y = false;
    bool flip_x = false;
    bool operator==(const OrientationConfig&) const = default;
};

enum class PositionUnit { m, um, nm, px };

// Generic HDF5: where things are. Unset keys are not read.
struct Hdf5KeysConfig {
    std::optional<std::string> frames;
    std::optional<std::string>
        positions;  // (N, 2), (2, N), (N, 3) or (3, N); with positions_y and positions_x unset
    std::optional<std::string>
        positions_y;  // one array per axis instead; two short axes of a raster are multiplied out
    std::optional<std::string> positions_x;
    std::array<std::string, 2> positions_order = {"y", "x"};  // which column is which
    PositionUnit position_unit = PositionUnit::m;
    std::optional<std::string> mask;
    std::optional<std::string> probe;
    std::optional<std::string> background;
    bool frames_are_amplitudes = false;  // square them
    bool frames_dc_at_corner = false;    // already shifted for the transform
    bool operator==(const Hdf5KeysConfig&) const = default;
};

// What the positions say: the field has no common rule.
struct ScanMotionConfig {
    std::array<double, 2> scale = {1.0, 1.0};  // (y, x): multiply; negative flips
    bool swap_xy = false;
    bool operator==(const ScanMotionConfig&) const = default;
};

struct ScanConfig {
    std::filesystem::path file;  // relative to the run file's folder
    ScanFormat format = ScanFormat::automatic;
    GeometryConfig geometry;
    MaskConfig mask;
    FramesConfig frames;
    CropConfig crop;
    OrientationConfig orientation;
    ScanMotionConfig positions;
    Hdf5KeysConfig keys;  // for format hdf5; for cxi they override what was found
    bool operator==(const ScanConfig&) const = default;
};

enum class InitialObject { flat, random, file };
enum class SlicePropagation { fresnel, angular_spectrum };

// What an object is known to be, whatever the engine.
struct ObjectConstraintsConfig {
    std::optional<std::array<double, 2>> amplitude;  // least and most
    std::optional<std::array<double, 2>> phase_rad;  // least and most
    double smoothing = 0;                            // share of the way to the mean of the neighbours
    double total_variation = 0;                      // its weight, in units of the transmission
    int start = 0;     // the first iteration of each engine after which it is made to be so
    int interval = 1;  // iterations from one time to the next
    bool has_limits() const { return amplitude || phase_rad; }
    bool has_neighbours() const { return smoothing > 0 || total_variation > 0; }
    bool is_any() const { return has_limits() || has_neighbours(); }
    bool operator==(const ObjectConstraintsConfig&) const = default;
};

struct ObjectConfig {
    int margin_px = 8;
    InitialObject initial = InitialObject::flat;
    std::optional<std::filesystem::path> file;  // an earlier result, for initial: file
    int num_modes = 1;                          // objects that the beam meets one at a time: intensities add
    double mode_spread = 0.05;                  // amplitude of the modes after the first, random at first
    int num_slices = 1;                         // along the beam; the wave travels from each to the next
    std::vector<double> slice_spacings_m;       // num_slices - 1 of them; one value in the file means all
    SlicePropagation slice_propagation = SlicePropagation::angular_spectrum;
    double regularize_layers = 0;  // how strongly slices are pulled together after a step; 0: not at all
    int regularize_interval = 1;   // iterations from one time to the next
    ObjectConstraintsConfig constraints;
    bool operator==(const ObjectConfig&) const = default;
};

enum class InitialProbe { automatic, file, aperture, gaussian, zone_plate, convergent, from_data };

struct ProbeUpdateConfig {
    int start = 2;  // the first iteration that moves the probe; a value >= num_iter keeps it fixed
    bool operator==(const ProbeUpdateConfig&) const = default;
};

// Where a probe may be other than zero: circles (in metres, and in frequencies) about the middle, as
// fractions of half the window's and the spectrum's shorter side.
struct ProbeSupportConfig {
    std::optional<double> radius;
    std::optional<double> fourier_radius;
    int interval = 1;  // iterations from one time to the next
    bool operator==(const ProbeSupportConfig&) const = default;
};

inline constexpr int max_opr_modes = 8;

// A probe that is another one in each frame (codelets/variable_probe.hpp): eigen-probes (orthogonal probe
// relaxation) with weights, and powers.
struct VariableProbeConfig {
    int num_opr_modes = 0;            // what the first mode may deviate by
    bool variable_intensity = false;  // each frame has its own power
    int start = 5;                    // the first iteration of each engine after which they change
    int interval = 1;                 // iterations from one time to the next
    double step_size = 1;             // share of the Gauss-Newton step of weights and amplitudes
    double opr_step_size = 0.5;       // share of the least-squares step of the eigen-probes
    bool is_wanted() const { return num_opr_modes > 0 || variable_intensity; }
    bool operator==(const VariableProbeConfig&) const = default;
};

struct ProbeConfig {
    // automatic: the scan file's probe, else from_data.
    InitialProbe initial = InitialProbe::automatic;
    std::optional<std::filesystem::path>
        file;  // a result file or a scan to take it from; null: the scan itself
    int num_modes = 1;
    int orthogonalize_interval = 0;  // iterations after which modes are made orthogonal; 0: at the end alone
    double mode_power = 0.05;        // power of each mode added to those at hand, as a fraction of the first
    ProbeUpdateConfig update;
    ProbeSupportConfig support;
    VariableProbeConfig variable;
    std::optional<std::array<int, 2>> size;  // (y, x) smaller than the frame: oversampled detector
    bool rescale = true;                     // `power: auto`: scale to the mean counts; `keep` leaves it
    // shapes (metres, in the sample plane)
    std::optional<double> diameter_m;              // aperture, gaussian (FWHM), zone plate's aperture
    double defocus_m = 0;                          // propagated over this distance
    std::optional<double> focal_length_m;          // zone plate
    std::optional<double> outer_zone_width_m;      // zone plate (gives the focal length)
    std::optional<double> central_stop_m;          // zone plate
    std::optional<double> convergence_angle_mrad;  // convergent: semi-angle of the cone
    double spherical_aberration_m = 0;             // convergent: Cs
    bool operator==(const ProbeConfig&) const = default;
};

enum class EngineName { CG, GD, DM, RAAR, AP, ePIE, rPIE, mPIE, LSQML };
// Do the engine's iterations project exit waves?
constexpr bool projects_waves(EngineName name) {
    return name == EngineName::DM || name == EngineName::RAAR || name == EngineName::AP;
}
// Does it update object and probe several times in a pass over the frames?
constexpr bool has_minibatches(EngineName name) {
    return name == EngineName::ePIE || name == EngineName::rPIE || name == EngineName::mPIE ||
           name == EngineName::LSQML;
}
// Which frames make a mini-batch: any, clusters of neighbours, or spread as evenly as possible.
enum class BatchingMode { random, compact, uniform };
enum class ConjugateRule { polak_ribiere, dai_yuan, fletcher_reeves };

// Of the engines that project exit waves (tasks/dm.cpp has the equations).
struct ProjectionConfig {
    double alpha = 1;                           // DM: by how much it reflects; 0: as AP
    double beta = 1;                            // DM: length of its step
    double raar_beta = 0.75;                    // RAAR's own `beta`
    double fourier_relax_factor = 0.05;         // sets the power bound: a fraction of the largest mean counts
    std::optional<double> fourier_power_bound;  // mean squared error of a frame's amplitudes left as it is
    int overlap_max_iterations = 3;             // of object and probe in turns, in each iteration
    double overlap_converge_factor = 0.05;      // enough when the probe changes by less than this fraction
    bool update_object_first = true;            // in each turn; else the probe is first
    double probe_inertia = 1e-9;                // weight of what was there, per frame
    double object_inertia = 1e-4;               // weight of what was there, in mean probe powers
    std::optional<std::array<double, 2>> clip_object;  // least and most amplitude
    std::optional<double> probe_center_tol;            // px; null: the probe stays where it goes
    std::optional<double> probe_support_radius;        // of half the probe's window; zero outside
    double average_last = 0;  // the result is the mean over this share of the iterations
    int cost_interval = 1;    // iterations from one cost of P O to the next; AP has it at no cost
    bool operator==(const ProjectionConfig&) const = default;
};

// What a scan as a whole may be wrong by: parts of a linear map of the positions about their centre.
struct PositionModelConfig {
    bool scale = true;      // both axes
    bool asymmetry = true;  // of the axes' scales
    bool rotation = true;
    bool shear = true;  // of the angle between the axes
    bool operator==(const PositionModelConfig&) const = default;
};

// Frames that are far off try other places (codelets/search_positions.hpp).
inline constexpr int max_num_position_tries = 64;
struct SearchPositionsConfig {
    int start = 10;           // the first iteration of the engine after which frames are tried elsewhere
    std::optional<int> stop;  // the first after which they are not any more; null: never
    int interval = 5;         // iterations from one time to the next
    int num_tries = 24;       // places of a frame each time
    std::optional<double> radius_px;  // of the disc that they are on; null: positions.max_shift_px
    double suspicious_error = 2;      // of frames that are tried, in mean squared errors of all frames
    bool operator==(const SearchPositionsConfig&) const = default;
};

// Positions that follow the gradient of the cost (codelets/refine_positions.hpp).
struct RefinePositionsConfig {
    int start = 5;            // the first iteration of the engine after which frames move
    std::optional<int> stop;  // the first after which they do not any more; null: never
    int interval = 1;         // iterations from one move to the next
    double step_size = 1;     // share of the Gauss-Newton step
    double momentum = 0.5;    // share of the last move that is added to the next
    double max_step_px = 0.5;
    PositionModelConfig model;
    double model_weight = 1e-3;  // of the model on each frame, as a share of the frames' mean curvature
    double keep_jitter = 1;      // share of what the model does not explain that a move leaves
    std::optional<SearchPositionsConfig> search;
    bool operator==(const RefinePositionsConfig&) const = default;
};

struct EngineConfig {
    EngineName name = EngineName::CG;
    int num_iter = 100;
    NoiseModel noise_model = NoiseModel::amplitude;
    ConjugateRule beta = ConjugateRule::polak_ribiere;  // CG
    double preconditioner_alpha = 0.1;                  // 1 / ((1 - alpha) A + alpha max A)
    double step = 0.5;      // GD: along the preconditioned gradient, shared by slices
    double momentum = 0.8;  // GD: heavy ball
    double tolerance = 0;   // stop when the cost falls by less than this fraction in an iteration; 0: never
    ProjectionConfig projection = {};  // DM, RAAR, AP
    std::optional<int> minibatch_size =
        std::nullopt;  // mini-batch engines: frames between two updates; null: auto
    BatchingMode batching_mode = BatchingMode::uniform;  // mini-batch engines
    std::optional<double> alpha_object =
        std::nullopt;  // ePIE: step, 1; rPIE, mPIE: share of the largest weight, 0.1
    std::optional<double> alpha_probe = std::nullopt;
    std::optional<double> step_size = std::nullopt;  // rPIE, mPIE: Maiden's gamma; null: 1 or less, 0.2
    bool object_norm_is_global = false;              // PIE: the probe's step by the largest |O|^2 of all
    double friction = 0.8;                           // mPIE: what is left of the velocity
    int feedback_interval = 10;                      // mPIE: mini-batches between two uses of the velocity
    double beta_LSQ = 0.9;                           // LSQML: share of the optimal step that is taken
    double preconditioning_damping_factor = 0.02;    // LSQML: share of the largest weight
    double momentum_acceleration_gain = 0;           // LSQML: of the velocity, per iteration; 0: none
    double momentum_acceleration_friction = 0.5;     // LSQML: what the velocity loses in an iteration
    double momentum_acceleration_gradient_mixing_factor = 1;  // LSQML: of the update into the velocity
    std::optional<RefinePositionsConfig> refine_positions = std::nullopt;
    bool operator==(const EngineConfig&) const = default;
};

struct PositionsConfig {
    Interpolation interpolation = Interpolation::fourier;
    int max_shift_px = 0;  // how far refinement may move a frame along each axis: tiles are larger by it
    bool operator==(const PositionsConfig&) const = default;
};

// How tiles agree where they overlap. Sums of gradients: every pair at once, or passes along columns and
// rows. Voxels of the object: each tile also computes the frames of others that reach into its interior.
enum class Exchange { neighbours, passes, voxels };

struct TilingConfig {
    std::optional<std::array<int, 2>> tiles;  // (rows, columns); null: auto
    std::optional<int> batch_size;            // null: auto
    Exchange exchange = Exchange::neighbours;
    // Of tiles beyond the centres of their frames, at least a pixel; null: as far as the windows reach.
    std::optional<double> halo_m;
    bool operator==(const TilingConfig&) const = default;
};

enum class Waves { automatic, keep, recompute };
// staged: transforms of a library between kernels. on_chip: a frame's waves stay on the chip, where they fit.
enum class GpuKernels { staged, on_chip };
// What is done to the frames of a batch in a gradient, a line search or a projection of exit waves. fused: by
// one task. staged: by one for each step on their way, from exit waves to what is added up.
enum class Operations { fused, staged };

struct RuntimeConfig {
    std::optional<std::string> scheduler;  // null: auto (lws on CPUs)
    std::optional<int> cpus;               // null: auto (every core this process may use)
    std::optional<int> gpus;               // null: auto (every GPU that this build can use, often none)
    bool mixed = false;                    // with GPUs: do CPU workers take part in the arithmetic?
    GpuKernels gpu_kernels = GpuKernels::staged;
    Operations operations = Operations::fused;
    bool priorities = true;  // of tasks, for schedulers that look at them; off: all are equal
    Waves waves = Waves::automatic;
    int submit_ahead = 3;
    std::optional<std::uint64_t> memory_limit_host_bytes;  // written as 8GiB, 500MB or a number of bytes
    std::optional<std::uint64_t> memory_limit_gpu_bytes;   // of each GPU
    std::optional<std::filesystem::path> disk;             // a folder for kept waves beyond the memory limit
    std::optional<std::filesystem::path> trace;            // a folder for what every task did, and when
    std::optional<double> time_limit_s;                    // written as seconds, 90s, 10min, 2h
    std::uint64_t random_seed = 0;
    bool operator==(const RuntimeConfig&) const = default;
};

struct OutputConfig {
    std::filesystem::path file = "result.h5";  // relative to the working directory
    int save_interval = 0;                     // iterations between intermediate results; 0: only the last
    // Written as seconds, 90s, 10min, 2h; 0: no checkpoints; null: auto, as the disk lets them
    // (tasks/checkpoints.hpp).
    std::optional<double> checkpoint_interval_s;
    bool pictures = true;
    bool remove_ramp = false;                       // of phase, which object and probe can trade
    std::optional<std::array<int, 4>> flat_region;  // (y0, y1, x0, x1) of the object that is vacuum
    bool has_checkpoints() const { return checkpoint_interval_s.value_or(1) > 0; }
    bool operator==(const OutputConfig&) const = default;
};

// Keys of the run file, each with the values to try, as YAML.
struct VariedKey {
    std::string key;
    std::vector<std::string> values;
    bool operator==(const VariedKey&) const = default;
};
struct VariedKeys {
    std::vector<VariedKey> keys;
    bool operator==(const VariedKeys&) const = default;
};

enum class TuneSearch { automatic, grid, one_by_one };

// For `tessera tune`; a reconstruction does not look at it.
struct TuneConfig {
    VariedKeys vary;  // {tiling.batch_size: [5, 10, 20], ...}; none: a selection
    TuneSearch search = TuneSearch::automatic;
    int warm_up = 2;        // iterations of each engine before those that count
    int num_iter = 8;       // iterations of each engine that count
    int repetitions = 3;    // of each trial, interleaved
    int confirmations = 5;  // pairs of the best settings and the run file's own, at the end
    int max_trials = 200;   // of a grid: where there are more, one key is varied after the other
    std::optional<std::string> launcher;  // before the program, such as `mpirun -n 4`
    bool operator==(const TuneConfig&) const = default;
};

// A background that is found beside object and probe (codelets/refine_background.hpp): counts of a pixel that
// are in every frame and not of its wave.
struct RefineBackgroundConfig {
    int start = 5;         // the first iteration of each engine after which it changes
    int interval = 1;      // iterations from one time to the next
    double step_size = 1;  // share of the Gauss-Newton step
    bool operator==(const RefineBackgroundConfig&) const = default;
};

struct DetectorConfig {
    double blur_sigma_px = 0;  // Gaussian point spread of a pixel; 0: none
    int upsampling = 1;        // pixels of the far field along each side of a detector's pixel
    std::optional<RefineBackgroundConfig> refine_background;
    bool operator==(const DetectorConfig&) const = default;
};

struct RunConfig {
    ScanConfig scan;
    DetectorConfig detector;
    ObjectConfig object;
    ProbeConfig probe;
    std::vector<EngineConfig> engines = {EngineConfig{}};
    PositionsConfig positions;
    TilingConfig tiling;
    RuntimeConfig runtime;
    OutputConfig output;
    std::optional<TuneConfig> tune;
    bool operator==(const RunConfig&) const = default;
};

}  // namespace tessera
