// Engines that project exit waves, as graphs: the same bits whatever the schedule, the answer of the whole on
// any tiles, exit waves on a disk, what is averaged and centred.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.hpp"
#include "support/small_run.hpp"

namespace tessera::test {
namespace {

// Several turns of object and probe in most iterations, and none of the extras left out.
EngineConfig busy(EngineName name) {
    EngineConfig engine;
    engine.name = name;
    engine.num_iter = 7;
    engine.projection.overlap_max_iterations = 3;
    engine.projection.overlap_converge_factor = 0.1;
    engine.projection.average_last = 0.3;
    engine.projection.clip_object = {0.5, 1.1};
    return engine;
}

class ProjectionsTest : public testing::Test {
  protected:
    ProjectionsTest() : config_(scan_.run_config()) { config_.probe.num_modes = 2; }
    SmallScan scan_{far_field_scan()};
    RunConfig config_;
};

TEST_F(ProjectionsTest, GiveTheSameBitsWithAnySchedule) {
    for (const EngineName name : {EngineName::DM, EngineName::AP}) {
        config_ = scan_.run_config();
        config_.engines = {busy(name)};
        config_.engines[0].projection.update_object_first = name == EngineName::DM;
        const Outcome reference = run(config_);
        ASSERT_EQ(reference.result.cost.size(), 7U);
        ASSERT_LT(reference.result.final_cost, reference.result.cost.front());
        config_.runtime.cpus = most_workers();
        for (const char* scheduler : {"eager", "lws", "dmdas"}) {
            for (const int ahead : {1, 10}) {
                SCOPED_TRACE(testing::Message() << scheduler << ", submit_ahead " << ahead);
                config_.runtime.scheduler = scheduler;
                config_.runtime.submit_ahead = ahead;
                expect_bitwise_equal(run(config_, {.num_out_slots = 1 + static_cast<std::size_t>(ahead) % 3}),
                                     reference);
            }
        }
    }
}

struct TilesCase {
    const char* name;
    EngineName engine;
    Propagation propagation;
    Interpolation interpolation;
    Exchange exchange;
};

class ProjectionTiles : public testing::TestWithParam<TilesCase> {};

TEST_P(ProjectionTiles, GiveTheAnswerOfTheWhole) {
    const SmallScan scan(GetParam().propagation == Propagation::far_field ? far_field_scan()
                                                                          : near_field_scan());
    RunConfig config = scan.run_config();
    config.engines = {busy(GetParam().engine)};
    config.positions.interpolation = GetParam().interpolation;
    config.tiling.exchange = GetParam().exchange;
    config.tiling.tiles = {1, 1};
    const Outcome whole = run(config);
    for (const auto& [rows, columns] : {std::pair{2, 2}, {3, 4}, {1, 5}}) {
        SCOPED_TRACE(testing::Message() << rows << " x " << columns);
        config.tiling.tiles = {rows, columns};
        const Outcome tiled = run(config);
        constexpr double rounding_bound = 3e-5;
        EXPECT_LT(relative_difference(tiled.result.object, whole.result.object), rounding_bound);
        EXPECT_LT(relative_difference(tiled.probe, whole.probe), rounding_bound);
        for (std::size_t n = 0; n < whole.result.cost.size(); ++n) {
            EXPECT_NEAR(tiled.result.cost[n] / whole.result.cost[n], 1, rounding_bound) << "iteration " << n;
        }
        expect_equal_overlaps(tiled);
    }
}

INSTANTIATE_TEST_SUITE_P(
    All, ProjectionTiles,
    testing::Values(TilesCase{"dm_far_fourier", EngineName::DM, Propagation::far_field,
                              Interpolation::fourier, Exchange::neighbours},
                    TilesCase{"raar_far_nearest_passes", EngineName::RAAR, Propagation::far_field,
                              Interpolation::nearest, Exchange::passes},
                    TilesCase{"ap_near_bilinear", EngineName::AP, Propagation::near_field,
                              Interpolation::bilinear, Exchange::neighbours}),
    [](const auto& chosen) { return std::string(chosen.param.name); });

// The first turn ends the overlap projection when the probe hardly has to change: more of them are as none.
TEST_F(ProjectionsTest, EndTheirTurnsWhenTheProbeHardlyChanges) {
    config_.engines = {busy(EngineName::DM)};
    config_.engines[0].projection.overlap_converge_factor = 1e6;
    config_.engines[0].projection.overlap_max_iterations = 1;
    const Outcome once = run(config_);
    config_.engines[0].projection.overlap_max_iterations = 6;
    expect_bitwise_equal(run(config_), once);
    config_.engines[0].projection.overlap_converge_factor = 0;
    EXPECT_GT(relative_difference(run(config_).probe, once.probe), 1e-4);
}

// A cost less often is told again until the next; the waves do not notice.
TEST_F(ProjectionsTest, CountTheCostAsOftenAsAsked) {
    config_.engines = {busy(EngineName::DM)};
    const Outcome always = run(config_);
    config_.engines[0].projection.cost_interval = 3;
    const Outcome seldom = run(config_);
    EXPECT_EQ(relative_difference(seldom.result.object, always.result.object), 0);
    for (std::size_t n = 0; n < always.reports.size(); ++n)
        EXPECT_EQ(seldom.reports[n].cost, always.reports[n / 3 * 3].cost) << n;
    EXPECT_EQ(seldom.result.final_cost, always.result.final_cost);
}

// In the first iteration there is nothing to go on from: the waves are P O, whatever an engine left behind.
TEST_F(ProjectionsTest, BeginAfresh) {
    EngineConfig dm = busy(EngineName::DM), cg;
    cg.num_iter = 3;
    config_.engines = {cg, dm, cg};
    config_.runtime.waves = Waves::recompute;
    const Outcome recomputed = run(config_);
    EXPECT_NEAR(recomputed.reports[3].cost, recomputed.result.cost[2], 1e-5 * recomputed.result.cost[2]);
    EXPECT_NEAR(recomputed.reports[10].cost, recomputed.result.cost[9], 1e-5 * recomputed.result.cost[9]);
    EXPECT_LT(recomputed.result.final_cost, recomputed.reports[10].cost);
    config_.runtime.waves = Waves::keep;  // which share their memory with the exit waves
    EXPECT_LT(relative_difference(run(config_).result.object, recomputed.result.object), 1e-4);
}

double centre_of_mass_x(const Array<cfloat, 3>& probe) {
    double sum = 0, moment = 0;
    for (std::ptrdiff_t i = 0; i < probe.size(); ++i) {
        const auto power = static_cast<double>(norm(probe[i]));
        sum += power;
        moment += power * static_cast<double>(i % probe.extent(2) - probe.extent(2) / 2);
    }
    return moment / sum;
}

// A probe that is off its window's centre by some pixels comes back, its cost with it.
TEST_F(ProjectionsTest, BringTheProbeBackToTheCentre) {
    config_.engines = {busy(EngineName::DM)};
    config_.positions.interpolation = Interpolation::nearest;
    config_.engines[0].projection.average_last = 0;
    config_.engines[0].projection.clip_object.reset();
    const Outcome plain = run(config_);
    config_.engines[0].projection.probe_center_tol = 1e-3;
    const Outcome centred = run(config_);
    const double before = centre_of_mass_x(plain.probe), after = centre_of_mass_x(centred.probe);
    EXPECT_LT(std::abs(after), 0.5 + 1e-6);
    EXPECT_LE(std::abs(after), std::abs(before) + 0.5);
    EXPECT_NEAR(centred.result.final_cost / plain.result.final_cost, 1, 0.2);
    config_.tiling.tiles = {1, 1};
    EXPECT_LT(relative_difference(run(config_).probe, centred.probe), 1e-4);
}

TEST_F(ProjectionsTest, AreRefusedWhereTheyCannotWork) {
    const SmallScan near(near_field_scan());
    RunConfig config = near.run_config();
    config.engines = {busy(EngineName::RAAR)};
    config.engines[0].projection.probe_center_tol = 1;
    EXPECT_THROW(run(config), Error);
}

TEST(ExitWavesOnDisk, GiveTheSameBits) {
    SimulationConfig simulation = far_field_scan();
    simulation.detector.shape = {64, 64};
    simulation.scan.grid = {9, 9};
    const SmallScan scan(simulation);
    RunConfig config = scan.run_config();
    config.engines = {busy(EngineName::DM)};
    config.engines[0].num_iter = 4;
    config.probe.num_modes = 3;
    config.runtime.cpus = most_workers();
    const Outcome reference = run(config);
    config.runtime.memory_limit_host_bytes = reference.problem.memory.total_bytes() - (3u << 20);
    EXPECT_THROW(run(config), Error);
    config.runtime.disk = std::filesystem::path(config.scan.file).parent_path() / "waves";
    const Outcome outcome = run(config);
    EXPECT_TRUE(outcome.problem.waves_memory_bytes.has_value());
    expect_bitwise_equal(outcome, reference);

    config.runtime.operations = Operations::staged;
    *config.runtime.memory_limit_host_bytes += residual_bytes(largest_batch(reference.problem)) *
                                               static_cast<std::size_t>(num_out_slots(most_workers()));
    const Outcome staged = run(config);
    EXPECT_TRUE(staged.problem.waves_memory_bytes.has_value());
    expect_bitwise_equal(staged, reference);
}

}  // namespace
}  // namespace tessera::test
