// What becomes of the model of a probe that varies: eigen-probes are made orthogonal, sorted and moved.
#include <gtest/gtest.h>

#include <cmath>

#include "codelets/light_rules.hpp"
#include "codelets/variable_probe.hpp"
#include "support/filled_data.hpp"
#include "support/one_batch.hpp"

namespace tessera::test {
namespace {

struct Scan {
    Shape2 probe = {6, 7};
    std::int32_t num_modes = 2, num_opr_modes = 3, num_frames = 9;
    std::vector<cfloat> field, modes;
    std::vector<float> lights;

    std::size_t area() const { return probe.area(); }
    std::size_t probe_size() const { return static_cast<std::size_t>(num_modes) * area(); }
    // Of mode k in a frame.
    std::complex<double> seen(std::int32_t frame, std::int32_t k, std::size_t r) const {
        const float* light = &lights[static_cast<std::size_t>(frame * light_size(num_opr_modes))];
        std::complex<double> sum = value_of(field[static_cast<std::size_t>(k) * area() + r]);
        for (std::int32_t i = 0; k == 0 && i < num_opr_modes; ++i)
            sum += value_of(rules::weight_of(light, i)) *
                   value_of(modes[static_cast<std::size_t>(i) * area() + r]);
        return static_cast<double>(light[0]) * sum;
    }
    std::complex<double> product(const cfloat* a, const cfloat* b) const {
        std::complex<double> sum = 0;
        for (std::size_t r = 0; r < area(); ++r) sum += std::conj(value_of(a[r])) * value_of(b[r]);
        return sum;
    }
};

Scan random_scan(bool varies_in_intensity) {
    Scan scan;
    scan.field = random_pixels(scan.probe_size(), 1);
    for (cfloat& value : scan.field) value = 3.0f * value;
    scan.modes = random_pixels(3 * scan.area(), 2);
    Random random(5, 6);
    for (std::int32_t j = 0; j < scan.num_frames; ++j) {
        scan.lights.push_back(varies_in_intensity ? static_cast<float>(random.uniform(0.7, 1.4)) : 1.0f);
        for (int i = 0; i < 6; ++i) scan.lights.push_back(static_cast<float>(0.4 + random.normal()));
    }
    return scan;
}

// A round without a gradient: eigen-probes and weights in their new form.
Scan turned(const Scan& scan, bool has_intensity, std::int32_t stopped = 0) {
    const std::int32_t n = scan.num_opr_modes, size = light_size(n);
    Data sums(sums_bytes(opr_sums_size(n, scan.probe)));
    auto* base = sums.before_tasks<std::byte>();
    rules::LightMoments moments = {};
    for (std::int32_t j = 0; j < scan.num_frames; ++j)
        rules::add_light(&scan.lights[static_cast<std::size_t>(j * size)], n, batch_sums(base)->intensity,
                         moments);
    rules::set_moments(moments, n, probe_part(base) + static_cast<std::size_t>(n + 1) * scan.area());
    const UpdateOprModesArgs args = {
        scan.num_modes, n, scan.probe, has_intensity ? 1 : 0, static_cast<double>(scan.num_frames), 0.5};
    const std::size_t behind = moving_field_bytes(scan.probe_size());
    Data probe(args.buffer_bytes()[1]);
    auto* to = probe.before_tasks<std::byte>();
    std::copy(scan.field.begin(), scan.field.end(), reinterpret_cast<cfloat*>(to));
    std::copy(scan.modes.begin(), scan.modes.end(), reinterpret_cast<cfloat*>(to + behind));
    IterationState current;
    current.stopped = stopped;
    const Data state = data_of_one(current), turn(sizeof(LightTurn));
    const std::size_t positions = static_cast<std::size_t>(scan.num_frames) * sizeof(FramePosition);
    Data frames(positions + lights_bytes(scan.num_frames, n));
    std::copy(scan.lights.begin(), scan.lights.end(),
              reinterpret_cast<float*>(frames.before_tasks<std::byte>() + positions));
    const Data noted(lights_bytes(scan.num_frames + 1, n));
    update_opr_modes.submit(args, {&sums, &probe, &state, &turn});
    turn_lights.submit({scan.num_frames, 1, n}, {&turn, &state, &frames, &noted});
    Scan after = scan;
    const auto found = content<cfloat>(probe, probe.bytes() / sizeof(cfloat));
    std::copy_n(found.begin(), scan.field.size(), after.field.begin());
    std::copy_n(found.begin() + static_cast<std::ptrdiff_t>(behind / sizeof(cfloat)), scan.modes.size(),
                after.modes.begin());
    const auto lights = content<float>(frames, frames.bytes() / sizeof(float));
    std::copy_n(lights.begin() + static_cast<std::ptrdiff_t>(positions / sizeof(float)), scan.lights.size(),
                after.lights.begin());
    if (stopped == 0) {
        const auto in_tile = content<float>(noted, noted.bytes() / sizeof(float));
        EXPECT_TRUE(std::equal(after.lights.begin(), after.lights.end(), in_tile.begin() + size));
    }
    return after;
}

void expect_canonical(const Scan& scan) {
    const std::int32_t n = scan.num_opr_modes, size = light_size(n);
    for (std::int32_t i = 0; i < n; ++i) {
        for (std::int32_t l = 0; l < n; ++l) {
            const auto dot = scan.product(&scan.modes[static_cast<std::size_t>(i) * scan.area()],
                                          &scan.modes[static_cast<std::size_t>(l) * scan.area()]);
            EXPECT_NEAR(std::abs(dot - (i == l ? 1.0 : 0.0)), 0, 2e-6) << i << ", " << l;
        }
    }
    std::vector<double> powers;
    for (std::int32_t i = 0; i < n; ++i) {
        std::complex<double> mean = 0;
        for (std::int32_t l = 0; l < n; ++l) {
            std::complex<double> moment = 0;
            for (std::int32_t j = 0; j < scan.num_frames; ++j) {
                const float* light = &scan.lights[static_cast<std::size_t>(j * size)];
                moment +=
                    std::conj(value_of(rules::weight_of(light, i))) * value_of(rules::weight_of(light, l));
                if (l == 0) mean += value_of(rules::weight_of(light, i));
            }
            if (i == l) powers.push_back(moment.real());
            if (i != l) {
                EXPECT_NEAR(std::abs(moment), 0, 2e-5 * powers[0]) << i << ", " << l;
            }
        }
        EXPECT_NEAR(std::abs(mean), 0, 2e-5 * std::sqrt(powers[0])) << i;
    }
    EXPECT_TRUE(std::is_sorted(powers.rbegin(), powers.rend()));
}

TEST(UpdateOprModes, LeavesTheProbeOfEveryFrame) {
    const Scan before = random_scan(false), after = turned(before, false);
    expect_canonical(after);
    double difference = 0, size = 0;
    for (std::int32_t j = 0; j < before.num_frames; ++j) {
        for (std::int32_t k = 0; k < before.num_modes; ++k) {
            for (std::size_t r = 0; r < before.area(); ++r) {
                difference += std::norm(after.seen(j, k, r) - before.seen(j, k, r));
                size += std::norm(before.seen(j, k, r));
            }
        }
    }
    EXPECT_LT(std::sqrt(difference / size), 1e-6);
}

TEST(UpdateOprModes, WithAmplitudesLeavesWhatIsBesideTheProbe) {
    const Scan before = random_scan(true), after = turned(before, true);
    expect_canonical(after);
    double intensity = 0;
    for (std::int32_t j = 0; j < after.num_frames; ++j) {
        const double s = static_cast<double>(after.lights[static_cast<std::size_t>(j * light_size(3))]);
        intensity += s * s / after.num_frames;
        for (std::size_t r = 0; r < after.area(); ++r)  // of the second mode nothing is left out
            EXPECT_NEAR(std::abs(after.seen(j, 1, r) - before.seen(j, 1, r)), 0, 2e-5);
    }
    EXPECT_NEAR(intensity, 1, 1e-6);
    for (std::size_t i = 0; i < 3; ++i) {
        const auto along = after.product(after.field.data(), &after.modes[i * after.area()]);
        EXPECT_NEAR(std::abs(along), 0,
                    1e-5 * std::sqrt(after.product(after.field.data(), after.field.data()).real()));
    }
    // The frames' probes differ by multiples of the mean probe alone.
    for (std::int32_t j = 0; j < after.num_frames; ++j) {
        std::complex<double> along = 0, power = 0;
        double rest = 0, size = 0;
        for (std::size_t r = 0; r < after.area(); ++r) {
            along += std::conj(value_of(after.field[r])) * (after.seen(j, 0, r) - before.seen(j, 0, r));
            power += std::norm(value_of(after.field[r]));
        }
        for (std::size_t r = 0; r < after.area(); ++r) {
            rest += std::norm(after.seen(j, 0, r) - before.seen(j, 0, r) -
                              along / power * value_of(after.field[r]));
            size += std::norm(before.seen(j, 0, r));
        }
        EXPECT_LT(std::sqrt(rest / size), 1e-6);
    }
}

TEST(UpdateOprModes, DoesNothingOnceStopped) {
    const Scan before = random_scan(true), after = turned(before, true, 1);
    EXPECT_EQ(after.lights, before.lights);
    for (std::size_t i = 0; i < before.modes.size(); ++i) EXPECT_EQ(after.modes[i].re, before.modes[i].re);
}

// With W known exactly, one whole step is the least-squares solution where the object's power is the same
// everywhere.
TEST(UpdateOprModes, StepsToTheLeastSquaresSolution) {
    rules::LightMoments m = {};
    m.second[0] = {4, 0};
    m.second[1] = {1, 2};
    m.second[2] = {1, -2};
    m.second[3] = {3, 0};
    cdouble inverse[4];
    rules::opr_steps(m, 2, 10, inverse);
    constexpr double damped = 1.05;
    for (int i = 0; i < 2; ++i) {
        for (int l = 0; l < 2; ++l) {
            cdouble sum = {0, 0};
            for (int a = 0; a < 2; ++a) {
                cdouble w = m.second[i * 2 + a];
                if (a == i) w.re *= damped;
                sum = sum + w * inverse[a * 2 + l];
            }
            EXPECT_NEAR(sum.re, i == l ? 10 : 0, 1e-12);
            EXPECT_NEAR(sum.im, 0, 1e-12);
        }
    }
}

TEST(LightStep, SolvesTheDampedEquationsAndHalvesAmplitudesAtMost) {
    const double c[3][3] = {{8, 0, 0}, {1, 6, 0}, {-2, 0.5, 5}}, g[3] = {-2, 1, 3};
    rules::LightEquations equations;
    for (int a = 0; a < 3; ++a) {
        equations.gradient[a] = g[a];
        for (int b = 0; b <= a; ++b) equations.curvature[a][b] = c[a][b];
    }
    rules::LightEquations again = equations;
    double step[3] = {};
    rules::light_step(equations, 3, true, 1, step);
    for (int a = 0; a < 3; ++a) {
        double sum = 0.01 * c[a][a] * step[a];
        for (int b = 0; b < 3; ++b) sum += (a >= b ? c[a][b] : c[b][a]) * step[b];
        EXPECT_NEAR(sum, -g[a], 1e-12);
    }
    double shorter[3] = {};
    rules::light_step(again, 3, true, 0.1 * std::abs(step[0]), shorter);
    for (int a = 0; a < 3; ++a) EXPECT_NEAR(shorter[a], 0.05 * step[a], 1e-12);
}

}  // namespace
}  // namespace tessera::test
