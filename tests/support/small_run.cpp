#include "support/small_run.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.hpp"
#include "codelets/runtime/runtime.hpp"
#include "config/same_run.hpp"
#include "io/scan_reader.hpp"
#include "io/scan_writer.hpp"
#include "scan/checked_frames.hpp"
#include "support/test_device.hpp"
#include "tasks/resume.hpp"
#include "tasks/starting_point.hpp"

namespace tessera::test {
namespace {

template <class T, std::size_t N>
bool same_bits(const Array<T, N>& a, const Array<T, N>& b) {
    // Arrays of nothing have no memory to compare.
    return a.extents() == b.extents() && (a.bytes() == 0 || std::memcmp(a.data(), b.data(), a.bytes()) == 0);
}

Array<cfloat, 3> value_of(const TileHandles& tile, int num_planes) {
    const HostAccess access(tile.object, Access::read);
    Array<cfloat, 3> object({num_planes, tile.shape.y, tile.shape.x});
    std::memcpy(static_cast<void*>(object.data()), access.as<const cfloat>(), object.bytes());
    return object;
}

Array<cfloat, 3> probe_of(const Handles& handles) {
    const HostAccess access(handles.probe, Access::read);
    Array<cfloat, 3> probe({handles.num_modes, handles.probe_shape.y, handles.probe_shape.x});
    std::memcpy(static_cast<void*>(probe.data()), access.as<const cfloat>(), probe.bytes());
    return probe;
}

}  // namespace

SimulationConfig far_field_scan() {
    SimulationConfig config;
    config.object.pattern = ObjectPattern::random_features;
    config.object.feature_size_px = 5;
    config.probe.shape = ProbeShape::gaussian;
    config.probe.diameter_px = 9;
    config.probe.defocus_m = 8e-3;
    config.probe.guess_defocus_error = 0.4;
    config.probe.photons_per_frame = 1e5;
    config.scan.pattern = ScanPattern::spiral;
    config.scan.grid = {6, 6};
    config.scan.step_px = 4;
    config.detector.shape = {24, 32};
    return config;
}

SimulationConfig near_field_scan() {
    SimulationConfig config = far_field_scan();
    config.detector.shape = {32, 40};
    config.detector.propagation = Propagation::near_field;
    config.detector.focus_to_sample_m = 0.02;
    config.probe.diameter_px = 20;
    config.probe.defocus_m = 0;
    config.probe.guess_defocus_error = 0;
    return config;
}

SimulationConfig jittered_scan(int side) {
    SimulationConfig config;
    config.object.pattern = ObjectPattern::random_features;
    config.object.feature_size_px = 4;
    config.probe.shape = ProbeShape::gaussian;
    config.probe.diameter_px = 10;
    config.probe.defocus_m = 12e-3;
    config.probe.photons_per_frame = 1e6;
    config.scan.pattern = ScanPattern::jittered;
    config.scan.grid = {side, side};
    config.scan.step_px = 4;
    config.detector.shape = {40, 40};
    return config;
}

int most_workers() {
    return std::min(num_usable_cores(), 2);
}

SmallScan::SmallScan(const SimulationConfig& config) : truth_(simulate(config)) {
    auto name = (std::filesystem::temp_directory_path() / "tessera-run-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw runtime_failure("no temporary folder");
    folder_ = name;
    write_scan(folder_ / "scan.cxi", truth_, "");
}

SmallScan::~SmallScan() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

RunConfig SmallScan::run_config() const {
    RunConfig config;
    config.scan.file = folder_ / "scan.cxi";
    config.engines[0].num_iter = 8;
    config.probe.num_modes = static_cast<int>(truth_.probe_guess.extent(0));
    config.tiling.tiles = {2, 2};
    config.tiling.batch_size = 4;
    run_on_test_device(config.runtime);
    config.runtime.scheduler = "eager";
    config.runtime.waves = Waves::recompute;
    return config;
}

Outcome run(const RunConfig& run_file, const RunSettings& settings) {
    setenv("STARPU_WORKERS_NOBIND", "1", 0);  // test programs that run side by side share the cores
    const Ranks ranks;
    std::optional<CheckpointManifest> checkpoint;
    if (settings.resume) checkpoint = find_checkpoint(settings.checkpoints, ranks);
    const RunConfig config =
        checkpoint ? config_to_go_on(
                         run_file, {checkpoint->run, "checkpoint", checkpoint->engine, checkpoint->iteration})
                   : run_file;
    const ScanReader reader(config.scan, {});
    Outcome outcome(make_problem(config, reader.info(), machine_for(config.runtime, ranks)));
    const Problem& problem = outcome.problem;
    const Runtime runtime(config.runtime, ranks, problem.out_of_core());
    const CheckedFrames frames(reader, problem.scan);
    Handles handles = make_handles(problem, ranks, &frames);
    for (TileHandles& tile : handles.tiles) {
        while (settings.num_out_slots && tile.out.size() > *settings.num_out_slots) tile.out.pop_back();
    }
    while (settings.num_out_slots && handles.stage_waves.size() > *settings.num_out_slots)
        handles.stage_waves.pop_back();
    const FrameStatistics statistics = read_frames(frames, problem, handles.frame_memory(problem), ranks);
    RunState from;
    if (checkpoint) {
        require_same_scan(*checkpoint, "checkpoint", problem);
        require_same_frames(*checkpoint, "checkpoint", statistics);
        from = restore(handles, problem, settings.checkpoints, *checkpoint);
    } else {
        set_object(handles, problem, {});
        set_probe(handles, problem, initial_probe(problem, statistics, {}));
    }

    OutputThread output;
    std::optional<Checkpoints> checkpoints;
    if (!settings.checkpoints.empty()) {
        checkpoints.emplace(problem, handles,
                            Checkpoints::Setup{settings.checkpoints,
                                               config.output.checkpoint_interval_s,
                                               fingerprint(problem.scan),
                                               fingerprint(statistics),
                                               checkpoint,
                                               {}},
                            output);
    }
    ReconstructionHooks hooks;
    hooks.stop_requested = settings.stop_requested;
    hooks.on_iteration = [&](const IterationReport& report) {
        outcome.reports.push_back(report);
        if (settings.on_iteration) settings.on_iteration(report);
    };
    hooks.checkpoints = checkpoints ? &*checkpoints : nullptr;
    Reconstruction reconstruction(problem, handles, statistics, hooks);
    reconstruction.run(from);
    outcome.result = reconstruction.result_without_object();
    const auto object = reconstruction.object();
    outcome.result.object = Array<cfloat, 3>(object->shape());
    object->hand_over([&](const Rect& rect, const View<const cfloat, 3>& pixels) {
        for (std::ptrdiff_t slice = 0; slice < pixels.extent(0); ++slice)
            for (std::ptrdiff_t y = 0; y < pixels.extent(1); ++y)
                std::copy_n(&pixels(slice, y, 0), pixels.extent(2),
                            &outcome.result.object(slice, rect.y0 + y, rect.x0));
    });
    outcome.stopped_early = reconstruction.stopped_early();
    for (const TileHandles& tile : handles.tiles)
        outcome.tile_objects.push_back(value_of(tile, handles.num_planes));
    outcome.probe = probe_of(handles);
    outcome.final_state = *HostAccess(handles.state, Access::read).as<const IterationState>();
    return outcome;
}

void expect_bitwise_equal(const Outcome& a, const Outcome& b) {
    EXPECT_TRUE(same_bits(a.result.object, b.result.object))
        << "objects differ by " << relative_difference(a.result.object, b.result.object);
    EXPECT_TRUE(same_bits(a.probe, b.probe)) << "probes differ by " << relative_difference(a.probe, b.probe);
    EXPECT_TRUE(same_bits(a.result.probe, b.result.probe));
    EXPECT_TRUE(same_bits(a.result.positions_px, b.result.positions_px));
    EXPECT_EQ(a.result.position_model, b.result.position_model);
    EXPECT_EQ(a.result.intensity_scale, b.result.intensity_scale);
    EXPECT_EQ(a.result.probe_amplitude, b.result.probe_amplitude);
    EXPECT_TRUE(same_bits(a.result.opr_modes, b.result.opr_modes));
    EXPECT_TRUE(same_bits(a.result.opr_weights, b.result.opr_weights));
    EXPECT_TRUE(same_bits(a.result.background, b.result.background));
    EXPECT_EQ(a.result.object_mode_powers, b.result.object_mode_powers);
    EXPECT_EQ(a.result.cost, b.result.cost);
    EXPECT_EQ(a.result.data_error, b.result.data_error);
    EXPECT_EQ(a.result.step, b.result.step);
    EXPECT_EQ(a.result.final_cost, b.result.final_cost);
    EXPECT_EQ(a.result.data_error_per_frame, b.result.data_error_per_frame);
}

void expect_equal_overlaps(const Outcome& outcome) {
    const auto& tiles = outcome.problem.tiling.tiles;
    std::ptrdiff_t compared = 0;
    for (std::size_t t = 0; t < tiles.size(); ++t) {
        for (const Neighbour& neighbour : tiles[t].neighbours) {
            const auto u = static_cast<std::size_t>(neighbour.tile);
            const Rect &overlap = neighbour.overlap, &here = tiles[t].extended, &there = tiles[u].extended;
            const std::size_t row_bytes = static_cast<std::size_t>(overlap.width()) * sizeof(cfloat);
            for (int slice = 0; slice < outcome.problem.num_planes(); ++slice) {
                for (int y = overlap.y0; y < overlap.y1; ++y) {
                    ASSERT_EQ(
                        std::memcmp(&outcome.tile_objects[t](slice, y - here.y0, overlap.x0 - here.x0),
                                    &outcome.tile_objects[u](slice, y - there.y0, overlap.x0 - there.x0),
                                    row_bytes),
                        0)
                        << "tiles " << t << " and " << u << ", slice " << slice << ", row " << y;
                    compared += overlap.width();
                }
            }
        }
    }
    EXPECT_GT(compared, 0);
}

FoundAndTrue where_windows_centre(const Result& result, const SyntheticScan& truth, std::ptrdiff_t margin) {
    std::array<std::ptrdiff_t, 2> shift{}, first{}, shape{};
    for (std::size_t axis = 0; axis < 2; ++axis) {
        const auto a = static_cast<std::ptrdiff_t>(axis);
        shift[axis] = std::lround(result.positions_px(0, a) - truth.positions_px(0, a));
        double least = truth.positions_px(0, a), most = least;
        for (std::ptrdiff_t j = 1; j < truth.positions_px.extent(0); ++j) {
            least = std::min(least, truth.positions_px(j, a));
            most = std::max(most, truth.positions_px(j, a));
        }
        first[axis] = std::lround(least) + truth.probe.extent(a + 1) / 2 - margin;
        shape[axis] = std::lround(most) - std::lround(least) + 2 * margin;
    }
    FoundAndTrue both = {Array<cfloat, 2>(Extents<2>{shape[0], shape[1]}),
                         Array<cfloat, 2>(Extents<2>{shape[0], shape[1]})};
    for (std::ptrdiff_t y = 0; y < shape[0]; ++y) {
        for (std::ptrdiff_t x = 0; x < shape[1]; ++x) {
            both.truth(y, x) = truth.object(0, first[0] + y, first[1] + x);
            both.found(y, x) = result.object(0, first[0] + shift[0] + y, first[1] + shift[1] + x);
        }
    }
    return both;
}

double relative_difference(const Array<cfloat, 3>& a, const Array<cfloat, 3>& b) {
    TESSERA_EXPECT(a.extents() == b.extents());
    double difference = 0, size = 0;
    for (std::ptrdiff_t i = 0; i < a.size(); ++i) {
        const auto re = static_cast<double>(a[i].re - b[i].re), im = static_cast<double>(a[i].im - b[i].im);
        difference += re * re + im * im;
        size += static_cast<double>(norm(b[i]));
    }
    return std::sqrt(difference / size);
}

}  // namespace tessera::test
