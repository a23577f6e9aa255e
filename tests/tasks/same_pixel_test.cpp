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
    static SmallScan bright([] {
        SimulationConfig config = jittered_scan(9);
        config.probe.photons_per_frame = 1e8;
        return config;
    }());
    return bright;
}

// Of the object against the truth, in pixels.
double shift_of(const Result& result) {
    constexpr std::ptrdiff_t margin = 10;  // for what is shifted in from outside
    const auto [found, truth] = where_windows_centre(result, scan().truth(), margin);
    Array<float, 2> region(found.extents());
    for (std::ptrdiff_t y = margin; y < region.extent(0) - margin; ++y)
        for (std::ptrdiff_t x = margin; x < region.extent(1) - margin; ++x) region(y, x) = 1;
    const ObjectComparison comparison = compare_objects(found, truth, region, true);
    EXPECT_LT(comparison.error, 0.2);
    return std::hypot(comparison.alignment.shift_px[0], comparison.alignment.shift_px[1]);
}

// The probe is known, and stays: an object that is elsewhere does not explain the data.
RunConfig with_the_true_probe() {
    RunConfig config = scan().run_config();
    config.probe.initial = InitialProbe::file;
    config.probe.rescale = false;
    config.probe.update.start = 1000;
    config.engines[0].projection.fourier_relax_factor = 0.01;  // all frames count
    config.runtime.cpus = most_workers();
    return config;
}

struct EngineCase {
    const char* name;
    EngineName engine;
    double bound_px;  // projections hover about the solution
    int num_iter = 150;
};
void PrintTo(const EngineCase& c, std::ostream* stream) {
    *stream << c.name;
}
class SamePixel : public testing::TestWithParam<EngineCase> {};

TEST_P(SamePixel, IsWhereEveryEngineHasTheObject) {
    RunConfig config = with_the_true_probe();
    config.engines[0].name = GetParam().engine;
    config.engines[0].num_iter = GetParam().num_iter;
    EXPECT_LT(shift_of(run(config).result), GetParam().bound_px);
    // Frames at whole pixels, rounded without a bias.
    config.positions.interpolation = Interpolation::nearest;
    EXPECT_LT(shift_of(run(config).result), 0.05 + 3 * GetParam().bound_px);
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
    testing::Values(EngineCase{"cg", EngineName::CG, 0.01}, EngineCase{"gd", EngineName::GD, 0.01, 300},
                    EngineCase{"dm", EngineName::DM, 0.1}, EngineCase{"raar", EngineName::RAAR, 0.1},
                    EngineCase{"ap", EngineName::AP, 0.1}, EngineCase{"epie", EngineName::ePIE, 0.1},
                    EngineCase{"rpie", EngineName::rPIE, 0.01}, EngineCase{"mpie", EngineName::mPIE, 0.01},
                    EngineCase{"lsqml", EngineName::LSQML, 0.01}),
    [](const auto& chosen) { return std::string(chosen.param.name); });

TEST(Handover, LeavesTheObjectOnItsPixels) {
    RunConfig config = with_the_true_probe();
    config.engines.clear();
    for (const EngineName name : {EngineName::DM, EngineName::rPIE, EngineName::CG, EngineName::RAAR}) {
        config.engines.push_back({.name = name, .num_iter = 20});
        config.engines.back().projection.fourier_relax_factor = 0.01;
        EXPECT_LT(shift_of(run(config).result), 0.1) << "after " << config.engines.size() << " engines";
    }
}

}  // namespace
}  // namespace tessera::test
