// Operations in stages: to the last bit what fused ones make, by every engine, whatever the schedule; and
// priorities, which change nothing either.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <span>
#include <string_view>

#include "codelets/runtime/codelet.hpp"
#include "support/small_run.hpp"

namespace tessera::test {
namespace {

struct OperationsCase {
    const char* name;
    EngineName engine;
    std::function<void(RunConfig&, EngineConfig&)> change = [](RunConfig&, EngineConfig&) {};
    Propagation propagation = Propagation::far_field;
};

const OperationsCase operations_cases[] = {
    {"cg_two_modes", EngineName::CG, [](RunConfig& c, EngineConfig&) { c.probe.num_modes = 2; }},
    {"cg_near_bilinear_poisson", EngineName::CG,
     [](RunConfig& c, EngineConfig& e) {
         c.positions.interpolation = Interpolation::bilinear;
         e.noise_model = NoiseModel::poisson;
     },
     Propagation::near_field},
    {"cg_near_fixed_probe_first_gaussian", EngineName::CG,
     [](RunConfig& c, EngineConfig& e) {
         c.probe.update.start = 3;
         e.noise_model = NoiseModel::gaussian;
     },
     Propagation::near_field},
    {"cg_nearest_passes", EngineName::CG,
     [](RunConfig& c, EngineConfig&) {
         c.positions.interpolation = Interpolation::nearest;
         c.tiling.exchange = Exchange::passes;
     }},
    {"cg_keeps_waves", EngineName::CG,
     [](RunConfig& c, EngineConfig&) {
         c.runtime.waves = Waves::keep;
         c.probe.num_modes = 2;
     }},
    {"cg_keeps_waves_fixed_probe_first", EngineName::CG,
     [](RunConfig& c, EngineConfig&) {
         c.runtime.waves = Waves::keep;
         c.probe.update.start = 3;
     }},
    {"cg_voxels", EngineName::CG, [](RunConfig& c, EngineConfig&) { c.tiling.exchange = Exchange::voxels; }},
    {"cg_modes_of_object_and_probe", EngineName::CG,
     [](RunConfig& c, EngineConfig&) {
         c.object.num_modes = 2;
         c.probe.num_modes = 2;
     }},
    {"cg_truncated", EngineName::CG,
     [](RunConfig& c, EngineConfig&) {
         c.tiling.tiles = {3, 3};
         c.tiling.halo_m = 6;  // in pixels here
     }},
    {"cg_point_spread_small_probe", EngineName::CG,
     [](RunConfig& c, EngineConfig&) {
         c.detector.blur_sigma_px = 0.7;
         c.probe.size = {20, 26};
     }},
    {"cg_upsampled", EngineName::CG, [](RunConfig& c, EngineConfig&) { c.detector.upsampling = 2; }},
    {"cg_refines_positions_and_background", EngineName::CG,
     [](RunConfig& c, EngineConfig& e) {
         c.positions.max_shift_px = 3;
         c.detector.refine_background = {.start = 2, .interval = 2};
         e.refine_positions.emplace().start = 2;
     }},
    {"gd_varying_probe", EngineName::GD,
     [](RunConfig& c, EngineConfig&) {
         c.probe.variable = {.num_opr_modes = 2, .variable_intensity = true, .start = 1, .interval = 2};
     }},
    {"dm_two_modes", EngineName::DM,
     [](RunConfig& c, EngineConfig& e) {
         c.probe.num_modes = 2;
         e.projection.cost_interval = 2;
         e.projection.alpha = 0.7;
     }},
    {"dm_leaves_some_frames_alone", EngineName::DM,
     [](RunConfig&, EngineConfig& e) { e.projection.fourier_power_bound = 2; }},
    {"dm_modes_of_the_object_probe_first", EngineName::DM,
     [](RunConfig& c, EngineConfig& e) {
         c.object.num_modes = 2;
         e.projection.update_object_first = false;
     }},
    {"raar_near", EngineName::RAAR, [](RunConfig&, EngineConfig&) {}, Propagation::near_field},
    {"ap_bilinear", EngineName::AP,
     [](RunConfig& c, EngineConfig&) { c.positions.interpolation = Interpolation::bilinear; }},
    {"epie", EngineName::ePIE, [](RunConfig&, EngineConfig& e) { e.batching_mode = BatchingMode::random; }},
    {"rpie_two_modes", EngineName::rPIE, [](RunConfig& c, EngineConfig&) { c.probe.num_modes = 2; }},
    {"mpie_passes", EngineName::mPIE,
     [](RunConfig& c, EngineConfig&) { c.tiling.exchange = Exchange::passes; }},
    {"lsqml_momentum", EngineName::LSQML,
     [](RunConfig&, EngineConfig& e) { e.momentum_acceleration_gain = 0.5; }},
    {"lsqml_poisson_varying_probe", EngineName::LSQML,
     [](RunConfig& c, EngineConfig& e) {
         c.probe.variable = {.num_opr_modes = 1, .variable_intensity = true, .start = 1, .interval = 1};
         e.noise_model = NoiseModel::poisson;
     }},
    {"dm_before_a_varying_probe", EngineName::DM,
     [](RunConfig& c, EngineConfig&) {
         c.probe.variable = {.num_opr_modes = 1, .variable_intensity = true, .start = 1, .interval = 2};
         c.engines.push_back({.name = EngineName::CG, .num_iter = 3});
     }},
};

class OperationsTest : public testing::TestWithParam<OperationsCase> {
  protected:
    OperationsTest()
        : scan_(GetParam().propagation == Propagation::far_field ? far_field_scan() : near_field_scan()),
          config_(scan_.run_config()) {
        EngineConfig& engine = config_.engines[0];
        engine.name = GetParam().engine;
        engine.num_iter = 5;
        engine.minibatch_size = has_minibatches(engine.name) ? std::optional(9) : std::nullopt;
        RunConfig changed = config_;
        GetParam().change(changed, engine);
        changed.engines[0] = engine;
        config_ = changed;
        if (config_.tiling.halo_m) *config_.tiling.halo_m *= scan_.truth().pixel_size_m[0];
    }
    SmallScan scan_;
    RunConfig config_;
};

// Of the last run.
std::int64_t num_tasks(std::span<const std::string_view> codelets) {
    std::int64_t sum = 0;
    for (const CodeletStatistics* statistics : codelet_statistics())
        if (std::ranges::find(codelets, statistics->name) != codelets.end()) sum += statistics->tasks;
    return sum;
}

TEST_P(OperationsTest, InStagesGiveTheSameBits) {
    static constexpr std::string_view fused_ones[] = {"gradient", "gradient_keeping_waves", "line_search",
                                                      "line_search_keeping_waves", "fourier_projection"};
    static constexpr std::string_view stages[] = {"propagate"};
    reset_codelet_statistics();
    const Outcome fused = run(config_);
    EXPECT_GT(num_tasks(fused_ones), 0);
    EXPECT_EQ(num_tasks(stages), 0);
    EXPECT_LT(fused.result.final_cost, fused.reports.front().cost);  // something has happened
    config_.runtime.operations = Operations::staged;
    reset_codelet_statistics();
    expect_bitwise_equal(run(config_), fused);
    EXPECT_EQ(num_tasks(fused_ones), 0);
    EXPECT_GT(num_tasks(stages), 0);
    config_.runtime.cpus = most_workers();
    for (const char* scheduler : {"lws", "prio"}) {
        for (const std::size_t slots : {1, 3}) {
            SCOPED_TRACE(testing::Message() << scheduler << ", " << slots << " slots");
            config_.runtime.scheduler = scheduler;
            config_.runtime.priorities = slots == 1;
            config_.runtime.submit_ahead = static_cast<int>(slots);
            expect_bitwise_equal(run(config_, {.num_out_slots = slots}), fused);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Engines, OperationsTest, testing::ValuesIn(operations_cases),
                         [](const auto& chosen) { return std::string(chosen.param.name); });

}  // namespace
}  // namespace tessera::test
