// The data of a reconstruction: what is where, and how much of it.
#include "tasks/handles.hpp"
#include "tasks/starting_point.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "codelets/runtime/runtime.hpp"
#include "io/scan_reader.hpp"
#include "support/small_run.hpp"

namespace tessera::test {
namespace {

class HandlesTest : public testing::Test {
  protected:
    HandlesTest() {
        config_.runtime.waves = Waves::keep;
        config_.tiling.tiles = {2, 3};
        config_.tiling.batch_size = 3;
    }
    Problem make(int num_workers = 1) const {
        return make_problem(config_, ScanReader(config_.scan, {}).info(), Machine{.num_cpus = num_workers});
    }

    SmallScan scan_{far_field_scan()};
    RunConfig config_ = scan_.run_config();
    Ranks ranks_;
    Runtime runtime_{config_.runtime, ranks_};
};

TEST_F(HandlesTest, FramesFallWhereThePlacementSays) {
    const Problem problem = make();
    const Handles handles = make_handles(problem, ranks_);
    ASSERT_EQ(handles.tiles.size(), 6U);
    for (std::size_t t = 0; t < handles.tiles.size(); ++t) {
        const Rect& extended = problem.tiling.tiles[t].extended;
        ASSERT_EQ(handles.tiles[t].batches.size(), problem.tiling.tiles[t].batches.size());
        for (std::size_t b = 0; b < handles.tiles[t].batches.size(); ++b) {
            const BatchHandles& batch = handles.tiles[t].batches[b];
            const auto& frames = problem.tiling.tiles[t].batches[b].frames;
            ASSERT_EQ(batch.shape.num_frames, std::ssize(frames));
            const HostAccess access(batch.frames, Access::read);
            const auto* positions = access.as<const FramePosition>();
            for (std::size_t j = 0; j < frames.size(); ++j) {
                const WindowPosition& window = problem.placement.windows[static_cast<std::size_t>(frames[j])];
                EXPECT_EQ(positions[j].y + extended.y0, window.y);
                EXPECT_EQ(positions[j].x + extended.x0, window.x);
                EXPECT_EQ(positions[j].frac_y, window.frac_y);
                EXPECT_EQ(positions[j].frac_x, window.frac_x);
                // Inside the batch's window, which is inside the tile.
                EXPECT_GE(positions[j].y, batch.shape.window_y);
                EXPECT_LE(positions[j].y + problem.placement.window_shape[0],
                          batch.shape.window_y + batch.shape.window.y);
                EXPECT_LE(batch.shape.window_x + batch.shape.window.x, batch.shape.tile.x);
            }
        }
    }
}

TEST_F(HandlesTest, EveryFrameHasMemoryOfItsOwn) {
    const Problem problem = make();
    Handles handles = make_handles(problem, ranks_);
    auto [frames, memory, are_own, copies] = handles.frame_memory(problem);
    ASSERT_EQ(std::ssize(memory), problem.scan.num_frames);
    EXPECT_EQ(std::count(are_own.begin(), are_own.end(), true), problem.scan.num_frames);
    EXPECT_TRUE(copies.empty());
    for (std::size_t i = 0; i < frames.size(); ++i) ASSERT_EQ(frames[i], static_cast<std::ptrdiff_t>(i));
    std::sort(memory.begin(), memory.end());
    const std::size_t frame_bytes = 24 * 32 * bytes_per_count(problem.scan.pattern_type);
    for (std::size_t i = 0; i < memory.size(); ++i) {
        ASSERT_NE(memory[i], nullptr);
        if (i == 0) continue;
        EXPECT_GE(static_cast<std::byte*>(memory[i]) - static_cast<std::byte*>(memory[i - 1]),
                  static_cast<std::ptrdiff_t>(frame_bytes));
    }
}

// With voxels tiles hold some frames several times: read once, copied to the other places.
TEST_F(HandlesTest, FramesOfSeveralTilesAreReadOnce) {
    config_.tiling.exchange = Exchange::voxels;
    config_.runtime.waves = Waves::recompute;
    const Problem problem = make();
    Handles handles = make_handles(problem, ranks_);
    const FrameDestinations places = handles.frame_memory(problem);
    ASSERT_EQ(std::ssize(places.frames), problem.scan.num_frames);
    EXPECT_EQ(std::count(places.are_own.begin(), places.are_own.end(), true), problem.scan.num_frames);
    EXPECT_GT(places.copies.size(), 0U);
    EXPECT_EQ(std::ssize(places.memory) + std::ssize(places.copies), problem.tiling.num_frames());
    std::vector<const void*> memory(places.memory.begin(), places.memory.end());
    for (const auto& copy : places.copies) {
        EXPECT_NE(std::find(places.memory.begin(), places.memory.end(), copy.from), places.memory.end());
        memory.push_back(copy.to);
    }
    std::sort(memory.begin(), memory.end());
    EXPECT_EQ(std::adjacent_find(memory.begin(), memory.end()), memory.end());
    // Two ranks: each counts its own tiles' frames, together all of them once.
    std::vector<int> counted(places.frames.size());
    for (std::size_t t = 0; t < problem.tiling.tiles.size(); ++t) {
        handles.own = {t};
        const FrameDestinations alone = handles.frame_memory(problem);
        EXPECT_TRUE(alone.copies.empty());
        for (std::size_t i = 0; i < alone.frames.size(); ++i)
            counted[static_cast<std::size_t>(alone.frames[i])] += alone.are_own[i] ? 1 : 0;
    }
    EXPECT_EQ(std::count(counted.begin(), counted.end(), 1), problem.scan.num_frames);
}

// Random phases and an object from a file are the same pixels in every tile that holds them.
TEST_F(HandlesTest, TilesHoldTheirPartOfTheObject) {
    config_.runtime.waves = Waves::recompute;
    config_.object.num_slices = 3;
    config_.object.slice_spacings_m = {1e-3, 2e-3};
    config_.object.initial = InitialObject::random;
    const Problem problem = make();
    Handles handles = make_handles(problem, ranks_);
    set_object(handles, problem, {});
    const auto& shape = problem.placement.object_shape;
    Array<cfloat, 3> object({3, shape[0], shape[1]});
    InitialObjectMaker(problem, {}).fill({0, 0, shape[0], shape[1]}, object.data());
    EXPECT_NE(object(0, 0, 0).im, object(0, 0, 1).im);
    EXPECT_NE(object(0, 0, 0).im, object(1, 0, 0).im);
    for (std::size_t t = 0; t < handles.tiles.size(); ++t) {
        const Rect& extended = problem.tiling.tiles[t].extended;
        const HostAccess access(handles.tiles[t].object, Access::read);
        const auto* value = access.as<const cfloat>();
        for (int slice = 0; slice < 3; ++slice) {
            for (int y = extended.y0; y < extended.y1; ++y) {
                for (int x = extended.x0; x < extended.x1; ++x, ++value) {
                    ASSERT_EQ(value->re, object(slice, y, x).re);
                    ASSERT_EQ(value->im, object(slice, y, x).im);
                }
            }
        }
    }
}

// Of an earlier result, where it has pixels; its origin lies three rows lower and two columns farther left.
TEST_F(HandlesTest, AnEarlierObjectIsReadWhereItOverlaps) {
    config_.object.initial = InitialObject::file;
    config_.object.file = scan_.folder() / "earlier.h5";
    const Problem problem = make();
    const auto& shape = problem.placement.object_shape;
    Result earlier;
    earlier.object = Array<cfloat, 3>({1, shape[0] - 9, shape[1] - 5});
    for (std::ptrdiff_t i = 0; i < earlier.object.size(); ++i)
        earlier.object[i] = {static_cast<float>(i), -1};
    earlier.probe = Array<cfloat, 3>({1, 2, 2});
    earlier.positions_px = Array<double, 2>({1, 2});
    earlier.pixel_size_m = problem.scan.pixel_size_m;
    for (std::size_t axis = 0; axis < 2; ++axis) {
        earlier.origin_m[axis] =
            (-problem.placement.shift_px[axis] + (axis == 0 ? 3 : -2)) * problem.scan.pixel_size_m[axis];
    }
    write_result(*config_.object.file, earlier);
    const InitialObjectMaker maker(problem, {});
    for (const Rect& rect : {Rect{0, 0, shape[0], shape[1]}, Rect{2, 5, 9, 30}, Rect{0, 0, 3, 4},
                             Rect{10, shape[1] - 7, 20, shape[1]}}) {
        Array<cfloat, 2> pixels({rect.height(), rect.width()});
        maker.fill(rect, pixels.data());
        for (int y = rect.y0; y < rect.y1; ++y) {
            for (int x = rect.x0; x < rect.x1; ++x) {
                const int v = y - 3, u = x + 2;
                const bool is_there = v >= 0 && v < shape[0] - 9 && u < shape[1] - 5;
                const cfloat expected = is_there ? earlier.object(0, v, u) : cfloat{1, 0};
                const cfloat found = pixels(y - rect.y0, x - rect.x0);
                ASSERT_TRUE(found.re == expected.re && found.im == expected.im) << y << ", " << x;
            }
        }
    }
}

TEST_F(HandlesTest, TheRingOfOutsFollowsTheWorkersUpToTheBatches) {
    const Problem problem = make();
    for (const int workers : {1, 2, 50}) {
        const Handles handles = make_handles(make(workers), ranks_);
        for (const TileHandles& tile : handles.tiles) {
            EXPECT_EQ(tile.out.size(),
                      std::min(static_cast<std::size_t>(num_out_slots(workers)), tile.batches.size()));
            for (const BatchHandles& batch : tile.batches) {
                EXPECT_GE(tile.out[0].bytes(), out_bytes(batch.shape.window, handles.probe_size));
            }
        }
    }
}

TEST_F(HandlesTest, TheRingOfWavesFollowsTheWorkersWhateverTheTiles) {
    EXPECT_TRUE(make_handles(make(), ranks_).stage_waves.empty());
    config_.runtime.operations = Operations::staged;
    for (const int workers : {1, 2, 500}) {
        for (const auto& [engine, has_line_search] :
             {std::pair{EngineName::CG, true}, {EngineName::GD, false}}) {
            config_.engines[0].name = engine;
            const Handles handles = make_handles(make(workers), ranks_);
            std::size_t num_batches = 0;
            for (const TileHandles& tile : handles.tiles) {
                num_batches += tile.batches.size();
                for (const BatchHandles& batch : tile.batches)
                    EXPECT_GE(handles.stage_waves[0].here.bytes(), residual_bytes(batch.shape));
            }
            EXPECT_EQ(handles.stage_waves.size(),
                      std::min(static_cast<std::size_t>(num_out_slots(workers)), num_batches));
            EXPECT_EQ(handles.stage_waves[0].along.empty(), !has_line_search);
        }
    }
}

std::size_t bytes_of(const Handles& handles) {
    std::size_t sum = handles.detector.bytes() + handles.probe.bytes() + handles.probe_gradient.bytes() +
                      handles.probe_gradient_previous.bytes() + handles.coverage.bytes() +
                      handles.state.bytes() + handles.halos.bytes() + handles.sums.bytes() +
                      handles.trial_sums.bytes() + handles.overlap_halos.bytes();
    for (const Data& record : handles.records) sum += record.bytes();
    for (const StageWaves& waves : handles.stage_waves)
        sum += waves.here.bytes() + waves.along.bytes() + waves.along_twice.bytes();
    for (const TileHandles& tile : handles.tiles) {
        sum += tile.object.bytes() + tile.gradient_own.bytes() + tile.gradient.bytes() +
               tile.gradient_previous.bytes() + tile.illumination.bytes();
        for (const Data& out : tile.out) sum += out.bytes();
        for (const BatchHandles& batch : tile.batches) {
            sum += batch.patterns.bytes() + batch.frames.bytes() + batch.waves.bytes() +
                   batch.frame_errors.bytes();
        }
    }
    return sum;
}

// The forecast's terms for data, against what is really allocated: 64-byte rounding and rings shorter than
// forecast make the difference.
TEST_F(HandlesTest, AreWhatTheForecastSays) {
    config_.tiling.tiles = {1, 1};
    struct Case {
        Waves waves;
        int num_slices = 1, num_opr_modes = 0, num_object_modes = 1;
        EngineName engine = EngineName::CG;
        int upsampling = 1;
        Operations operations = Operations::fused;
    };
    for (const auto& [waves, num_slices, num_opr_modes, num_object_modes, engine, upsampling, operations] :
         {Case{Waves::keep}, Case{Waves::recompute}, Case{Waves::recompute, 4}, Case{Waves::recompute, 1, 6},
          Case{Waves::keep, 1, 0, 3}, Case{Waves::recompute, 1, 0, 1, EngineName::DM},
          Case{Waves::recompute, 1, 0, 3, EngineName::DM}, Case{Waves::keep, 1, 0, 1, EngineName::CG, 2},
          Case{Waves::recompute, 1, 0, 2, EngineName::CG, 1, Operations::staged},
          Case{Waves::recompute, 1, 0, 1, EngineName::DM, 1, Operations::staged}}) {
        SCOPED_TRACE(testing::Message()
                     << num_slices << " slices, " << num_opr_modes << " eigen-probes, " << num_object_modes
                     << " modes of the object, " << (engine == EngineName::DM ? "DM" : "CG")
                     << ", upsampling " << upsampling
                     << (operations == Operations::staged ? ", staged" : ""));
        config_.object.num_modes = num_object_modes;
        config_.engines[0].name = engine;
        config_.detector.upsampling = upsampling;
        config_.detector.refine_background.reset();
        if (upsampling > 1) config_.detector.refine_background.emplace();
        config_.probe.variable.num_opr_modes = num_opr_modes;
        config_.runtime.waves = waves;
        config_.runtime.operations = operations;
        config_.object.num_slices = num_slices;
        config_.object.slice_spacings_m.assign(static_cast<std::size_t>(num_slices - 1), 1e-3);
        const Problem problem = make();
        std::size_t forecast = 0;
        for (const MemoryTerm& term : problem.memory.terms) {
            if (term.what.find("checkpoint") != std::string::npos) continue;
            for (const char* data : {"patterns", "object tiles", "strips", "batch windows", "probe:", "kept",
                                     "exit waves", "between slices", "between the stages"}) {
                if (term.what.find(data) != std::string::npos) forecast += term.bytes;
            }
        }
        const auto allocated = static_cast<double>(bytes_of(make_handles(problem, ranks_)));
        EXPECT_NEAR(allocated / static_cast<double>(forecast), 1, 0.03);
    }
}

}  // namespace
}  // namespace tessera::test
