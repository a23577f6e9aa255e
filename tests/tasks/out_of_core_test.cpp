// Scans larger than the memory limit: patterns that are read again in every pass and kept waves on a disk
// give the same answer to the last bit, and a scan that goes away ends the run.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "base/error.hpp"
#include "io/scan_reader.hpp"
#include "io/scan_writer.hpp"
#include "support/small_run.hpp"

namespace tessera::test {
namespace {

Problem problem_of(const RunConfig& config) {
    return make_problem(config, ScanReader(config.scan, {}).info(), machine_for(config.runtime, Ranks()));
}

// The smallest limit that is not refused.
std::size_t least_limit(RunConfig config) {
    config.runtime.memory_limit_host_bytes.reset();
    std::size_t refused = 0, enough = problem_of(config).memory.total_bytes();
    while (enough - refused > 1) {
        const std::size_t middle = refused + (enough - refused) / 2;
        config.runtime.memory_limit_host_bytes = middle;
        try {
            problem_of(config);
            enough = middle;
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ExitCode::runtime);
            refused = middle;
        }
    }
    return enough;
}

// Between the least limit (0) and what all patterns need (1).
RunConfig limited(RunConfig config, double share) {
    config.runtime.memory_limit_host_bytes.reset();
    const std::size_t all = problem_of(config).memory.total_bytes(), least = least_limit(config);
    config.runtime.memory_limit_host_bytes =
        least + static_cast<std::size_t>(share * static_cast<double>(all - least));
    return config;
}

class OutOfCore : public testing::Test {
  protected:
    OutOfCore() {
        config_ = scan_.run_config();
        config_.tiling.batch_size = 1;
        config_.engines[0].num_iter = 6;
    }
    SmallScan scan_{far_field_scan()};
    RunConfig config_;
};

// Whichever rank's problem it is made from; and the scan is there once.
TEST_F(OutOfCore, IsPlannedForEachRank) {
    const ScanReader reader(config_.scan, {});
    const Machine machine = machine_for(config_.runtime, Ranks());
    const auto of = [&](int rank) { return make_problem(config_, reader.info(), machine, 2, rank); };
    const std::size_t all = of(0).memory.total_bytes();  // more than of(1)
    for (const std::size_t less : {0, 1}) {
        config_.runtime.memory_limit_host_bytes = all - less;
        const Problem first = of(0), second = of(1);
        EXPECT_NE(first.patterns.stays, second.patterns.stays);
        EXPECT_EQ(first.patterns.reads_again(), less > 0);
        for (const auto& [made, from] : {std::pair(&first, &second), std::pair(&second, &first)}) {
            const Problem planned = problem_of_rank(*from, made == &second ? 1 : 0);
            EXPECT_EQ(planned.patterns.stays, made->patterns.stays);
            EXPECT_EQ(planned.memory.total_bytes(), made->memory.total_bytes());
            EXPECT_EQ(planned.keep_waves, made->keep_waves);
            EXPECT_EQ(&planned.tiling, &from->tiling);
            EXPECT_EQ(&planned.placement, &from->placement);
            EXPECT_EQ(&planned.scan, &from->scan);
        }
    }
}

TEST_F(OutOfCore, GivesTheSameBitsWhateverStays) {
    for (const EngineName engine : {EngineName::CG, EngineName::GD}) {
        config_.engines[0].name = engine;
        const Outcome reference = run(config_);
        ASSERT_FALSE(reference.problem.patterns.reads_again());
        for (const double share : {0.0, 0.3, 0.7, 0.99}) {
            const Outcome outcome = run(limited(config_, share));
            SCOPED_TRACE(testing::Message() << "engine " << static_cast<int>(engine) << ", "
                                            << outcome.problem.patterns.num_staying << " batches stay");
            EXPECT_TRUE(outcome.problem.patterns.reads_again());
            EXPECT_EQ(outcome.problem.patterns.num_staying == 0, share == 0);
            expect_bitwise_equal(outcome, reference);
        }
        const Outcome all = run(limited(config_, 1));
        EXPECT_FALSE(all.problem.patterns.reads_again());
        expect_bitwise_equal(all, reference);
    }
}

TEST_F(OutOfCore, GivesTheSameBitsWithAnySchedule) {
    const Outcome reference = run(config_);
    for (const char* scheduler : {"eager", "lws", "prio", "dmdas"}) {
        for (const int ahead : {1, 10}) {
            SCOPED_TRACE(testing::Message() << scheduler << ", submit_ahead " << ahead);
            config_.runtime.scheduler = scheduler;
            config_.runtime.cpus = most_workers();
            config_.runtime.submit_ahead = ahead;
            config_.runtime.operations = ahead == 1 ? Operations::fused : Operations::staged;
            const Outcome outcome = run(limited(config_, 0.2));
            EXPECT_TRUE(outcome.problem.patterns.reads_again());
            expect_bitwise_equal(outcome, reference);
        }
    }
}

// Frames that several tiles compute are read for each of them.
TEST_F(OutOfCore, GivesTheSameBitsWithRedundantFrames) {
    config_.tiling.exchange = Exchange::voxels;
    const Outcome reference = run(config_);
    for (const double share : {0.0, 0.5}) {
        const Outcome outcome = run(limited(config_, share));
        EXPECT_TRUE(outcome.problem.patterns.reads_again());
        expect_bitwise_equal(outcome, reference);
    }
}

// The mark of what a frame does not use is made afresh each time.
TEST_F(OutOfCore, GivesTheSameBitsWithUnusedAndSaturatedPixels) {
    SyntheticScan scan = scan_.truth();
    scan.integer_counts = false;
    for (std::ptrdiff_t i = 0; i < scan.patterns.size(); i += 11)
        scan.patterns[i] = i % 2 == 0 ? std::numeric_limits<float>::quiet_NaN() : -1.0F;
    write_scan(scan_.folder() / "odd.cxi", scan, "");
    config_.scan.file = scan_.folder() / "odd.cxi";
    config_.scan.mask.saturated_above = 50;
    const Outcome reference = run(config_);
    expect_bitwise_equal(run(limited(config_, 0.3)), reference);
}

TEST_F(OutOfCore, GivesTheSameBitsWithUpsamplingAndARefinedBackground) {
    config_.detector.upsampling = 2;
    config_.detector.refine_background.emplace().start = 1;
    config_.engines[0].num_iter = 4;
    const Outcome reference = run(config_);
    expect_bitwise_equal(run(limited(config_, 0.3)), reference);
}

TEST_F(OutOfCore, GivesTheSameBitsWithSlices) {
    config_.object.num_slices = 2;
    config_.object.slice_spacings_m = {1e-5};
    config_.engines[0].num_iter = 3;
    const Outcome reference = run(config_);
    expect_bitwise_equal(run(limited(config_, 0.5)), reference);
}

TEST_F(OutOfCore, GivesTheSameBitsWithKeptWavesInMemory) {
    config_.runtime.waves = Waves::keep;
    const Outcome reference = run(config_);
    const Outcome outcome = run(limited(config_, 0));
    EXPECT_TRUE(outcome.problem.patterns.reads_again());
    EXPECT_FALSE(outcome.problem.waves_memory_bytes.has_value());
    expect_bitwise_equal(outcome, reference);
}

// What was submitted ahead of the stop is not read any more; the last evaluation reads everything.
TEST_F(OutOfCore, StopsWithTheSameBits) {
    config_.engines[0].tolerance = 0.5;
    config_.engines[0].num_iter = 30;
    const Outcome reference = run(config_);
    ASSERT_LT(reference.result.cost.size(), 30U);
    expect_bitwise_equal(run(limited(config_, 0)), reference);
}

TEST_F(OutOfCore, RefusesALimitBelowWhatCannotBeReadAgain) {
    config_.runtime.memory_limit_host_bytes = least_limit(config_) - 1;
    try {
        problem_of(config_);
        ADD_FAILURE() << "not refused";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::runtime);
        const std::string message = error.what();
        const double gibibytes = static_cast<double>(*config_.runtime.memory_limit_host_bytes) / (1u << 30);
        EXPECT_NE(message.find(fmt::format("{:.3f} GiB are allowed", gibibytes)), std::string::npos)
            << message;
        EXPECT_NE(message.find("GiB at least"), std::string::npos) << message;
    }
}

