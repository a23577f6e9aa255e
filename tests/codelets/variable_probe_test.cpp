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

}  // namespace
}  // namespace tessera::test
