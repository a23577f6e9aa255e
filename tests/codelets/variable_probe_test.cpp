// Probes that are another one in each frame, against the oracle with a problem of its own for each of them.
#include "codelets/variable_probe.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <ostream>

#include "codelets/light_rules.hpp"
#include "codelets/line_search.hpp"
#include "support/filled_data.hpp"
#include "support/one_batch.hpp"

namespace tessera::test {
namespace {

using reference::Problem;
using reference::ProblemShape;
using reference::Stack;
using reference::Value;
using Field = ProblemShape::Field;
using Light = std::vector<double>;  // s, Re w_1, Im w_1, ...

double held(double value) {
    return static_cast<double>(static_cast<float>(value));
}

// A problem whose frames are lit each in its own way.
struct LitProblem {
    Problem problem;
    Stack opr_modes;
    std::vector<Light> lights;

    std::ptrdiff_t num_opr_modes() const { return static_cast<std::ptrdiff_t>(lights[0].size() / 2); }
    Value weight(std::ptrdiff_t frame, std::ptrdiff_t i) const {
        const Light& light = lights[static_cast<std::size_t>(frame)];
        return {light[static_cast<std::size_t>(1 + 2 * i)], light[static_cast<std::size_t>(2 + 2 * i)]};
    }
    // With the frame's probe for all frames.
    Problem as_seen_by(std::ptrdiff_t frame) const {
        Problem seen = problem;
        const std::ptrdiff_t area = seen.probe.extent(1) * seen.probe.extent(2);
        for (std::ptrdiff_t i = 0; i < num_opr_modes(); ++i)
            for (std::ptrdiff_t r = 0; r < area; ++r)
                seen.probe[r] += weight(frame, i) * opr_modes[i * area + r];
        for (Value& value : seen.probe) value *= lights[static_cast<std::size_t>(frame)][0];
        return seen;
    }
    double cost_of(std::ptrdiff_t frame) const {
        return reference::cost(as_seen_by(frame)).per_frame[static_cast<std::size_t>(frame)];
    }
    double cost() const {
        double sum = 0;
        for (std::ptrdiff_t j = 0; j < problem.num_frames(); ++j) sum += cost_of(j);
        return sum;
    }
};

LitProblem lit_problem(const ProblemShape& shape, int num_opr_modes) {
    LitProblem lit;
    lit.problem = as_held(reference::random_problem(shape), PatternType::i32);
    const auto [n_y, n_x] = shape.probe;
    lit.opr_modes = Stack({std::max(num_opr_modes, 1), n_y, n_x});
    Random random(11, 3);
    const auto number = [&](double most) { return held(random.uniform(-most, most)); };
    for (Value& value : lit.opr_modes) value = {number(1), number(1)};
    for (std::ptrdiff_t j = 0; j < lit.problem.num_frames(); ++j) {
        Light light = {held(random.uniform(0.8, 1.2))};
        for (int i = 0; i < 2 * num_opr_modes; ++i) light.push_back(number(0.3));
        lit.lights.push_back(light);
    }
    return lit;
}

// One batch with lights behind its positions and eigen-probes behind its probe.
OneBatch batch_of(const LitProblem& lit, KeptWaves kept = KeptWaves::none) {
    OneBatch batch(lit.problem, PatternType::i32, kept);
    Data positions = std::move(batch.frames), field = std::move(batch.probe);
    batch.shape.has_lights = true;
    batch.shape.num_opr_modes = static_cast<std::int32_t>(lit.num_opr_modes());
    batch.frames = Data(frames_bytes(batch.shape));
    batch.probe = Data(probe_bytes(batch.shape));
    auto* frames = batch.frames.before_tasks<std::byte>();
    std::copy_n(positions.before_tasks<std::byte>(), positions.bytes(), frames);
    auto* probe = batch.probe.before_tasks<std::byte>();
    std::copy_n(field.before_tasks<std::byte>(), field.bytes(), probe);
    float* to = lights_of(frames, batch.shape);
    for (const Light& light : lit.lights)
        for (const double number : light) *to++ = static_cast<float>(number);
    cfloat* modes = opr_modes(probe, batch.shape);
    for (std::ptrdiff_t i = 0; modes != nullptr && i < lit.opr_modes.size(); ++i)
        modes[i] = {static_cast<float>(lit.opr_modes[i].real()), static_cast<float>(lit.opr_modes[i].imag())};
    return batch;
}

std::vector<Light> lights_in(const OneBatch& batch) {
    const HostAccess access(batch.frames, Access::read);
    throw_task_failure();
    const float* light = lights_of(access.as<const std::byte>(), batch.shape);
    const std::int32_t size = light_size(batch.shape.num_opr_modes);
    std::vector<Light> lights;
    for (std::int32_t j = 0; j < batch.shape.num_frames; ++j, light += size)
        lights.emplace_back(light, light + size);
    return lights;
}

struct LitCase {
    const char* name;
    ProblemShape shape;
    int num_opr_modes = 2;
};
void PrintTo(const LitCase& c, std::ostream* stream) {
    *stream << c.name;
}

class LitFrames : public testing::TestWithParam<LitCase> {
  protected:
    template <class Check>
    void for_each_noise_model(const Check& check) const {
        ProblemShape shape = GetParam().shape;
        for (const reference::NoiseModel noise : all_noise_models) {
            SCOPED_TRACE(test::name(noise));
            shape.noise_model = noise;
            check(lit_problem(shape, GetParam().num_opr_modes));
        }
    }
};

TEST_P(LitFrames, HaveTheOraclesCosts) {
    for_each_noise_model([](const LitProblem& lit) {
        OneBatch batch = batch_of(lit);
        batch.run_evaluate();
        EXPECT_NEAR(batch.sums().cost / lit.cost(), 1, 2e-5);
    });
}

// d/dP = s d/d(s P), for every frame.
TEST_P(LitFrames, HaveTheOraclesGradients) {
    for_each_noise_model([](const LitProblem& lit) {
        reference::Unknowns expected{Stack(lit.problem.object.extents()), Stack(lit.problem.probe.extents())};
        for (std::ptrdiff_t j = 0; j < lit.problem.num_frames(); ++j) {
            Problem alone = lit.as_seen_by(j);
            for (std::ptrdiff_t other = 0; other < alone.num_frames(); ++other)
                for (double& count : alone.patterns.slice(other)) count = other == j ? count : -1;
            const reference::Unknowns gradient = reference::gradient(alone);
            const double s = lit.lights[static_cast<std::size_t>(j)][0];
            for (std::ptrdiff_t i = 0; i < gradient.object.size(); ++i)
                expected.object[i] += gradient.object[i];
            for (std::ptrdiff_t i = 0; i < gradient.probe.size(); ++i)
                expected.probe[i] += s * gradient.probe[i];
        }
        OneBatch batch = batch_of(lit);
        batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
        EXPECT_NEAR(batch.sums().cost / lit.cost(), 1, 2e-5);
        EXPECT_LT(relative_error(batch.gradient().object, expected.object), 2e-5);
        EXPECT_LT(relative_error(batch.gradient().probe, expected.probe), 2e-5);
    });
}

TEST_P(LitFrames, HaveTheOraclesCostsAlongALine) {
    for_each_noise_model([](const LitProblem& lit) {
        const reference::Unknowns direction = as_held(reference::random_direction(lit.problem, 5));
        OneBatch batch = batch_of(lit);
        batch.set_direction(direction, ProbeMotion::moving);
        batch.set_state(IterationState{});
        batch.run_line_search(KeptWaves::none, ProbeMotion::moving);
        const BatchSums sums = batch.sums();
        const bool sliced = lit.problem.num_slices() > 1;
        for (const std::size_t i : {0, 2}) {
            LitProblem there = lit;
            const double step = sliced ? sliced_trial_step(1, i) : trial_step(1, i);
            there.problem = reference::moved(lit.problem, direction, step);
            EXPECT_NEAR(sums.trial_cost[i + 1] / there.cost(), 1, 5e-5) << "step " << step;
        }
    });
}

// d/dx of a frame's intensity by a number of its light, and the Gauss-Newton equations written out.
rules::LightEquations equations_of(const LitProblem& lit, std::ptrdiff_t frame) {
    const auto n = static_cast<int>(lit.lights[0].size());
    const auto intensity_at = [&](int a, double by) {
        LitProblem there = lit;
        there.lights[static_cast<std::size_t>(frame)][static_cast<std::size_t>(a)] += by;
        return reference::intensity(there.as_seen_by(frame), frame);
    };
    constexpr double h = 1e-3;
    const reference::RealImage intensity = intensity_at(0, 0);
    std::vector<reference::RealImage> slopes;
    rules::LightEquations equations;
    for (int a = 0; a < n; ++a) {
        // Intensities are of second order in every number: this is exact.
        const reference::RealImage up = intensity_at(a, h), down = intensity_at(a, -h);
        reference::RealImage& slope = slopes.emplace_back(intensity.extents());
        for (std::ptrdiff_t i = 0; i < slope.size(); ++i) slope[i] = (up[i] - down[i]) / (2 * h);
    }
    const auto& p = lit.problem;
    for (std::ptrdiff_t i = 0; i < intensity.size(); ++i) {
        const double counts = p.patterns.slice(frame)[i];
        if (counts < 0 || p.mask[i] == 0) continue;
        const double regular = intensity[i] + p.epsilon;
        const double weight = p.noise_model == reference::NoiseModel::amplitude ? 1 / (2 * regular)
                              : p.noise_model == reference::NoiseModel::poisson ? 1 / regular
                                                                                : 1 / (counts + 1);
        const double slope = reference::pixel_slope(p.noise_model, intensity[i], counts, p.epsilon);
        for (int a = 0; a < n; ++a) {
            const double mine = slopes[static_cast<std::size_t>(a)][i];
            equations.gradient[a] += slope * mine;
            for (int b = 0; b <= a; ++b)
                equations.curvature[a][b] += weight * mine * slopes[static_cast<std::size_t>(b)][i];
        }
    }
    return equations;
}

void fit(const OneBatch& batch, const Data& out, bool has_intensity) {
    fit_lights.submit(
        {batch.shape, has_intensity ? 1 : 0, 1},
        {&batch.patterns, &batch.frames, &batch.detector, &batch.probe, &batch.object, &batch.state, &out});
}

Data out_of(const OneBatch& batch) {
    return Data(sums_bytes(opr_sums_size(batch.shape.num_opr_modes, batch.shape.probe)));
}

// The lights move along the step that double precision finds, and so far that the cost falls.
TEST_P(LitFrames, MoveByGaussNewtonSteps) {
    for (const bool has_intensity : {true, false}) {
        for_each_noise_model([&](const LitProblem& lit) {
            const OneBatch batch = batch_of(lit);
            const Data out = out_of(batch);
            fit(batch, out, has_intensity);
            LitProblem moved = lit;
            moved.lights = lights_in(batch);
            const auto n = lit.lights[0].size();
            for (std::size_t j = 0; j < lit.lights.size(); ++j) {
                const auto frame = static_cast<std::ptrdiff_t>(j);
                rules::LightEquations equations = equations_of(lit, frame);
                double step[max_light_size] = {}, along = 0, length = 0, beside = 0;
                rules::light_step(equations, static_cast<int>(n), has_intensity, lit.lights[j][0], step);
                for (std::size_t a = 0; a < n; ++a) {
                    along += step[a] * (moved.lights[j][a] - lit.lights[j][a]);
                    length += step[a] * step[a];
                }
                if (length == 0) {
                    EXPECT_EQ(moved.lights[j], lit.lights[j]);  // no number may move
                    continue;
                }
                const double share = along / length;
                for (std::size_t a = 0; a < n; ++a)
                    beside += std::pow(moved.lights[j][a] - lit.lights[j][a] - share * step[a], 2);
                EXPECT_LT(std::sqrt(beside / length), 1e-3) << "frame " << j;
                EXPECT_LE(share, 1 + 1e-3);
                EXPECT_GT(share, 1e-3);
                EXPECT_LT(moved.cost_of(frame), lit.cost_of(frame)) << "frame " << j;
                if (!has_intensity) {
                    EXPECT_EQ(moved.lights[j][0], lit.lights[j][0]);
                }
            }
        });
    }
}

// 2 Re <g, delta> is the derivative of the cost at the lights just found.
TEST_P(LitFrames, GiveTheGradientsOfTheEigenProbes) {
    if (GetParam().num_opr_modes == 0) GTEST_SKIP() << "no eigen-probes";
    for_each_noise_model([&](const LitProblem& lit) {
        const OneBatch batch = batch_of(lit);
        const Data out = out_of(batch);
        fit(batch, out, true);
        LitProblem moved = lit;
        moved.lights = lights_in(batch);
        const auto sums = content<cfloat>(out, out.bytes() / sizeof(cfloat));
        const cfloat* gradient = sums.data() + aligned_bytes(sizeof(BatchSums)) / sizeof(cfloat);
        Random random(4, 4);
        Stack delta(lit.opr_modes.extents());
        double found = 0, scale = 0;
        for (std::ptrdiff_t i = 0; i < delta.size(); ++i) {
            delta[i] = {random.normal(), random.normal()};
            found += 2 * std::real(std::conj(value_of(gradient[i])) * delta[i]);
            scale += std::norm(value_of(gradient[i]));
        }
        const auto cost_at = [&](double by) {
            LitProblem there = moved;
            for (std::ptrdiff_t i = 0; i < delta.size(); ++i) there.opr_modes[i] += by * delta[i];
            return there.cost();
        };
        constexpr double h = 1e-3;
        const double expected =
            (8 * (cost_at(h) - cost_at(-h)) - (cost_at(2 * h) - cost_at(-2 * h))) / (12 * h);
        EXPECT_NEAR(found, expected, 1e-4 * std::sqrt(2 * scale));
        double intensity = 0;
        for (const Light& light : moved.lights) intensity += light[0] * light[0];
        EXPECT_NEAR(content_of_one<BatchSums>(out).intensity, intensity, 1e-6 * intensity);
    });
}

constexpr auto fourier = reference::Interpolation::fourier;
constexpr auto bilinear = reference::Interpolation::bilinear;
constexpr auto nearest = reference::Interpolation::nearest;
INSTANTIATE_TEST_SUITE_P(
    Models, LitFrames,
    testing::Values(
        LitCase{"fourier", {.num_frames = 3, .interpolation = fourier}},
        LitCase{"bilinear", {.num_frames = 3, .interpolation = bilinear}},
        LitCase{"nearest_near_field",
                {.num_modes = 1, .num_frames = 2, .interpolation = nearest, .field = Field::near}},
        LitCase{"fourier_near_field", {.num_frames = 2, .interpolation = fourier, .field = Field::near}, 1},
        LitCase{"slices", {.num_slices = 3, .num_frames = 2}},
        LitCase{"intensity_alone", {.num_frames = 3}, 0}),
    [](const auto& chosen) { return std::string(chosen.param.name); });

// ---- What becomes of the model

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
