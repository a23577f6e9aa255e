// Detectors whose pixels are larger than the far field's speckles, in whole reconstructions.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "codelets/runtime/runtime.hpp"
#include "io/scan_writer.hpp"
#include "support/small_run.hpp"

namespace tessera::test {
namespace {

// A beam as wide as the window that the detector's pixels give.
SimulationConfig fine_scan() {
    SimulationConfig config = far_field_scan();
    config.detector.shape = {48, 64};
    config.probe.diameter_px = 20;
    config.probe.guess_defocus_error = 0.1;
    config.probe.photons_per_frame = 1e6;
    config.detector.photon_noise = false;
    config.detector.integer_counts = false;
    return config;
}

// Two by two pixels into one, and the guess cut to the window that they give.
SyntheticScan binned(SyntheticScan scan) {
    const std::ptrdiff_t num_frames = scan.patterns.extent(0), height = scan.patterns.extent(1) / 2,
                         width = scan.patterns.extent(2) / 2;
    Array<float, 3> patterns({num_frames, height, width});
    for (std::ptrdiff_t j = 0; j < num_frames; ++j)
        for (std::ptrdiff_t y = 0; y < 2 * height; ++y)
            for (std::ptrdiff_t x = 0; x < 2 * width; ++x)
                patterns(j, y / 2, x / 2) += scan.patterns(j, y, x);
    const Array<cfloat, 3> guess = std::move(scan.probe_guess);
    scan.probe_guess = Array<cfloat, 3>({guess.extent(0), height, width});
    for (std::ptrdiff_t k = 0; k < guess.extent(0); ++k)
        for (std::ptrdiff_t y = 0; y < height; ++y)
            for (std::ptrdiff_t x = 0; x < width; ++x)
                scan.probe_guess(k, y, x) = guess(k, y + height / 2, x + width / 2);
    scan.patterns = std::move(patterns);
    scan.mask = Array<float, 2>({height, width}, 1);
    scan.background = Array<float, 2>({height, width});
    for (double& size_m : scan.geometry.detector_pixel_size_m) size_m *= 2;
    return scan;
}

class Upsampling : public testing::Test {
  protected:
    Upsampling() {
        write_scan(scan_.folder() / "binned.cxi", binned(scan_.truth()), "");
        config_ = scan_.run_config();
        config_.scan.file = scan_.folder() / "binned.cxi";
        config_.detector.upsampling = 2;
    }
    SmallScan scan_{fine_scan()};
    RunConfig config_;
};

TEST_F(Upsampling, FindsWhatLargePixelsHide) {
    config_.engines[0].num_iter = 60;
    const Outcome fine = run(config_);
    EXPECT_EQ(fine.result.probe.extent(1), 48);
    EXPECT_EQ(fine.result.probe.extent(2), 64);
    EXPECT_NEAR(fine.result.pixel_size_m[0], scan_.truth().pixel_size_m[0],
                1e-6 * scan_.truth().pixel_size_m[0]);
    config_.detector.upsampling = 1;
    EXPECT_LT(fine.result.final_data_error, 0.2 * run(config_).result.final_data_error);
}

TEST_F(Upsampling, GoesWithEveryEngineThatHasAGradient) {
    for (const EngineName engine : {EngineName::GD, EngineName::LSQML, EngineName::rPIE}) {
        SCOPED_TRACE(static_cast<int>(engine));
        config_.engines[0].name = engine;
        config_.engines[0].num_iter = 40;
        RunConfig coarse = config_;
        coarse.detector.upsampling = 1;
        EXPECT_LT(run(config_).result.final_data_error, 0.5 * run(coarse).result.final_data_error);
    }
}

TEST_F(Upsampling, GivesTheSameBitsOnAnySchedule) {
    config_.detector.refine_background.emplace().start = 2;
    const Outcome reference = run(config_);
    EXPECT_EQ(reference.result.background.extents(), (Extents<2>{24, 32}));
    config_.runtime.cpus = std::min(num_usable_cores(), 2);
    for (const char* scheduler : {"eager", "lws", "dmdas"}) {
        config_.runtime.scheduler = scheduler;
        expect_bitwise_equal(run(config_), reference);
    }
}

TEST_F(Upsampling, OfTilesIsThatOfTheWhole) {
    config_.detector.blur_sigma_px = 0.5;
    config_.positions.max_shift_px = 3;
    config_.engines[0].refine_positions.emplace().start = 2;
    const Outcome tiled = run(config_);
    config_.tiling.tiles = {1, 1};
    const Outcome whole = run(config_);
    EXPECT_LT(relative_difference(tiled.result.object, whole.result.object), 3e-5);
    EXPECT_LT(relative_difference(tiled.probe, whole.probe), 3e-5);
}

TEST_F(Upsampling, LeavesKeptWavesAlone) {
    const Outcome recomputed = run(config_);
    config_.runtime.waves = Waves::keep;
    const Outcome kept = run(config_);
    EXPECT_TRUE(kept.problem.keep_waves);
    EXPECT_LT(relative_difference(kept.result.object, recomputed.result.object), 1e-4);
}

// Guesses are made on the finer far field: their light is that of the frames.
TEST_F(Upsampling, BeginsWithTheLightOfTheFrames) {
    const double of_scan = run(config_).result.mode_powers[0];
    for (const InitialProbe initial : {InitialProbe::gaussian, InitialProbe::from_data}) {
        config_.probe.initial = initial;
        if (initial == InitialProbe::gaussian) config_.probe.diameter_m = 20 * scan_.truth().pixel_size_m[0];
        const Outcome outcome = run(config_);
        EXPECT_EQ(outcome.result.probe.extent(1), 48);
        EXPECT_NEAR(outcome.result.mode_powers[0] / of_scan, 1, 0.3);
        config_.probe.diameter_m.reset();
    }
}

TEST_F(Upsampling, RefusesTheNearFieldAndWindowsThatAreLarger) {
    const auto message = [](const RunConfig& config) -> std::string {
        try {
            run(config);
        } catch (const Error& refused) {
            EXPECT_EQ(refused.code(), ExitCode::usage);
            return refused.what();
        }
        return "";
    };
    config_.probe.size = {49, 64};
    EXPECT_EQ(
        message(config_),
        "probe.size: 49 x 64 pixels do not fit frames, upsampled, of 48 x 64 (set probe.size to at most "
        "that)");
    const SmallScan near(near_field_scan());
    RunConfig config = near.run_config();
    config.detector.upsampling = 2;
    EXPECT_NE(message(config).find("detector.upsampling: 2 is for the far field"), std::string::npos);
}

}  // namespace
}  // namespace tessera::test