TEST_F(OutOfCore, EndsWhenTheScanGoesAway) {
    config_.engines[0].num_iter = 200;
    config_.runtime.cpus = most_workers();
    const RunConfig config = limited(config_, 0);
    RunSettings settings;
    settings.on_iteration = [&](const IterationReport& report) {
        if (report.iteration == 3) std::filesystem::resize_file(config.scan.file, 4096);
    };
    try {
        run(config, settings);
        ADD_FAILURE() << "it went on";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::data);
        const std::string message = error.what();
        EXPECT_NE(message.find("scan.cxi:/"), std::string::npos) << message;
        EXPECT_NE(message.find("frame"), std::string::npos) << message;
    }
    const SmallScan another(far_field_scan());  // and the next run in this process is as good as any
    RunConfig next = another.run_config();
    EXPECT_EQ(run(next).result.cost.size(), 8U);
}

std::size_t bytes_under(const std::filesystem::path& folder) {
    std::size_t bytes = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (entry.is_regular_file()) bytes += entry.file_size();
    }
    return bytes;
}

TEST(WavesOnDisk, GiveTheSameBits) {
    SimulationConfig simulation = far_field_scan();
    simulation.detector.shape = {64, 64};
    simulation.scan.grid = {9, 9};
    const SmallScan scan(simulation);
    RunConfig config = scan.run_config();
    config.runtime.waves = Waves::keep;
    config.runtime.cpus = most_workers();
    config.engines[0].num_iter = 4;
    const Outcome reference = run(config);

    config.runtime.memory_limit_host_bytes = reference.problem.memory.total_bytes() - (3u << 20);
    EXPECT_THROW(problem_of(config), Error);
    const auto folder = std::filesystem::path(config.scan.file).parent_path() / "waves";
    config.runtime.disk = folder;
    for (const char* scheduler : {"eager", "lws", "dmdas"}) {
        SCOPED_TRACE(scheduler);
        config.runtime.scheduler = scheduler;
        std::size_t on_disk = 0;
        RunSettings settings;
        settings.on_iteration = [&](const IterationReport&) {
            on_disk = std::max(on_disk, bytes_under(folder));
        };
        const Outcome outcome = run(config, settings);
        EXPECT_TRUE(outcome.problem.waves_memory_bytes.has_value());
        EXPECT_GT(on_disk, 1u << 20);
        EXPECT_TRUE(std::filesystem::is_empty(folder));
        expect_bitwise_equal(outcome, reference);
    }
    config.runtime.operations = Operations::staged;
    *config.runtime.memory_limit_host_bytes += 3 * residual_bytes(largest_batch(reference.problem)) *
                                               static_cast<std::size_t>(num_out_slots(most_workers()));
    const Outcome staged = run(config);
    EXPECT_TRUE(staged.problem.waves_memory_bytes.has_value());
    expect_bitwise_equal(staged, reference);
}

}  // namespace
}  // namespace tessera::test
