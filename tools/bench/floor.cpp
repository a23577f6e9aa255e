// How far the frame passes are from what they cannot do without: time of the gradient, line-search and
// evaluation codelets on one core or one GPU, divided by the time of the same number of transforms of the
// same shapes (FFTW with the data in cache; cuFFT with as many frames at a time as the codelets take). Beside
// it the bytes that must move at least (frames as stored, the window, the probe) and the flops, as rates.
// For DM, RAAR and AP whole iterations of a batch (the Fourier projection with the object's sums, then the
// probe's), and the floor also has the exit waves' way from memory: read and written once, read once more, at
// the rate of a copy of them; so many batches take turns that no cache keeps their waves.
// Interleaved repetitions in one process; the least times and their ratio are printed, as a table and as
// JSON.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

#include "base/error.hpp"
#include "codelets/accumulate.hpp"
#include "codelets/evaluate.hpp"
#include "codelets/fourier_projection.hpp"
#include "codelets/gradient.hpp"
#include "codelets/line_search.hpp"
#include "codelets/overlap.hpp"
#include "codelets/runtime/runtime.hpp"
#include "tiling/tiling.hpp"
#include "tools/bench/transforms.hpp"

namespace {

using namespace tessera;

struct Options {
    std::vector<int> sizes = {64, 128, 256, 512, 100};
    std::vector<int> modes = {1, 5};
    std::string interpolation = "nearest";
    std::string noise = "amplitude";
    std::string waves = "recompute";
    std::string engine = "CG";
    bool gpu = false, on_chip = false;
    int repetitions = 40;
    std::string json;
};

// Repetitions are short and many, so that on a shared machine some run undisturbed: those are the ones to
// compare.
double least(const std::vector<double>& values) {
    return *std::min_element(values.begin(), values.end());
}

// One batch with random contents; the object is three windows wide, so frames fall on different places.
struct BatchData {
    BatchShape shape;
    Data patterns, frames, detector, probe, object, state, out, waves, errors;

    BatchData(int size, int num_modes, const Options& options) {
        shape.frame = shape.probe = {size, size};
        shape.tile = {2 * size, 2 * size};
        shape.window = shape.tile;
        shape.num_modes = num_modes;
        shape.num_frames = options.gpu
                               ? automatic_batch_size({size, size}, num_modes, 1 << 20, DeviceKind::gpu)
                               : std::max(2, static_cast<int>(5e5 / (size * size * num_modes)));
        shape.on_chip = options.on_chip;
        shape.interpolation = options.interpolation == "fourier"    ? Interpolation::fourier
                              : options.interpolation == "bilinear" ? Interpolation::bilinear
                                                                    : Interpolation::nearest;
        shape.noise_model = options.noise == "poisson"    ? NoiseModel::poisson
                            : options.noise == "gaussian" ? NoiseModel::gaussian
                                                          : NoiseModel::amplitude;
        patterns = Data(patterns_bytes(shape));
        frames = Data(frames_bytes(shape));
        detector = Data(detector_bytes(shape));
        probe = Data(moving_field_bytes(shape.probe_size()));
        object = Data(moving_field_bytes(shape.tile.area()));
        state = Data(sizeof(IterationState));
        out = Data(out_bytes(shape.window, shape.probe_size()));
        waves = Data(wave_bytes(shape));
        errors = Data(static_cast<std::size_t>(shape.num_frames) * sizeof(double));
        fill();
    }

