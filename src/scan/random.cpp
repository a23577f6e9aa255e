#include "scan/random.hpp"

#include <cmath>
#include <numbers>

namespace tessera {

namespace {

// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): neighbouring seeds become unrelated ones.
std::uint64_t mixed(std::uint64_t value) {
    value += 0x9e3779b97f4a7c15U;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31);
}

// Where rejection becomes cheaper than adding up probabilities, and its constants are valid.
constexpr double smallest_mean_of_rejection = 10;

}  // namespace

Random::Random(std::uint64_t seed, std::uint64_t stream) : engine_(mixed(mixed(seed) ^ mixed(~stream))) {}

double Random::uniform() {
    return static_cast<double>(engine_() >> 11) * 0x1p-53;
}

double Random::uniform(double least, double largest) {
    return least + (largest - least) * uniform();
}

double Random::normal() {
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));  // Box and Muller
    return radius * std::cos(2 * std::numbers::pi * uniform());
}

std::int64_t Random::poisson(double mean) {
    if (!(mean > 0)) return 0;
    return mean < smallest_mean_of_rejection ? poisson_by_inversion(mean) : poisson_by_rejection(mean);
}

std::int64_t Random::poisson_by_inversion(double mean) {
    const double u = uniform();
    double probability = std::exp(-mean);
    double sum = probability;
    std::int64_t count = 0;
    // The bound is never reached by chance: it ends the loop when rounding keeps the sum below u.
    while (u > sum && count < 200) {
        ++count;
        probability *= mean / static_cast<double>(count);
        sum += probability;
    }
    return count;
}

// Transformed rejection with squeeze: PTRS of W. Hoermann, Insurance: Mathematics and Economics 12 (1993) 39.
std::int64_t Random::poisson_by_rejection(double mean) {
    const double b = 0.931 + 2.53 * std::sqrt(mean);
    const double a = -0.059 + 0.02483 * b;
    const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
    const double squeeze = 0.9277 - 3.6224 / (b - 2);
    const double log_mean = std::log(mean);
    while (true) {
        const double u = uniform() - 0.5;
        const double v = uniform();
        const double u_edge = 0.5 - std::abs(u);
        const double count = std::floor((2 * a / u_edge + b) * u + mean + 0.43);
        if (u_edge >= 0.07 && v <= squeeze) return static_cast<std::int64_t>(count);
        if (count < 0 || (u_edge < 0.013 && v > u_edge)) continue;
        const double log_ratio = std::log(v * inverse_alpha / (a / (u_edge * u_edge) + b));
        if (log_ratio <= count * log_mean - mean - std::lgamma(count + 1))
            return static_cast<std::int64_t>(count);
    }
}

}  // namespace tessera
