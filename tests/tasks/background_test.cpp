// A background that nobody has measured, in whole reconstructions.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "codelets/runtime/runtime.hpp"
#include "io/scan_writer.hpp"
#include "scan/random.hpp"
#include "support/small_run.hpp"

namespace tessera::test {
namespace {

SimulationConfig bright_scan() {
    SimulationConfig config = far_field_scan();
    config.probe.photons_per_frame = 1e6;
    config.detector.photon_noise = false;
    config.detector.integer_counts = false;
    return config;
}

// Counts that fall smoothly from the middle, on top of a constant.
float background_at(std::ptrdiff_t y, std::ptrdiff_t x, const Extents<2>& shape) {
    const double from_middle_y = static_cast<double>(y - shape[0] / 2) / static_cast<double>(shape[0]),
                 from_middle_x = static_cast<double>(x - shape[1] / 2) / static_cast<double>(shape[1]);
    return static_cast<float>(
        15 + 30 * std::exp(-4 * (from_middle_y * from_middle_y + from_middle_x * from_middle_x)));
}

class RefinedBackground : public testing::Test {
  protected:
    RefinedBackground() {
        SyntheticScan lit = scan_.truth();
        const Extents<2> shape = lit.mask.extents();
        truth_ = Array<float, 2>(shape);
        for (std::ptrdiff_t y = 0; y < shape[0]; ++y)
            for (std::ptrdiff_t x = 0; x < shape[1]; ++x) truth_(y, x) = background_at(y, x, shape);
        Random random(5, 0);
        for (std::ptrdiff_t j = 0; j < lit.patterns.extent(0); ++j)
            for (std::ptrdiff_t i = 0; i < truth_.size(); ++i) {
                const double counts = static_cast<double>(lit.patterns.slice(j)[i] + truth_[i]);
                lit.patterns.slice(j)[i] = static_cast<float>(random.poisson(counts));
            }
        write_scan(scan_.folder() / "unknown.cxi", lit, "");
        lit.background = Array<float, 2>(shape);
        for (std::ptrdiff_t i = 0; i < truth_.size(); ++i) lit.background[i] = truth_[i];
        write_scan(scan_.folder() / "known.cxi", lit, "");
        config_ = scan_.run_config();
        config_.engines[0].num_iter = 30;
        config_.engines[0].noise_model = NoiseModel::poisson;
        config_.scan.file = scan_.folder() / "unknown.cxi";
        refining_ = config_;
        refining_.detector.refine_background.emplace();
    }
    double error_of(const Array<float, 2>& background) const {
        double difference = 0, size = 0;
        for (std::ptrdiff_t i = 0; i < truth_.size(); ++i) {
            difference += std::pow(static_cast<double>(background[i] - truth_[i]), 2);
            size += std::pow(static_cast<double>(truth_[i]), 2);
        }
        return std::sqrt(difference / size);
    }
    SmallScan scan_{bright_scan()};
    Array<float, 2> truth_;
    RunConfig config_, refining_;
};

TEST_F(RefinedBackground, IsNearlyAsGoodAsAKnownOne) {
    RunConfig clean = config_;
    clean.scan.file = scan_.folder() / "scan.cxi";
    clean.engines[0].noise_model = NoiseModel::amplitude;  // its counts are no whole numbers
    const auto object = run(clean).result.object;
    const Outcome ignored = run(config_), refined = run(refining_);
    config_.scan.file = scan_.folder() / "known.cxi";
    const Outcome known = run(config_);
    const auto error = [&](const Outcome& outcome) {
        return relative_difference(outcome.result.object, object);
    };
    EXPECT_LT(error(refined), 0.7 * error(ignored));
    EXPECT_LT(error(refined), 1.5 * error(known));
    EXPECT_LT(error_of(refined.result.background), 0.5);  // under the beam nobody can tell
    EXPECT_TRUE(known.result.background.empty());
}

// Where the scan has one, it begins there.
TEST_F(RefinedBackground, BeginsWithTheScans) {
    refining_.scan.file = scan_.folder() / "known.cxi";
    refining_.engines[0].num_iter = 2;  // before it is refined
    EXPECT_LT(error_of(run(refining_).result.background), 1e-6);
}

TEST_F(RefinedBackground, FollowsEveryEngine) {
    for (const EngineName engine : {EngineName::CG, EngineName::GD, EngineName::LSQML, EngineName::rPIE,
                                    EngineName::DM, EngineName::RAAR, EngineName::AP}) {
        SCOPED_TRACE(static_cast<int>(engine));
        refining_.engines[0].name = engine;
        refining_.engines[0].noise_model = NoiseModel::amplitude;
        RunConfig ignoring = refining_;
        ignoring.detector.refine_background.reset();
        const Outcome refined = run(refining_);
        EXPECT_LT(refined.result.final_data_error, 0.8 * run(ignoring).result.final_data_error);
        EXPECT_TRUE(std::ranges::all_of(refined.result.background, [](float counts) { return counts >= 0; }));
        EXPECT_LT(error_of(refined.result.background), 0.8);
    }
}

TEST_F(RefinedBackground, GivesTheSameBitsOnAnySchedule) {
    refining_.engines[0].num_iter = 10;
    refining_.detector.refine_background->interval = 2;
    const Outcome reference = run(refining_);
    refining_.runtime.cpus = std::min(num_usable_cores(), 2);
    for (const char* scheduler : {"eager", "lws", "dmdas"}) {
        refining_.runtime.scheduler = scheduler;
        expect_bitwise_equal(run(refining_), reference);
    }
}

TEST_F(RefinedBackground, OfTilesIsThatOfTheWhole) {
    refining_.detector.blur_sigma_px = 0.5;
    refining_.detector.refine_background->start = 2;
    refining_.engines[0].num_iter = 8;
    const Outcome tiled = run(refining_);
    refining_.tiling.tiles = {1, 1};
    const Outcome whole = run(refining_);
    EXPECT_LT(relative_difference(tiled.result.object, whole.result.object), 1e-4);
    for (std::ptrdiff_t i = 0; i < truth_.size(); ++i)
        EXPECT_NEAR(tiled.result.background[i], whole.result.background[i],
                    1e-3F * (1 + whole.result.background[i]));
}

TEST_F(RefinedBackground, LeavesKeptWavesAlone) {
    refining_.engines[0].num_iter = 10;
    const Outcome recomputed = run(refining_);
    refining_.runtime.waves = Waves::keep;
    const Outcome kept = run(refining_);
    EXPECT_TRUE(kept.problem.keep_waves);
    EXPECT_LT(relative_difference(kept.result.object, recomputed.result.object), 1e-3);
}

}  // namespace
}  // namespace tessera::test
