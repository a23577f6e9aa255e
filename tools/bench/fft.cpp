// Time of one two-dimensional transform on one core: FFTW planned by timing against our own transform on
// every instruction set of this machine. Interleaved short repetitions with the data in cache; the least
// times.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <limits>

#include <hwy/highway.h>

#include "base/array.hpp"
#include "math/fft.hpp"

namespace {

using namespace tessera;

double now_us() {
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

// Microseconds of a transform, forward and backward in turn.
template <class Plan>
double time_of(const Plan& plan, Array<cfloat, 2>& wave, int transforms) {
    for (cfloat& value : wave) value = {0.5f, 0.25f};  // values stay finite
    plan.forward(wave.data());                         // data to cache
    const double begin = now_us();
    for (int t = 0; t < transforms; ++t) t % 2 == 0 ? plan.backward(wave.data()) : plan.forward(wave.data());
    return (now_us() - begin) / transforms;
}

struct OwnPlan {
    const char* target;
    std::unique_ptr<SimdFft> fft;
    double least_us = std::numeric_limits<double>::infinity();
};

std::vector<OwnPlan> own_plans(std::array<int, 2> shape) {
    const auto choose = [](std::int64_t targets) {
        hwy::SetSupportedTargetsForTest(targets);  // 0: as the machine is
        hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    };
    std::vector<OwnPlan> plans;
    for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
        choose(target);
        if (auto fft = make_simd_fft(shape)) plans.push_back({hwy::TargetName(target), std::move(fft)});
    }
    choose(0);
    return plans;
}

void measure(std::array<int, 2> shape, int repetitions) {
    const FftwPlan library(shape);
    auto plans = own_plans(shape);
    Array<cfloat, 2> wave({shape[0], shape[1]});
    const int transforms = std::max(2, static_cast<int>(3e5 / static_cast<double>(wave.size()))) / 2 * 2;
    double library_us = std::numeric_limits<double>::infinity();
    for (int repetition = 0; repetition < repetitions; ++repetition) {
        library_us = std::min(library_us, time_of(library, wave, transforms));
        for (OwnPlan& plan : plans)
            plan.least_us = std::min(plan.least_us, time_of(*plan.fft, wave, transforms));
    }
    fmt::print("{:5} {:5} {:10.2f}", shape[0], shape[1], library_us);
    for (const OwnPlan& plan : plans)
        fmt::print("   {} {:9.2f} {:6.2f}", plan.target, plan.least_us, library_us / plan.least_us);
    fmt::print("   {}\n", FftPlan(shape).is_own() ? "own" : "FFTW");
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<int> sizes = {32, 48, 64, 96, 100, 128, 192, 200, 256, 384, 512};
    int repetitions = 200, width = 0;
    CLI::App program("Two-dimensional transforms: FFTW against our own, on one core");
    program.add_option("--sizes", sizes, "Heights, and widths unless given");
    program.add_option("--width", width, "One width for all");
    program.add_option("--repetitions", repetitions, "Repetitions");
    CLI11_PARSE(program, argc, argv);
    fmt::print("{:>5} {:>5} {:>10}   own: us, FFTW / own{:>30}\n", "y", "x", "FFTW us", "chosen");
    for (const int size : sizes) measure({size, width > 0 ? width : size}, repetitions);
    return 0;
}
