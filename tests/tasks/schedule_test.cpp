// The answer does not depend on the schedule: to the last bit the same object, probe and costs whatever the
// scheduler, the number of workers, how far the host runs ahead and how many batches may be in flight.
#include <gtest/gtest.h>

#include <algorithm>

#include "support/small_run.hpp"

namespace tessera::test {
namespace {

class Schedule : public testing::TestWithParam<Waves> {
  protected:
    Schedule() {
        config_ = scan_.run_config();
        config_.runtime.waves = GetParam();
    }
    SmallScan scan_{far_field_scan()};
    RunConfig config_;
};

TEST_P(Schedule, OfAnySchedulerAndWorkersGivesTheSameBits) {
    const Outcome reference = run(config_);
    ASSERT_EQ(reference.result.cost.size(), 8U);
    EXPECT_LT(reference.result.cost.back(), 0.7 * reference.result.cost.front());  // something has happened
    for (const char* scheduler : {"eager", "lws", "prio", "dmdas"}) {
        for (int workers = 1; workers <= most_workers(); ++workers) {
            SCOPED_TRACE(testing::Message() << scheduler << ", " << workers << " workers");
            config_.runtime.scheduler = scheduler;
            config_.runtime.cpus = workers;
            expect_bitwise_equal(run(config_), reference);
        }
    }
}

TEST_P(Schedule, OfAnySubmitAheadGivesTheSameBits) {
    config_.runtime.cpus = most_workers();
    const Outcome reference = run(config_);
    for (const int ahead : {1, 2, 10}) {
        SCOPED_TRACE(testing::Message() << "submit_ahead " << ahead);
        config_.runtime.submit_ahead = ahead;
        expect_bitwise_equal(run(config_), reference);
    }
}

TEST_P(Schedule, OfAnyNumberOfBatchesInFlightGivesTheSameBits) {
    config_.runtime.cpus = most_workers();
    config_.tiling.tiles = {1, 2};
    config_.tiling.batch_size = 2;
    const Outcome reference = run(config_);
    for (const std::size_t slots : {1, 2, 5}) {
        SCOPED_TRACE(testing::Message() << slots << " slots");
        expect_bitwise_equal(run(config_, {.num_out_slots = slots}), reference);
    }
}

INSTANTIATE_TEST_SUITE_P(Waves, Schedule, testing::Values(Waves::keep, Waves::recompute),
                         [](const auto& chosen) {
                             return chosen.param == Waves::keep ? "kept" : "recomputed";
                         });

TEST(ScheduleOfTwoEngines, GivesTheSameBits) {
    SmallScan scan(near_field_scan());
    RunConfig config = scan.run_config();
    config.engines[0].name = EngineName::GD;
    config.engines[0].num_iter = 4;
    config.engines.push_back({.name = EngineName::CG, .num_iter = 4, .noise_model = NoiseModel::poisson});
    config.runtime.waves = Waves::keep;
    const Outcome reference = run(config);
    config.runtime.scheduler = "lws";
    config.runtime.cpus = most_workers();
    config.runtime.submit_ahead = 1;
    expect_bitwise_equal(run(config), reference);
}

}  // namespace
}  // namespace tessera::test
