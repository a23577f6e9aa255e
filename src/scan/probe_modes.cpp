#include "scan/probe_modes.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "scan/random.hpp"

namespace tessera {

namespace {

void scale(Wave& wave, double factor) {
    for (auto& value : wave) value = factor * value;
}

void remove_component(Wave& wave, const Wave& unit) {
    const cdouble overlap = inner_product(unit, wave);
    const cdouble minus_overlap{-overlap.re, -overlap.im};
    for (std::ptrdiff_t i = 0; i < wave.size(); ++i) wave[i] = mul_add(minus_overlap, unit[i], wave[i]);
}

// What `wave` has outside the span of the orthonormal `basis`, with unit power; empty where that is nothing
// but rounding.
Wave orthonormal_rest(Wave wave, const std::vector<Wave>& basis) {
    const double before = power(wave);
    if (!(before > 0)) return {};
    // Twice is enough: the second pass removes what rounding left in the first.
    for (int pass = 0; pass < 2; ++pass)
        for (const auto& unit : basis) remove_component(wave, unit);
    const double after = power(wave);
    if (!(after > 1e-12 * before)) return {};
    scale(wave, 1 / std::sqrt(after));
    return wave;
}

struct Spread {
    std::array<double, 2> centre = {0, 0};
    std::array<double, 2> width = {0, 0};  // standard deviation of the intensity, at least a pixel
};

Spread spread_of(const Wave& wave) {
    std::array<double, 2> first{}, second{};
    double total = 0;
    for (std::ptrdiff_t y = 0; y < wave.extent(0); ++y)
        for (std::ptrdiff_t x = 0; x < wave.extent(1); ++x) {
            const double weight = norm(wave(y, x));
            const std::array<double, 2> r = {static_cast<double>(y), static_cast<double>(x)};
            total += weight;
            for (std::size_t axis = 0; axis < 2; ++axis) {
                first[axis] += weight * r[axis];
                second[axis] += weight * r[axis] * r[axis];
            }
        }
    Spread spread;
    for (std::size_t axis = 0; axis < 2; ++axis) {
        spread.centre[axis] = first[axis] / total;
        const double variance = second[axis] / total - spread.centre[axis] * spread.centre[axis];
        spread.width[axis] = std::sqrt(std::max(variance, 1.0));
    }
    return spread;
}

// Hermite-like: u^a v^b exp(-(u^2 + v^2) / 8) in units of the widths. The Gaussian keeps the faint tails of a
// real beam, to which a bare polynomial would give most of the power, from becoming the mode.
Wave times_hermite_like(const Wave& wave, const Spread& spread, int degree_y, int degree_x) {
    Wave product(wave.extents());
    for (std::ptrdiff_t y = 0; y < wave.extent(0); ++y) {
        const double u_y = (static_cast<double>(y) - spread.centre[0]) / spread.width[0];
        const double factor_y = std::pow(u_y, degree_y) * std::exp(-u_y * u_y / 8);
        for (std::ptrdiff_t x = 0; x < wave.extent(1); ++x) {
            const double u_x = (static_cast<double>(x) - spread.centre[1]) / spread.width[1];
            const double factor_x = std::pow(u_x, degree_x) * std::exp(-u_x * u_x / 8);
            product(y, x) = (factor_y * factor_x) * wave(y, x);
        }
    }
    return product;
}

}  // namespace

void add_modes(std::vector<Wave>& modes, int num_modes, double mode_power) {
    TESSERA_EXPECT(!modes.empty() && power(modes.front()) > 0);
    const Wave first = modes.front();
    const double amplitude = std::sqrt(mode_power * power(first));
    const Spread spread = spread_of(first);

    std::vector<Wave> basis;
    for (const auto& mode : modes) {
        Wave unit = orthonormal_rest(mode, basis);
        if (!unit.empty()) basis.push_back(std::move(unit));
    }
    const auto wanted = static_cast<std::size_t>(num_modes);
    // All polynomials of degree up to n span (n + 1)(n + 2) / 2 modes; some are lost on narrow shapes.
    const int largest_degree = 2 * num_modes;
    for (int degree = 1; degree <= largest_degree; ++degree)
        for (int degree_x = 0; degree_x <= degree; ++degree_x) {
            if (modes.size() >= wanted) return;
            Wave unit =
                orthonormal_rest(times_hermite_like(first, spread, degree - degree_x, degree_x), basis);
            if (unit.empty()) continue;
            basis.push_back(unit);
            scale(unit, amplitude);
            modes.push_back(std::move(unit));
        }
    if (modes.size() < wanted)
        throw usage_error("probe.num_modes: {} orthogonal modes do not fit a probe of {} x {} pixels",
                          num_modes, first.extent(0), first.extent(1));
}

Array<cfloat, 3> random_opr_modes(View<const cfloat, 2> mode, int count, std::uint64_t seed) {
    constexpr std::uint64_t stream = std::uint64_t{1} << 41;
    constexpr int more_to_mix = 5;
    std::vector<Wave> shapes = {convert<double, float>(mode)};
    add_modes(shapes, 1 + count + more_to_mix, 1);
    Wave unit = shapes.front();
    scale(unit, 1 / std::sqrt(power(unit)));
    std::vector<Wave> basis = {unit};
    Random random(seed, stream);
    while (static_cast<int>(basis.size()) <= count) {
        Wave mixed(unit.extents());
        for (std::size_t i = 1; i < shapes.size(); ++i) {
            const cdouble weight = {random.normal(), random.normal()};
            for (std::ptrdiff_t r = 0; r < mixed.size(); ++r)
                mixed[r] = mul_add(weight, shapes[i][r], mixed[r]);
        }
        Wave rest = orthonormal_rest(std::move(mixed), basis);
        if (!rest.empty()) basis.push_back(std::move(rest));
    }
    basis.erase(basis.begin());
    return stacked(basis);
}

void sort_by_power(std::vector<Wave>& modes) {
    std::stable_sort(modes.begin(), modes.end(),
                     [](const Wave& a, const Wave& b) { return power(a) > power(b); });
}

Array<cfloat, 3> stacked(const std::vector<Wave>& modes) {
    TESSERA_EXPECT(!modes.empty());
    const auto [n_y, n_x] = modes.front().extents();
    Array<cfloat, 3> stack({static_cast<std::ptrdiff_t>(modes.size()), n_y, n_x});
    std::ptrdiff_t i = 0;
    for (const auto& mode : modes) {
        TESSERA_EXPECT(mode.extents() == modes.front().extents());
        for (const auto& value : mode)
            stack[i++] = {static_cast<float>(value.re), static_cast<float>(value.im)};
    }
    return stack;
}

std::vector<Wave> unstacked(View<const cfloat, 3> modes) {
    std::vector<Wave> waves;
    for (std::ptrdiff_t mode = 0; mode < modes.extent(0); ++mode)
        waves.push_back(convert<double, float>(modes.slice(mode)));
    return waves;
}

}  // namespace tessera
