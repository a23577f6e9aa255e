// Whole reconstructions of objects that the beam meets in several states.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "codelets/runtime/runtime.hpp"
#include "io/result_file.hpp"
#include "io/scan_reader.hpp"
#include "support/small_run.hpp"
#include "tasks/starting_point.hpp"

namespace tessera::test {
namespace {

// Two unrelated states, each half of the time, seen through a known probe without noise.
SimulationConfig mixed_scan() {
    SimulationConfig config = far_field_scan();
    config.object.num_modes = 2;
    config.object.phase_range_rad = {-0.8, 0};
    config.object.amplitude_range = {0.7, 1};
    config.probe.guess_defocus_error = 0;
    config.probe.photons_per_frame = 1e6;
    config.scan.grid = {8, 8};
    config.scan.step_px = 3;
    config.detector.photon_noise = false;
    config.detector.integer_counts = false;
    return config;
}

RunConfig mixed_run(const SmallScan& scan, const EngineConfig& engine) {
    RunConfig config = scan.run_config();
    config.object.num_modes = 2;
    config.probe.initial = InitialProbe::file;
    config.probe.rescale = false;
    config.probe.update.start = engine.num_iter;
    config.engines = {engine};
    return config;
}

EngineConfig engine_of(EngineName name, int num_iter) {
    EngineConfig engine;
    engine.name = name;
    engine.num_iter = num_iter;
    return engine;
}

// Pixels where the centres of the windows are: of each plane of result and truth.
struct Scanned {
    std::vector<std::vector<cdouble>> found, truth;
};
cdouble in_double(cfloat z) {
    return {static_cast<double>(z.re), static_cast<double>(z.im)};
}
Scanned scanned_part(const Result& result, const SyntheticScan& truth) {
    std::array<std::ptrdiff_t, 2> first{}, last{}, shift{};
    for (std::ptrdiff_t axis = 0; axis < 2; ++axis) {
        double least = 1e300, most = -1e300;
        for (std::ptrdiff_t j = 0; j < truth.positions_px.extent(0); ++j) {
            least = std::min(least, truth.positions_px(j, axis));
            most = std::max(most, truth.positions_px(j, axis));
        }
        const auto i = static_cast<std::size_t>(axis);
        const std::ptrdiff_t half = truth.probe.extent(i + 1) / 2;
        first[i] = std::lround(least) + half;
        last[i] = std::lround(most) + half;
        shift[i] = std::lround(result.positions_px(0, axis) - truth.positions_px(0, axis));
    }
    Scanned scanned;
    scanned.found.resize(static_cast<std::size_t>(result.object.extent(0)));
    scanned.truth.resize(static_cast<std::size_t>(truth.object.extent(0)));
    for (std::ptrdiff_t y = first[0]; y < last[0]; ++y) {
        for (std::ptrdiff_t x = first[1]; x < last[1]; ++x) {
            for (std::size_t m = 0; m < scanned.found.size(); ++m)
                scanned.found[m].push_back(
                    in_double(result.object(static_cast<std::ptrdiff_t>(m), y + shift[0], x + shift[1])));
            for (std::size_t m = 0; m < scanned.truth.size(); ++m)
                scanned.truth[m].push_back(in_double(truth.object(static_cast<std::ptrdiff_t>(m), y, x)));
        }
    }
    return scanned;
}

cdouble dot(const std::vector<cdouble>& a, const std::vector<cdouble>& b) {
    cdouble sum = {0, 0};
    for (std::size_t i = 0; i < a.size(); ++i) sum = conj_mul_add(a[i], b[i], sum);
    return sum;
}

// What is left of the true states when their projection on what was found is taken off, relative; modes mix
// by any unitary matrix, but span the same.
double span_error(const Scanned& scanned) {
    std::vector<std::vector<cdouble>> basis;
    const auto without = [&](std::vector<cdouble> image) {
        for (const auto& mode : basis) {
            const cdouble along = dot(mode, image);
            for (std::size_t i = 0; i < image.size(); ++i) image[i] = image[i] - along * mode[i];
        }
        return image;
    };
    for (const auto& mode : scanned.found) {
        std::vector<cdouble> next = without(mode);
        const double size = std::sqrt(dot(next, next).re);
        for (cdouble& value : next) value = (1 / size) * value;
        basis.push_back(next);
    }
    double left = 0, size = 0;
    for (const auto& state : scanned.truth) {
        const auto rest = without(state);
        left += dot(rest, rest).re;
        size += dot(state, state).re;
    }
    return std::sqrt(left / size);
}

// ||sum |O|^2 - sum |T|^2|| / ||sum |T|^2||
double incoherent_sum_error(const Scanned& scanned) {
    double difference = 0, size = 0;
    for (std::size_t i = 0; i < scanned.truth[0].size(); ++i) {
        double found = 0, truth = 0;
        for (const auto& mode : scanned.found) found += norm(mode[i]);
        for (const auto& state : scanned.truth) truth += norm(state[i]);
        difference += (found - truth) * (found - truth);
        size += truth * truth;
    }
    return std::sqrt(difference / size);
}

// Measured: 0.016 and 5e-4 of the data error of one mode, 0.18 and 0.04 of what it leaves of the states, 0.23
// and 0.04 of its error of their sum.
TEST(MixedObject, IsFoundWithAsManyModes) {
    const SmallScan scan(mixed_scan());
    for (const auto& [name, num_iter] : {std::pair{EngineName::CG, 80}, {EngineName::DM, 150}}) {
        SCOPED_TRACE(name == EngineName::CG ? "CG" : "DM");
        RunConfig config = mixed_run(scan, engine_of(name, num_iter));
        config.engines[0].projection.fourier_relax_factor = 0;  // frames that fit almost have to change, too
        const Outcome two = run(config);
        config.object.num_modes = 1;
        const Outcome one = run(config);
        ASSERT_EQ(two.result.object.extent(0), 2);
        EXPECT_EQ(two.result.num_object_modes, 2);
        ASSERT_EQ(two.result.object_mode_powers.size(), 2U);
        EXPECT_GT(two.result.object_mode_powers[0], two.result.object_mode_powers[1]);
        EXPECT_TRUE(one.result.object_mode_powers.empty());
        const Scanned mixed = scanned_part(two.result, scan.truth()),
                      coherent = scanned_part(one.result, scan.truth());
        EXPECT_LT(two.result.final_data_error, 0.05 * one.result.final_data_error);
        EXPECT_LT(span_error(mixed), 0.25 * span_error(coherent));
        EXPECT_LT(incoherent_sum_error(mixed), 0.3 * incoherent_sum_error(coherent));
    }
}

// With modes of the probe beside those of the object, positions that move, and everything in motion.
RunConfig busy_run(const SmallScan& scan, EngineName name) {
    RunConfig config = mixed_run(scan, engine_of(name, 6));
    config.probe.num_modes = 2;
    config.probe.update.start = 2;
    config.positions.max_shift_px = 2;
    config.engines[0].refine_positions.emplace().start = 3;
    config.engines[0].projection.overlap_max_iterations = 3;
    config.engines[0].projection.average_last = 0.4;
    return config;
}

TEST(MixedObject, OfAnyScheduleHasTheSameBits) {
    const SmallScan scan(mixed_scan());
    for (const EngineName name : {EngineName::CG, EngineName::GD, EngineName::DM}) {
        RunConfig config = busy_run(scan, name);
        const Outcome reference = run(config);
        EXPECT_LT(reference.result.final_cost, reference.result.cost.front());
        config.runtime.cpus = std::min(num_usable_cores(), 2);
        for (const char* scheduler : {"eager", "lws", "dmdas"}) {
            config.runtime.scheduler = scheduler;
            config.runtime.submit_ahead = 1;
            expect_bitwise_equal(run(config, {.num_out_slots = 2}), reference);
        }
    }
}

TEST(MixedObject, OnTilesIsTheWhole) {
    const SmallScan scan(mixed_scan());
    for (const auto& [name, interpolation] : {std::pair{EngineName::CG, Interpolation::fourier},
                                              {EngineName::CG, Interpolation::bilinear},
                                              {EngineName::RAAR, Interpolation::fourier}}) {
        RunConfig config = busy_run(scan, name);
        config.positions.interpolation = interpolation;
        config.object.constraints.smoothing = 0.05;
        config.tiling.tiles = {1, 1};
        const Outcome whole = run(config);
        config.tiling.tiles = {2, 3};
        const Outcome tiled = run(config);
        EXPECT_LT(relative_difference(tiled.result.object, whole.result.object), 3e-5);
        EXPECT_LT(relative_difference(tiled.probe, whole.probe), 3e-5);
        EXPECT_NEAR(tiled.result.final_cost / whole.result.final_cost, 1, 3e-5);
        expect_equal_overlaps(tiled);
    }
}

// Kept far fields of all pairs of modes follow the steps as recomputed ones are made.
TEST(MixedObject, KeepsItsWaves) {
    const SmallScan scan(mixed_scan());
    RunConfig config = busy_run(scan, EngineName::CG);
    config.engines[0].refine_positions.reset();
    const Outcome recomputed = run(config);
    config.runtime.waves = Waves::keep;
    const Outcome kept = run(config);
    EXPECT_TRUE(kept.problem.keep_waves);
    EXPECT_LT(relative_difference(kept.result.object, recomputed.result.object), 1e-4);
}

// ---- Where modes begin

Array<cfloat, 3> begin_of(const SmallScan& scan, const RunConfig& run_file, const Rect& rect) {
    const ScanReader reader(run_file.scan, {});
    const Problem problem = make_problem(run_file, reader.info(), Machine{.num_cpus = 1});
    Array<cfloat, 3> pixels({run_file.object.num_modes, rect.height(), rect.width()});
    InitialObjectMaker(problem, scan.folder()).fill(rect, pixels.data());
    return pixels;
}

TEST(InitialModes, AreRandomFromTheSeedWhateverTheTile) {
    const SmallScan scan(mixed_scan());
    RunConfig config = scan.run_config();
    config.object.num_modes = 3;
    config.object.mode_spread = 0.2;
    const Array<cfloat, 3> pixels = begin_of(scan, config, {4, 5, 20, 23});
    const Array<cfloat, 3> part = begin_of(scan, config, {9, 11, 15, 16});
    cdouble cross = {0, 0};
    for (std::ptrdiff_t y = 0; y < 6; ++y) {
        for (std::ptrdiff_t x = 0; x < 5; ++x) {
            for (std::ptrdiff_t m = 0; m < 3; ++m) {
                EXPECT_EQ(part(m, y, x).re, pixels(m, y + 5, x + 6).re);
                EXPECT_NEAR(std::sqrt(norm(part(m, y, x))), m == 0 ? 1 : 0.2, 1e-6);
            }
            cross = conj_mul_add(in_double(part(1, y, x)), in_double(part(2, y, x)), cross);
        }
    }
    EXPECT_LT(std::sqrt(norm(cross)), 0.5 * 30 * 0.2 * 0.2);
    config.runtime.random_seed += 1;
    EXPECT_NE(begin_of(scan, config, {9, 11, 15, 16})(1, 0, 0).re, part(1, 0, 0).re);
}

// A result of one mode is a good place to begin with two; more modes than are asked for are not.
TEST(InitialModes, GoOnFromAResultWithFewer) {
    const SmallScan scan(mixed_scan());
    RunConfig config = mixed_run(scan, engine_of(EngineName::CG, 4));
    config.object.num_modes = 1;
    write_result(scan.folder() / "one.h5", run(config).result);
    config.object.num_modes = 2;
    config.object.initial = InitialObject::file;
    config.object.file = "one.h5";
    const Result one = read_result(scan.folder() / "one.h5");
    const Array<cfloat, 3> begin = begin_of(scan, config, {10, 12, 14, 17});
    for (std::ptrdiff_t x = 0; x < 5; ++x) {
        EXPECT_EQ(begin(0, 0, x).re, one.object(0, 10, 12 + x).re);
        EXPECT_NEAR(std::sqrt(norm(begin(1, 0, x))), config.object.mode_spread, 1e-6);
    }
    config.object.initial = InitialObject::flat;
    write_result(scan.folder() / "two.h5", run(config).result);
    const Result two = read_result(scan.folder() / "two.h5");
    EXPECT_EQ(two.num_object_modes, 2);
    config.object.initial = InitialObject::file;
    config.object.file = "two.h5";
    EXPECT_EQ(begin_of(scan, config, {10, 12, 14, 17})(1, 0, 0).re, two.object(1, 10, 12).re);
    config.object.num_modes = 1;
    try {
        begin_of(scan, config, {10, 12, 14, 17});
        FAIL() << "two modes made one";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::data);
        EXPECT_NE(std::string(error.what()).find("object.num_modes is 1"), std::string::npos) << error.what();
    }
}

}  // namespace
}  // namespace tessera::test
