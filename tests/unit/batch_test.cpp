// The jobs of a batch: what they are called, what they set, what is left of them.
#include <gtest/gtest.h>

#include <fstream>

#include "base/error.hpp"
#include "batch/batch_jobs.hpp"
#include "batch/batch_table.hpp"
#include "io/csv.hpp"

namespace tessera {
namespace {

using Texts = std::vector<std::string>;

class BatchFiles : public ::testing::Test {
  protected:
    void SetUp() override {
        std::filesystem::remove_all(folder_);
        std::filesystem::create_directories(folder_);
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    std::filesystem::path write(const std::string& name, const std::string& text) const {
        std::ofstream(folder_ / name) << text;
        return folder_ / name;
    }
    Texts names(const std::string& text) const {
        Texts found;
        for (const BatchJob& job : batch_plan(write("batch.yaml", text), {}, "out").jobs)
            found.push_back(job.name);
        return found;
    }

    std::filesystem::path folder_ = std::filesystem::path(::testing::TempDir()) /
                                    ::testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(BatchFiles, JobsAreCalledAfterWhatTellsThemApart) {
    EXPECT_EQ(names("run: run.yaml"), (Texts{"run"}));
    EXPECT_EQ(names("{run: run.yaml, vary: {probe.num_modes: [1, 2], tiling.tiles: [[1, 1], [2, 3]]}}"),
              (Texts{"run_num_modes=1_tiles=_1_1", "run_num_modes=1_tiles=_2_3", "run_num_modes=2_tiles=_1_1",
                     "run_num_modes=2_tiles=_2_3"}));
    EXPECT_EQ(
        names("{run: run.yaml, jobs: [{set: {scan.file: ../a b.cxi, probe.num_modes: 2}}, {run: other.yaml},"
              " {run: third.yaml, set: {scan.file: c.cxi}}, {name: 'ä 1'}]}"),
        (Texts{"a_b_num_modes=2", "other", "third_c", "ä 1"}));
}

TEST_F(BatchFiles, ScansAreAJobEachInTheirOrder) {
    for (const char* name : {"b.cxi", "a.cxi", "c.h5"}) write(name, "");
    const auto plan =
        batch_plan(write("batch.yaml", "{run: run.yaml, scans: '*.cxi', at_once: 3}"), {"x.y=1"}, "out");
    ASSERT_EQ(plan.jobs.size(), 2u);
    EXPECT_EQ(plan.at_once, 3);
    EXPECT_EQ(plan.jobs[0].name, "a");
    EXPECT_EQ(plan.jobs[0].run_file, folder_ / "run.yaml");
    EXPECT_EQ(plan.jobs[0].result, "out/a.h5");
    EXPECT_EQ(plan.jobs[0].overrides, (Texts{"x.y=1", "scan.file=" + (folder_ / "a.cxi").string()}));
}

TEST_F(BatchFiles, JobsOfOneNameAreRefused) {
    EXPECT_THROW(names("{run: run.yaml, jobs: [{}, {}]}"), Error);
    EXPECT_THROW(names("{run: run.yaml, vary: {probe.num_modes: [1, 1]}}"), Error);
}

TEST_F(BatchFiles, WhatIsLeftFollowsFromHowItEnded) {
    const BatchJob job = {"a", folder_ / "run.yaml", {}, folder_ / "a.h5"};
    EXPECT_EQ(look_at_job_before(job).remaining, Remaining::all);
    const auto after = [&](const char* state, int exit_code) {
        write("a.job",
              fmt::format(R"({{"tessera_job": 1, "state": "{}", "exit_code": {}}})", state, exit_code));
        return look_at_job_before(job).remaining;
    };
    EXPECT_EQ(after("running", 0), Remaining::the_rest);  // nobody holds the lock: killed
    EXPECT_EQ(after("stopped", 75), Remaining::the_rest);
    EXPECT_EQ(after("failed", 4), Remaining::the_rest);
    for (const int exit_code : {2, 3, 5}) EXPECT_EQ(after("failed", exit_code), Remaining::all);
    EXPECT_EQ(after("done", 0), Remaining::all);  // the result is gone
    write("a.job", "somebody else's");
    EXPECT_EQ(look_at_job_before(job).remaining, Remaining::all);
}

TEST(Csv, QuotesWhatItMust) {
    EXPECT_EQ(csv_field("plain words"), "plain words");
    EXPECT_EQ(csv_field("a,b"), "\"a,b\"");
    EXPECT_EQ(csv_field("say \"no\"\nor"), "\"say \"\"no\"\"\nor\"");
}

}  // namespace
}  // namespace tessera