    void fill() {
        std::mt19937 random(1);
        std::uniform_real_distribution<float> uniform(-1, 1);
        for (const Data* data : {&probe, &object}) {
            auto* values = data->before_tasks<float>();
            for (std::size_t i = 0; i < data->bytes() / sizeof(float); ++i) values[i] = uniform(random);
        }
        auto* counts = patterns.before_tasks<std::uint16_t>();
        for (std::size_t i = 0; i < patterns_bytes(shape) / 2; ++i)
            counts[i] = static_cast<std::uint16_t>(random() % 100);
        std::fill_n(detector.before_tasks<float>(), shape.frame.area(), 1.0f);
        auto* positions = frames.before_tasks<FramePosition>();
        for (int i = 0; i < shape.num_frames; ++i) {
            const auto within = static_cast<unsigned>(shape.tile.y - shape.probe.y - 1);
            positions[i] = {static_cast<int>(random() % within), static_cast<int>(random() % within), 0.3f,
                            -0.2f};
        }
        state.before_tasks<IterationState>()[0] = IterationState{};
    }
};

double microseconds_of(const char* codelet) {
    for (const CodeletStatistics* statistics : codelet_statistics()) {
        if (std::string(statistics->name) == codelet)
            return static_cast<double>(statistics->nanoseconds) * 1e-3;
    }
    return 0;
}

struct Row {
    int size, modes;
    const char* pass;
    int transforms;
    double us_per_frame, floor_per_frame, ratio;
    double gbytes_per_s, gflops_per_s;  // that must move, of transforms
};

void measure(int size, int num_modes, const Options& options, std::vector<Row>& rows) {
    BatchData batch(size, num_modes, options);
    const Data number(sizeof(float));
    const int shifts = options.interpolation == "fourier" ? 2 : 0;
    const bool keep = options.waves == "keep";
    struct Pass {
        const char* name;
        int transforms;
        std::function<void()> submit;
    };
    const std::initializer_list<const Data*> inputs = {&batch.patterns, &batch.frames, &batch.detector,
                                                       &batch.probe,    &batch.object, &batch.state,
                                                       &batch.out};
    const std::initializer_list<const Data*> keeping = {&batch.patterns, &batch.frames, &batch.detector,
                                                        &batch.probe,    &batch.object, &batch.state,
                                                        &batch.out,      &batch.waves};
    const std::vector<Pass> passes = {
        keep ? Pass{"gradient_keeping_waves", 1 + shifts,
                    [&] {
                        gradient_keeping_waves.submit({batch.shape, KeptWaves::advance, ProbeMotion::moving},
                                                      keeping);
                    }}
             : Pass{"gradient", 2 + shifts,
                    [&] {
                        gradient.submit({batch.shape, KeptWaves::none, ProbeMotion::moving}, inputs);
                    }},
        keep ? Pass{"line_search_keeping_waves", 2 + shifts,
                    [&] {
                        line_search_keeping_waves.submit(
                            {batch.shape, KeptWaves::advance, ProbeMotion::moving}, keeping);
                    }}
             : Pass{"line_search", 3 + shifts,
                    [&] {
                        line_search.submit({batch.shape, KeptWaves::none, ProbeMotion::moving}, inputs);
                    }},
        {"evaluate", 1 + shifts / 2,
         [&] {
             evaluate.submit({batch.shape}, {&batch.patterns, &batch.frames, &batch.detector, &batch.probe,
                                             &batch.object, &batch.out, &batch.errors});
         }},
    };
    for (const Pass& pass : passes) {
        std::vector<double> times, floors;
        for (int repetition = 0; repetition <= options.repetitions; ++repetition) {
            reset_codelet_statistics();
            pass.submit();
            starpu_task_wait_for_all();
            bench::transforms.submit({batch.shape, pass.transforms}, {&number});
            starpu_task_wait_for_all();
            const double pass_us = microseconds_of(pass.name), floor = microseconds_of("transforms");
            if (repetition == 0) continue;  // warm-up: plans, scratch memory
            times.push_back(pass_us / batch.shape.num_frames);
            floors.push_back(floor / batch.shape.num_frames);
        }
        const double pixels = static_cast<double>(batch.shape.frame.area());
        const double bytes =
            static_cast<double>(patterns_bytes(batch.shape) + batch.out.bytes()) / batch.shape.num_frames;
        const double flops = 5 * pixels * std::log2(pixels) * num_modes * pass.transforms;
        const double us = least(times);
        rows.push_back({size, num_modes, pass.name, pass.transforms, us, least(floors), us / least(floors),
                        bytes / us * 1e-3, flops / us * 1e-3});
        const Row& row = rows.back();
        fmt::print("{:5} {:5}  {:26} {:10} {:12.2f} {:12.2f} {:8.2f} {:8.1f} {:9.1f}\n", row.size, row.modes,
                   row.pass, row.transforms, row.us_per_frame, row.floor_per_frame, row.ratio,
                   row.gbytes_per_s, row.gflops_per_s);
    }
}

struct ProjectionPass {
    const char* name;
    float reflect;  // 1: AP, whose cost takes no transform more
    OverlapCost cost;
};

void measure_projections(int size, int num_modes, const Options& options, std::vector<Row>& rows) {
    constexpr std::size_t waves_in_turn_bytes = std::size_t{192} << 20;
    const BatchData batch(size, num_modes, options);
    const std::size_t bytes = exit_wave_bytes(batch.shape);
    std::vector<Data> waves;
    for (std::size_t all = 0; all < waves_in_turn_bytes; all += 2 * bytes) {
        waves.emplace_back(bytes);
        waves.emplace_back(bytes);
    }
    const Data out(overlap_out_bytes(batch.shape)), number(sizeof(float));
    const bool shifts = options.interpolation == "fourier";
    for (const ProjectionPass& pass : {ProjectionPass{"DM, RAAR: every cost", 2, OverlapCost::compute},
                                       ProjectionPass{"DM, RAAR: no cost", 2, OverlapCost::skip},
                                       ProjectionPass{"AP", 1, OverlapCost::compute}}) {
        const bool has_more = pass.cost == OverlapCost::compute && pass.reflect != 1;
        const int transforms = 2 + (has_more ? 1 : 0) + (shifts ? 3 : 0);
        FourierProjectionArgs args;
        args.shape = batch.shape;
        args.map = {1, -1, 1, pass.reflect};
        args.cost = pass.cost;
        std::vector<double> times, floors;
        for (int repetition = 0; repetition <= options.repetitions; ++repetition) {
            const auto turn = static_cast<std::size_t>(repetition) % (waves.size() / 2);
            const Data &psi = waves[2 * turn], &other = waves[2 * turn + 1];
            reset_codelet_statistics();
            args.waves =
                static_cast<std::size_t>(repetition) < waves.size() / 2 ? ExitWaves::begin : ExitWaves::go_on;
            fourier_projection.submit(args, {&batch.patterns, &batch.frames, &batch.detector, &batch.probe,
                                             &batch.object, &batch.state, &out, &psi});
            starpu_task_wait_for_all();
            // Between the two passes every other batch has its turn.
            const Data& earlier = waves[2 * ((turn + 1) % (waves.size() / 2))];
            overlap_probe.submit({batch.shape, OverlapPart::probe},
                                 {&batch.frames, &batch.probe, &batch.object, &batch.state, &out, &earlier});
            copy.submit({bytes}, {&earlier, &other});
            bench::transforms.submit({batch.shape, transforms}, {&number});
            starpu_task_wait_for_all();
            if (args.waves == ExitWaves::begin) continue;  // warm-up: plans, scratch memory, pages
            times.push_back(microseconds_of("fourier_projection") + microseconds_of("overlap_probe"));
            floors.push_back(microseconds_of("transforms") + 1.5 * microseconds_of("copy"));
        }
        const double frames = batch.shape.num_frames, us = least(times) / frames,
                     floor = least(floors) / frames;
        const double pixels = static_cast<double>(batch.shape.frame.area());
        rows.push_back({size, num_modes, pass.name, transforms, us, floor, us / floor,
                        3 * static_cast<double>(bytes) / frames / us * 1e-3,
                        5 * pixels * std::log2(pixels) * num_modes * transforms / us * 1e-3});
        const Row& row = rows.back();
        fmt::print("{:5} {:5}  {:26} {:10} {:12.2f} {:12.2f} {:8.2f} {:8.1f} {:9.1f}\n", row.size, row.modes,
                   row.pass, row.transforms, row.us_per_frame, row.floor_per_frame, row.ratio,
                   row.gbytes_per_s, row.gflops_per_s);
    }
}

int run(int argc, char** argv) {
    Options options;
    CLI::App program("Frame passes against the floor of their transforms, on one core or one GPU");
    program.add_option("--sizes", options.sizes, "Frame sizes");
    program.add_option("--modes", options.modes, "Numbers of probe modes");
    program.add_option("--interpolation", options.interpolation, "nearest, bilinear or fourier");
    program.add_option("--noise", options.noise, "amplitude, poisson or gaussian");
    program.add_option("--waves", options.waves, "recompute or keep");
    program.add_option("--engine", options.engine, "CG (with evaluate), or DM with RAAR and AP")
        ->check(CLI::IsMember({"CG", "DM"}));
    program.add_flag("--gpu", options.gpu, "On a GPU");
    program.add_flag("--on-chip", options.on_chip, "By on-chip kernels where there are any");
    program.add_option("--repetitions", options.repetitions, "Counted repetitions");
    program.add_option("--json", options.json, "Also write the rows to this file");
    CLI11_PARSE(program, argc, argv);

    RuntimeConfig config;
    config.cpus = 1;
    config.gpus = options.gpu ? 1 : 0;
    const Runtime runtime(config, Ranks());
    fmt::print("{}\n", runtime.description());
    fmt::print("{:>5} {:>5}  {:26} {:>10} {:>12} {:>12} {:>8} {:>8} {:>9}\n", "size", "modes", "pass",
               "transforms", "us/frame", "floor us", "ratio", "GB/s", "GFLOP/s");
    std::vector<Row> rows;
    for (const int size : options.sizes) {
        for (const int modes : options.modes) {
            if (options.engine == "CG") measure(size, modes, options, rows);
            if (options.engine == "DM") measure_projections(size, modes, options, rows);
        }
    }
    if (options.json.empty()) return 0;
    std::FILE* file = std::fopen(options.json.c_str(), "w");
    if (file == nullptr) return 1;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        fmt::print(file,
                   "{}{{\"size\":{},\"modes\":{},\"pass\":\"{}\",\"transforms\":{},\"us_per_frame\":{:.2f},"
                   "\"floor_us_per_frame\":{:.2f},\"ratio\":{:.3f},\"gbytes_per_s\":{:.2f},\"gflops_per_s\":{"
                   ":.2f}}}",
                   i == 0 ? "[" : ",\n", rows[i].size, rows[i].modes, rows[i].pass, rows[i].transforms,
                   rows[i].us_per_frame, rows[i].floor_per_frame, rows[i].ratio, rows[i].gbytes_per_s,
                   rows[i].gflops_per_s);
    }
    fmt::print(file, "]\n");
    return std::fclose(file);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const Error& problem) {
        fmt::print(stderr, "error: {}\n", problem.what());
        return static_cast<int>(problem.code());
    }
}
