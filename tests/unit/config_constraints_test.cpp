#include <gtest/gtest.h>

#include <string>

#include "config/same_run.hpp"
#include "config_texts.hpp"

// What is known of object and probe, and what is taken off results.
namespace tessera {
namespace {

std::string constraints(const std::string& keys) {
    return with_scan("object: {constraints: {" + keys + "}}\n");
}

TEST(RunFile, ObjectsAreConstrained) {
    const auto read = run_of(constraints("amplitude: [0.5, 1], phase_rad: [-1, 0], smoothing: 0.1, "
                                         "total_variation: 0.01, start: 5, interval: 2"))
                          .object.constraints;
    EXPECT_EQ(read.amplitude, (std::array<double, 2>{0.5, 1}));
    EXPECT_EQ(read.phase_rad, (std::array<double, 2>{-1, 0}));
    EXPECT_TRUE(read.has_limits() && read.has_neighbours());
    EXPECT_FALSE(run_of(scan_line).object.constraints.is_any());
    const std::string key = "run.yaml:2: object.constraints.";
    expect_problem(constraints("amplitude: [1, 0.5]"),
                   key + "amplitude: the least must not exceed the largest, which must be above 0");
    expect_problem(constraints("amplitude: [0, 0]"),
                   key + "amplitude: the least must not exceed the largest, which must be above 0");
    expect_problem(constraints("amplitude: [-1, 1]"),
                   key + "amplitude: -1 is out of range (allowed: at least 0)");
    expect_problem(constraints("amplitude: 1"), key + "amplitude: expected a list of two values, got '1'");
    expect_problem(constraints("phase_rad: [0, 0]"), key + "phase_rad: the first must be below the second");
    expect_problem(constraints("phase_rad: [-4, 0]"),
                   key +
                       "phase_rad: -4 is out of range (allowed: at least -3.141592653589793, at most "
                       "3.141592653589793)");
    expect_problem(constraints("smoothing: 1.1"),
                   key + "smoothing: 1.1 is out of range (allowed: at least 0, at most 1)");
    expect_problem(constraints("total_variation: -1"),
                   key + "total_variation: -1 is out of range (allowed: at least 0, at most 10)");
    expect_problem(constraints("smoothing: 0.1, interval: 0"),
                   key + "interval: 0 is out of range (allowed: at least 1)");
    expect_problem(
        constraints("amplitude: [0.5, 1]") + "runtime: {mixed: on}\n",
        "run.yaml:3: runtime.mixed: must be off with limits in object.constraints: tiles that overlap "
        "are limited alike by one kind of device alone");
    expect_problem(constraints("start: 3"), key +
                                                "start: has no meaning here (only for amplitude, phase_rad, "
                                                "smoothing or total_variation)");
}

TEST(RunFile, ProbesHaveASupport) {
    const auto support = [](const std::string& keys) {
        return with_scan("probe: {support: {" + keys + "}}\n");
    };
    const auto read = run_of(support("radius: 0.5, fourier_radius: 0.3, interval: 2")).probe.support;
    EXPECT_EQ(read.radius, 0.5);
    EXPECT_EQ(read.fourier_radius, 0.3);
    EXPECT_EQ(read.interval, 2);
    expect_problem(support("radius: 0"),
                   "run.yaml:2: probe.support.radius: 0 is out of range (allowed: above 0, at most 2)");
    expect_problem(
        support("fourier_radius: 3"),
        "run.yaml:2: probe.support.fourier_radius: 3 is out of range (allowed: above 0, at most 2)");
    expect_problem(
        support("interval: 2"),
        "run.yaml:2: probe.support.interval: has no meaning here (only for radius or fourier_radius)");
    expect_problem(support("radius: 0.5") + "engines: [{name: DM, probe_support_radius: 0.4}]\n",
                   "run.yaml:3: engines[0].probe_support_radius: is what probe.support.radius says for all "
                   "engines; give one of them");
    run_of(support("fourier_radius: 0.5") + "engines: [{name: DM, probe_support_radius: 0.4}]\n");
    expect_problem(support("fourier_radius: 0.5") + "runtime: {mixed: on}\n",
                   "run.yaml:2: probe.support.fourier_radius: needs runtime.mixed: off, for all ranks must "
                   "transform the probe alike, to the last bit");
}

TEST(RunFile, ResultsAreWithoutRamps) {
    const auto output = [](const std::string& keys) { return with_scan("output: {" + keys + "}\n"); };
    const auto read = run_of(output("remove_ramp: true, flat_region: [3, 9, 10, 30]")).output;
    EXPECT_TRUE(read.remove_ramp);
    EXPECT_EQ(read.flat_region, (std::array<int, 4>{3, 9, 10, 30}));
    const std::string key = "run.yaml:2: output.flat_region: ";
    expect_problem(output("flat_region: [3, 9]"), key + "expected a list of four values, got a list of 2");
    expect_problem(output("flat_region: [3, 9, 10, -30]"), key + "-30 is out of range (allowed: at least 0)");
    for (const char* region : {"[3, 3, 10, 30]", "[3, 9, 30, 10]", "[3, 9, 30, 31]"}) {
        expect_problem(output(std::string("flat_region: ") + region),
                       key +
                           "must be [y0, y1, x0, x1] with y1 and x1 at least 2 above y0 and x0 (which count, "
                           "y1 and x1 do not)");
    }
}

// A run may go on with them changed, but what a result holds is another.
TEST(RunFile, RampsAreTakenOffAtTheEnd) {
    const RunConfig plain = run_of(scan_line), flat = run_of(with_scan("output: {remove_ramp: true}\n"));
    EXPECT_TRUE(keys_against_going_on(plain, flat, 0).empty());
    EXPECT_EQ(keys_of_another_result(plain, flat), Texts{"output.remove_ramp"});
    EXPECT_EQ(keys_against_going_on(plain, run_of(constraints("smoothing: 0.1")), 0).size(), 3U);
}

}  // namespace
}  // namespace tessera
