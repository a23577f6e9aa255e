// Every engine puts the object on the pixels where it is: no shift by half a pixel, no drift, also from one
// engine to the next.
#include <gtest/gtest.h>

#include <cmath>
#include <ostream>

#include "quality/alignment.hpp"
#include "support/small_run.hpp"

namespace tessera::test {
namespace {

SmallScan& scan() {
    static SmallScan jittered(jittered_scan(9));
    return jittered;
}

// Of the object against the truth, in pixels.
double shift_of(const Result& result) {
    const auto [found, truth] = where_windows_centre(result, scan().truth());
    Array<float, 2> everywhere(found.extents());
    for (std::ptrdiff_t i = 0; i < everywhere.size(); ++i) everywhere[i] = 1;
    const ObjectComparison comparison = compare_objects(found, truth, everywhere, true);
    EXPECT_LT(comparison.error, 0.2);
    return std::hypot(comparison.alignment.shift_px[0], comparison.alignment.shift_px[1]);
}

// The probe is known, and stays: an object that is elsewhere does not explain the data.
RunConfig with_the_true_probe() {
    RunConfig config = scan().run_config();
    config.probe.initial = InitialProbe::file;
    config.probe.rescale = false;
    config.probe.update.start = 1000;
    config.engines[0].num_iter = 60;
    config.runtime.cpus = most_workers();
    return config;
}

struct EngineCase {
    const char* name;
    EngineName engine;
    int num_iter = 60;
};
void PrintTo(const EngineCase& c, std::ostream* stream) {
    *stream << c.name;
}
class SamePixel : public testing::TestWithParam<EngineCase> {};

TEST_P(SamePixel, IsWhereEveryEngineHasTheObject) {
    RunConfig config = with_the_true_probe();
    config.engines[0].name = GetParam().engine;
    config.engines[0].num_iter = GetParam().num_iter;
    EXPECT_LT(shift_of(run(config).result), 0.02);
    config.positions.interpolation =
        Interpolation::nearest;  // frames at whole pixels, rounded without a bias
    EXPECT_LT(shift_of(run(config).result), 0.1);
}

// Object and probe could move together; from a guess in the middle of its window they do not.
TEST_P(SamePixel, IsKeptWhileTheProbeMoves) {
    RunConfig config = with_the_true_probe();
    config.engines[0].name = GetParam().engine;
    config.engines[0].num_iter = GetParam().num_iter;
    config.probe.initial = InitialProbe::from_data;
    config.probe.update.start = 2;
    EXPECT_LT(shift_of(run(config).result), 0.3);
}

INSTANTIATE_TEST_SUITE_P(
    Engines, SamePixel,
    testing::Values(EngineCase{"cg", EngineName::CG}, EngineCase{"gd", EngineName::GD, 120},
                    EngineCase{"dm", EngineName::DM}, EngineCase{"raar", EngineName::RAAR},
                    EngineCase{"ap", EngineName::AP}, EngineCase{"epie", EngineName::ePIE},
                    EngineCase{"rpie", EngineName::rPIE}, EngineCase{"mpie", EngineName::mPIE},
                    EngineCase{"lsqml", EngineName::LSQML}),
    [](const auto& chosen) { return std::string(chosen.param.name); });

TEST(Handover, LeavesTheObjectOnItsPixels) {
    RunConfig config = with_the_true_probe();
    config.engines.clear();
    for (const EngineName name : {EngineName::DM, EngineName::rPIE, EngineName::CG, EngineName::RAAR}) {
        config.engines.push_back({.name = name, .num_iter = 20});
        EXPECT_LT(shift_of(run(config).result), 0.02) << "after " << config.engines.size() << " engines";
    }
}

}  // namespace
}  // namespace tessera::test
