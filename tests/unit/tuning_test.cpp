#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <numeric>

#include "base/error.hpp"
#include "config/yaml_reader.hpp"
#include "tuning/tune_report.hpp"

namespace tessera {
namespace {

namespace fs = std::filesystem;

class Tuning : public testing::Test {
  protected:
    void SetUp() override {
        folder_ =
            fs::temp_directory_path() /
            ("tessera-tuning-" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
        fs::remove_all(folder_);
        fs::create_directories(folder_);
    }
    void TearDown() override { fs::remove_all(folder_); }

    TuneSpace space_of(const std::string& tune_block) {
        const fs::path file = folder_ / "run.yaml";
        std::ofstream(file) << "scan: {file: scan.cxi}\ntiling: {batch_size: 10}\n" << tune_block;
        tune_ = read_run_config(file).tune.value_or(TuneConfig{});
        return tune_space(file, {}, tune_);
    }

    Trials trials(const TuneSpace& space) { return Trials(folder_ / "trials.txt", "trials of 1", space); }

    // Runs the whole search on a made-up machine.
    using Machine = std::function<TrialOutcome(const TunePoint&)>;
    TuneProgress search(const TuneSpace& space, const Machine& machine, int most = 10000) {
        Trials done = trials(space);
        for (int i = 0; i < most; ++i) {
            const TuneProgress progress = tune_progress(space, tune_, done);
            if (!progress.next) return progress;
            EXPECT_GT(progress.num_remaining, 0u);
            done.add(*progress.next, machine(progress.next->point));
        }
        return tune_progress(space, tune_, done);
    }

    fs::path folder_;
    TuneConfig tune_;
};

constexpr const char* three_axes =
    "tune:\n"
    "  vary:\n"
    "    runtime.scheduler: [lws, eager, prio]\n"
    "    tiling.batch_size: [5, 10, 20, 40]\n"
    "    tiling.tiles: [auto, [1, 2], [2, 2]]\n"
    "  repetitions: 2\n";

// Fastest: scheduler 2, batch size 20, tiles [1, 2].
TrialOutcome made_up(const TunePoint& p) {
    const double s = 3 + std::abs(static_cast<double>(p[0]) - 2) + std::abs(static_cast<double>(p[1]) - 2) +
                     std::abs(static_cast<double>(p[2]) - 1);
    return {s, 0.5, ""};
}

TEST_F(Tuning, LeavesOutWhatIsTheRunFilesOwn) {
    const TuneSpace space = space_of(three_axes);
    ASSERT_EQ(space.axes.size(), 3u);
    EXPECT_EQ(space.axes[0].values, std::vector<std::string>({"", "lws", "eager", "prio"}));
    EXPECT_EQ(space.axes[1].values, std::vector<std::string>({"", "5", "20", "40"}));
    EXPECT_EQ(space.axes[2].values, std::vector<std::string>({"", "[1, 2]", "[2, 2]"}));
    EXPECT_EQ(space.num_points(), 48u);
    EXPECT_EQ(space.all_points().size(), 48u);
    EXPECT_EQ(space.overrides({2, 0, 1}),
              std::vector<std::string>({"runtime.scheduler=eager", "tiling.tiles=[1, 2]"}));
    EXPECT_EQ(space.name({0, 0, 0}), "as in the run file");
}

TEST_F(Tuning, RefusesValuesThatTheRunFileDoesNotTake) {
    try {
        space_of("tune: {vary: {tiling.batch_size: [5, -1], tiling.batchsize: [3], runtime.waves: [kep]}}\n");
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::usage);
        for (const char* part : {"tiling.batch_size=-1", "did you mean batch_size?", "runtime.waves=kep"})
            EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
    EXPECT_THROW(space_of("tune: {vary: {tiling.batch_size: [10]}}\n"), Error);
    EXPECT_THROW(space_of("tune: {vary: {tiling.batch_size: 10}}\n"), Error);
}

TEST_F(Tuning, BlockIsWrittenAsItIsRead) {
    space_of(three_axes);
    const RunConfig config = read_run_config(folder_ / "run.yaml");
    std::vector<ConfigProblem> problems;
    EXPECT_EQ(parse_run_config(write_run_config(config), "again", {}, problems), config);
    EXPECT_TRUE(problems.empty());
    EXPECT_EQ(write_run_config(RunConfig{}).find("tune"), std::string::npos);
}

TEST_F(Tuning, GridFindsTheBestAndConfirmsIt) {
    const TuneSpace space = space_of(std::string(three_axes) + "  search: grid\n");
    const TuneProgress progress = search(space, made_up);
    EXPECT_FALSE(progress.next);
    EXPECT_EQ(progress.best, TunePoint({2, 2, 1}));
    const Trials done = trials(space);
    EXPECT_EQ(done.size(), 48u * 2 + 2 * 5);
    const auto ratios = confirmed_ratios(progress.best, done);
    ASSERT_EQ(ratios.size(), 5u);
    EXPECT_DOUBLE_EQ(ratios[0], 8.0 / 3);
    EXPECT_EQ(point_times(done).front().point, progress.best);
}

TEST_F(Tuning, OneByOneFindsTheSameWithFewerTrials) {
    const TuneSpace space = space_of(std::string(three_axes) + "  search: one_by_one\n");
    EXPECT_EQ(search(space, made_up).best, TunePoint({2, 2, 1}));
    EXPECT_LT(trials(space).size(), 45u);
}

TEST_F(Tuning, GoesOnWhereItWasInterrupted) {
    const TuneSpace space = space_of(three_axes);
    const TuneProgress half = search(space, made_up, 20);
    ASSERT_TRUE(half.next);
    EXPECT_EQ(trials(space).size(), 20u);
    std::ofstream(folder_ / "trials.txt", std::ios::app) << "{\"kind\": \"search\", \"po";  // cut off
    EXPECT_EQ(tune_progress(space, tune_, trials(space)).next, half.next);
    EXPECT_EQ(search(space, made_up).best, TunePoint({2, 2, 1}));
    const Trials done = trials(space);
    for (std::size_t i = 0; i < done.size(); ++i) {
        for (std::size_t k = 0; k < i; ++k) EXPECT_FALSE(done.all()[i].trial == done.all()[k].trial);
    }
}

TEST_F(Tuning, DoesNotMixTrialsOfDifferentRuns) {
    const TuneSpace space = space_of(three_axes);
    trials(space);
    EXPECT_THROW(Trials(folder_ / "trials.txt", "trials of 2", space), Error);
}

TEST_F(Tuning, PassesOverWhatFails) {
    const TuneSpace space = space_of(std::string(three_axes) + "  search: grid\n");
    int failures = 0;
    const TuneProgress progress = search(space, [&](const TunePoint& p) {
        if (p[0] != 2) return made_up(p);
        ++failures;
        return TrialOutcome{0, 0.1, "exit code 4: no \"memory\""};
    });
    EXPECT_EQ(failures, 12);  // once each
    EXPECT_NE(progress.best[0], 2u);
    EXPECT_EQ(point_times(trials(space)).back().failure, "exit code 4: no \"memory\"");
}

TEST_F(Tuning, KeepsTheRunFileWhereNothingIsFaster) {
    const TuneSpace space = space_of(three_axes);
    const auto slower = [](const TunePoint& p) {
        return TrialOutcome{1.0 + static_cast<double>(std::accumulate(p.begin(), p.end(), std::size_t{0})), 1,
                            ""};
    };
    const TuneProgress progress = search(space, slower);
    EXPECT_EQ(progress.best, space.as_in_the_run_file());
    EXPECT_TRUE(confirmed_ratios(progress.best, trials(space)).empty());
}

TEST_F(Tuning, ReportsSayWhatWasFound) {
    TuneReport report;
    report.title = "Tuning <run>";
    report.space = space_of(std::string(three_axes) + "  search: grid\n");
    report.tune = tune_;
    report.best = search(report.space, made_up).best;
    const Trials done = trials(report.space);
    report.times = point_times(done);
    report.ratios = confirmed_ratios(report.best, done);
    report.is_complete = true;
    EXPECT_NE(report.verdict().find("2.67 x as fast"), std::string::npos) << report.verdict();
    report.ratios = {1.2, 0.9, 1.1};
    EXPECT_TRUE(report.verdict().starts_with("No clear gain: 1.1 x")) << report.verdict();
    write_tune_report(folder_, report);
    std::ifstream table(folder_ / "table.csv");
    std::string header, best;
    std::getline(table, header);
    std::getline(table, best);
    EXPECT_EQ(header,
              "runtime.scheduler,tiling.batch_size,tiling.tiles,median_s,least_s,most_s,repetitions,failure");
    EXPECT_EQ(best, "eager,20,\"[1, 2]\",3,3,3,2,");
    std::ifstream page(folder_ / "index.html");
    const std::string html(std::istreambuf_iterator<char>(page), {});
    EXPECT_NE(html.find("Tuning &lt;run&gt;"), std::string::npos);
}

}  // namespace
}  // namespace tessera
