// Objects with modes: every mode of the object with every mode of the probe, against the oracle.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "codelets/accumulate.hpp"
#include "codelets/divide.hpp"
#include "codelets/fourier_projection.hpp"
#include "codelets/line_search.hpp"
#include "codelets/noise.hpp"
#include "codelets/overlap.hpp"
#include "codelets/turn_modes.hpp"
#include "support/filled_data.hpp"
#include "support/one_batch.hpp"

namespace tessera::test {
namespace {

using reference::Image;
using reference::Problem;
using reference::ProblemShape;
using reference::RealImage;
using reference::Stack;
using reference::Unknowns;
using reference::Value;
using Field = ProblemShape::Field;

double sum_of_counts(const Problem& problem) {
    double sum = 0;
    for (const double count : problem.patterns) sum += std::max(count, 0.0);
    return sum;
}

class ObjectModes : public testing::TestWithParam<std::tuple<reference::Interpolation, Field>> {
  protected:
    static Problem problem_of(std::ptrdiff_t num_object_modes, std::ptrdiff_t num_modes,
                              reference::NoiseModel noise = reference::NoiseModel::amplitude) {
        ProblemShape shape{.frame = {14, 15},
                           .probe = {9, 12},
                           .num_modes = num_modes,
                           .num_object_modes = num_object_modes,
                           .num_frames = 3,
                           .noise_model = noise,
                           .seed = 9};
        std::tie(shape.interpolation, shape.field) = GetParam();
        return as_held(reference::random_problem(shape), PatternType::f32);
    }
    // Calls check(problem as held) for numbers of modes and every noise model.
    template <class Check>
    static void for_each_problem(const Check& check) {
        for (const auto& [num_object_modes, num_modes] : {std::pair{2, 1}, {3, 2}}) {
            for (const reference::NoiseModel noise : all_noise_models) {
                SCOPED_TRACE(testing::Message() << num_object_modes << " modes of the object, " << num_modes
                                                << " of the probe, " << test::name(noise));
                check(problem_of(num_object_modes, num_modes, noise));
            }
        }
    }
};

TEST_P(ObjectModes, HaveTheOraclesGradient) {
    for_each_problem([](const Problem& problem) {
        OneBatch batch(problem, PatternType::f32);
        batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
        const double cost = reference::cost(problem).total;
        EXPECT_NEAR(batch.sums().cost, cost, 5e-7 * (cost + sum_of_counts(problem)));
        const Unknowns found = batch.gradient(), expected = reference::gradient(problem);
        EXPECT_LT(relative_error(found.object, expected.object), 5e-6);
        EXPECT_LT(relative_error(found.probe, expected.probe), 5e-6);
        batch.run_gradient(KeptWaves::none, ProbeMotion::fixed);
        EXPECT_LT(relative_error(batch.gradient().object, expected.object), 5e-6);
    });
}

// A direction of the problem's own size: the probe's modes are as large as its counts make them.
Unknowns direction_of(const Problem& problem, ProbeMotion motion) {
    Unknowns direction = reference::random_direction(problem, 31);
    double largest = 0;
    for (const Value& value : problem.probe) largest = std::max(largest, std::abs(value));
    for (Value& value : direction.probe) value *= motion == ProbeMotion::moving ? largest : 0;
    return as_held(direction);
}

TEST_P(ObjectModes, HaveTheOraclesCostsAtTheTrialSteps) {
    for (const ProbeMotion motion : {ProbeMotion::moving, ProbeMotion::fixed}) {
        for_each_problem([&](const Problem& problem) {
            OneBatch batch(problem, PatternType::f32);
            const Unknowns direction = direction_of(problem, motion);
            batch.set_direction(direction, motion);
            IterationState state;
            state.ladder_centre = 0.3;
            batch.set_state(state);
            batch.run_line_search(KeptWaves::none, motion);
            const BatchSums sums = batch.sums();
            std::vector<double> steps = {0};
            for (std::size_t i = 0; i < num_trials; ++i) steps.push_back(trial_step(0.3, i));
            const std::vector<double> expected = reference::costs_along(problem, direction, steps);
            for (std::size_t i = 0; i < steps.size(); ++i) {
                EXPECT_NEAR(sums.trial_cost[i], expected[i],
                            1e-6 * (std::abs(expected[i]) + sum_of_counts(problem)))
                    << "step " << steps[i];
            }
        });
    }
}

// A += s B + s^2 C of every wave is what a transform gives where the step has led to.
TEST_P(ObjectModes, OfKeptWavesFollowTheStep) {
    for_each_problem([](const Problem& problem) {
        OneBatch batch(problem, PatternType::f32, KeptWaves::refresh);
        batch.set_direction(direction_of(problem, ProbeMotion::moving), ProbeMotion::moving);
        batch.run_gradient(KeptWaves::refresh, ProbeMotion::moving);
        batch.run_line_search(KeptWaves::refresh, ProbeMotion::moving);
        IterationState state;
        state.step = 0.2;
        batch.set_state(state);
        batch.run_step(ProbeMotion::moving);
        batch.run_gradient(KeptWaves::advance, ProbeMotion::moving);
        const Unknowns expected = reference::gradient(batch.at_present(problem));
        EXPECT_LT(relative_error(batch.gradient().object, expected.object), 2e-5);
        EXPECT_LT(relative_error(batch.gradient().probe, expected.probe), 2e-5);
    });
}

TEST_P(ObjectModes, EvaluateToTheOraclesCost) {
    for_each_problem([](const Problem& problem) {
        OneBatch batch(problem, PatternType::f32);
        batch.run_evaluate();
        const double expected = reference::cost(problem).total;
        EXPECT_NEAR(batch.sums().cost, expected, 5e-7 * (expected + sum_of_counts(problem)));
    });
}

// One light on all modes of the object, and the sum of their |O|^2 on the probe.
TEST_P(ObjectModes, HaveTheOraclesPreconditioner) {
    const Problem problem = problem_of(3, 2);
    OneBatch batch(problem, PatternType::f32);
    batch.run_illumination();
    const Unknowns found = batch.gradient();
    const RealImage light = reference::illumination(problem), coverage = reference::coverage(problem);
    for (std::ptrdiff_t m = 0; m < 3; ++m)
        for (std::ptrdiff_t i = 0; i < light.size(); ++i)
            EXPECT_NEAR(found.object.slice(m)[i].real(), light[i], 1e-6 * light[i]);
    for (std::ptrdiff_t i = 0; i < coverage.size(); ++i)
        EXPECT_NEAR(found.probe.slice(0)[i].real(), coverage[i], 1e-6 * coverage[i]);
}

// ---- Engines that project exit waves: double precision, by the oracle's steps

Image plane_of(const Stack& stack, std::ptrdiff_t i) {
    Image image({stack.extent(1), stack.extent(2)});
    std::copy_n(stack.slice(i).begin(), image.size(), image.begin());
    return image;
}

bool moves_back(const Problem& problem) {
    return problem.interpolation == reference::Interpolation::fourier && !problem.transfer_function.empty();
}

Image to_detector(const Problem& problem, const reference::Window& window, const Image& wave) {
    return reference::propagate(
        moves_back(problem) ? reference::shift(wave, -window.frac_y, -window.frac_x) : wave,
        problem.transfer_function);
}
Image from_detector(const Problem& problem, const reference::Window& window, const Image& field) {
    const Image wave = reference::propagate_back(field, problem.transfer_function);
    return moves_back(problem) ? reference::shift(wave, window.frac_y, window.frac_x) : wave;
}

// What is under the probe of a wave of the frame's shape.
Image under_probe(const Problem& problem, const Image& wave) {
    Image out(problem.probe_shape());
    const auto y0 = (wave.extent(0) - out.extent(0)) / 2, x0 = (wave.extent(1) - out.extent(1)) / 2;
    for (std::ptrdiff_t y = 0; y < out.extent(0); ++y)
        for (std::ptrdiff_t x = 0; x < out.extent(1); ++x) out(y, x) = wave(y0 + y, x0 + x);
    return out;
}

Image in_frame(const Problem& problem, const Image& image) {
    Image out(problem.frame_shape());
    const auto y0 = (out.extent(0) - image.extent(0)) / 2, x0 = (out.extent(1) - image.extent(1)) / 2;
    for (std::ptrdiff_t y = 0; y < image.extent(0); ++y)
        for (std::ptrdiff_t x = 0; x < image.extent(1); ++x) out(y0 + y, x0 + x) = image(y, x);
    return out;
}

// The exit waves of one frame one iteration on.
std::vector<Image> projected(const Problem& problem, std::ptrdiff_t frame, const std::vector<Image>& psi,
                             const ProjectionMap& map, double power_bound) {
    const reference::Window& window = problem.windows[static_cast<std::size_t>(frame)];
    const Stack overlap = reference::exit_waves(problem, frame);
    std::vector<Image> fields, products;
    RealImage intensity(problem.frame_shape());
    for (std::size_t i = 0; i < psi.size(); ++i) {
        products.push_back(in_frame(problem, plane_of(overlap, static_cast<std::ptrdiff_t>(i))));
        Image wave = psi[i];
        for (std::ptrdiff_t p = 0; p < wave.size(); ++p)
            wave[p] = static_cast<double>(map.reflect) * products[i][p] +
                      static_cast<double>(1 - map.reflect) * wave[p];
        fields.push_back(to_detector(problem, window, wave));
        for (std::ptrdiff_t p = 0; p < wave.size(); ++p) intensity[p] += std::norm(fields[i][p]);
    }
    double error = 0, pixels = 0;
    RealImage amplitude(problem.frame_shape()), used(problem.frame_shape());
    for (std::ptrdiff_t p = 0; p < intensity.size(); ++p) {
        const double counts = problem.patterns.slice(frame)[p];
        used[p] = counts < 0 ? 0 : problem.mask[p];
        amplitude[p] = std::sqrt(std::max(counts - problem.background[p], 0.0));
        error += used[p] * std::pow(std::sqrt(intensity[p]) - amplitude[p], 2);
        pixels += used[p];
    }
    EXPECT_GT(error / pixels, power_bound);
    const double share = std::sqrt(power_bound * pixels / error);
    std::vector<Image> after;
    for (std::size_t i = 0; i < psi.size(); ++i) {
        for (std::ptrdiff_t p = 0; p < intensity.size(); ++p)
            if (used[p] > 0)
                fields[i][p] *=
                    share + (1 - share) * amplitude[p] / std::sqrt(intensity[p] + problem.epsilon);
        const Image wave = from_detector(problem, window, fields[i]);
        Image next(wave.extents());
        for (std::ptrdiff_t p = 0; p < wave.size(); ++p)
            next[p] = static_cast<double>(map.psi) * psi[i][p] +
                      static_cast<double>(map.overlap) * products[i][p] +
                      static_cast<double>(map.fourier) * wave[p];
        after.push_back(next);
    }
    return after;
}

// Numerators of all modes of object and probe, and both weights.
struct OverlapSums {
    Unknowns numerators;
    Image object_weight;
    Image probe_weight;
};
void add(const Image& from, const View<Value, 2>& to) {
    for (std::ptrdiff_t i = 0; i < from.size(); ++i) to[i] += from[i];
}
OverlapSums overlap_sums_of(const Problem& problem, const std::vector<std::vector<Image>>& psi) {
    OverlapSums sums{{Stack(problem.object.extents()), Stack(problem.probe.extents())},
                     Image({problem.object.extent(1), problem.object.extent(2)}),
                     Image(problem.probe_shape())};
    for (std::ptrdiff_t j = 0; j < problem.num_frames(); ++j) {
        const reference::Window& window = problem.windows[static_cast<std::size_t>(j)];
        for (std::ptrdiff_t m = 0; m < problem.num_object_modes; ++m) {
            const Problem alone = reference::of_object_mode(problem, m);
            const Image object = reference::object_of_frame(alone, j);
            Stack missing(problem.probe.extents()), probe(problem.probe.extents());
            for (std::ptrdiff_t k = 0; k < problem.num_modes(); ++k) {
                const Image mode = reference::probe_of_frame(problem, j, k);
                Image residual = under_probe(
                    problem,
                    psi[static_cast<std::size_t>(j)][static_cast<std::size_t>(m * problem.num_modes() + k)]);
                for (std::ptrdiff_t i = 0; i < residual.size(); ++i) residual[i] -= mode[i] * object[i];
                add(residual, missing.slice(k));
                add(mode, probe.slice(k));
                for (std::ptrdiff_t i = 0; i < residual.size(); ++i) residual[i] *= std::conj(object[i]);
                if (problem.interpolation == reference::Interpolation::fourier)
                    residual = reference::shift(residual, -window.frac_y, -window.frac_x);
                add(residual, sums.numerators.probe.slice(k));
            }
            add(reference::slice_adjoint(alone, j, 0, missing), sums.numerators.object.slice(m));
            for (std::ptrdiff_t i = 0; i < object.size(); ++i) sums.probe_weight[i] += std::norm(object[i]);
            if (m > 0) continue;
            const Image light = reference::slice_adjoint(alone, j, 0, probe);
            for (std::ptrdiff_t i = 0; i < light.size(); ++i) sums.object_weight[i] += light[i];
        }
    }
    return sums;
}

// Exit waves away from P O, as far as single precision holds them.
std::vector<std::vector<Image>> random_waves(const Problem& problem) {
    double largest = 0;
    for (const Value& value : problem.probe) largest = std::max(largest, std::abs(value));
    std::vector<std::vector<Image>> psi(static_cast<std::size_t>(problem.num_frames()));
    std::uint64_t seed = 50;
    for (auto& waves : psi) {
        for (std::ptrdiff_t i = 0; i < problem.num_waves(); ++i) {
            Image wave = reference::random_image(problem.frame_shape(), ++seed);
            for (Value& value : wave)
                value = {static_cast<float>(largest * value.real()),
                         static_cast<float>(largest * value.imag())};
            waves.push_back(wave);
        }
    }
    return psi;
}

Data data_of_waves(const std::vector<std::vector<Image>>& psi) {
    std::vector<cfloat> pixels;
    for (const auto& waves : psi)
        for (const Image& wave : waves)
            for (const Value& value : wave)
                pixels.push_back({static_cast<float>(value.real()), static_cast<float>(value.imag())});
    return data_of(pixels);
}

double difference(const Data& found, const std::vector<std::vector<Image>>& expected) {
    const std::size_t count =
        expected.size() * expected[0].size() * static_cast<std::size_t>(expected[0][0].size());
    const auto pixels = content<cfloat>(found, count);
    double error = 0, size = 0;
    std::size_t i = 0;
    for (const auto& waves : expected) {
        for (const Image& wave : waves) {
            for (const Value& value : wave) {
                error += std::norm(value_of(pixels[i++]) - value);
                size += std::norm(value);
            }
        }
    }
    return std::sqrt(error / size);
}

// The window that tasks leave, on the object's grid: numerators of all modes, then the weight.
void expect_object_sums(const OneBatch& batch, const Data& out, const OverlapSums& expected) {
    const HostAccess access(out, Access::read);
    throw_task_failure();
    const BatchShape& s = batch.shape;
    const cfloat* window = window_part(access.as<const std::byte>(), overlap_probe_size(s));
    Stack numerators(expected.numerators.object.extents());
    Image weight(expected.object_weight.extents());
    for (std::int32_t plane = 0; plane <= s.num_object_modes; ++plane) {
        for (std::int32_t y = 0; y < s.window.y; ++y) {
            for (std::int32_t x = 0; x < s.window.x; ++x) {
                const std::ptrdiff_t v = s.window_y + batch.tile.y0 + y, u = s.window_x + batch.tile.x0 + x;
                (plane == s.num_object_modes ? weight(v, u) : numerators(plane, v, u)) = value_of(*window++);
            }
        }
    }
    EXPECT_LT(relative_error(numerators, expected.numerators.object), 5e-6);
    EXPECT_LT(relative_error(weight, expected.object_weight), 2e-6);
}

TEST_P(ObjectModes, AreProjectedAsByTheOracle) {
    const ProjectionMap map{0.8f, -0.6f, 0.8f, 2};
    constexpr double power_bound = 0.2;
    for (const auto& [num_object_modes, num_modes] : {std::pair{2, 1}, {3, 2}}) {
        const Problem problem = problem_of(num_object_modes, num_modes);
        const auto psi = random_waves(problem);
        std::vector<std::vector<Image>> after;
        for (std::size_t j = 0; j < psi.size(); ++j)
            after.push_back(projected(problem, static_cast<std::ptrdiff_t>(j), psi[j], map, power_bound));
        OneBatch batch(problem, PatternType::f32);
        const Data waves = data_of_waves(psi), out(overlap_out_bytes(batch.shape));
        FourierProjectionArgs args;
        args.shape = batch.shape;
        args.map = map;
        args.power_bound = power_bound;
        fourier_projection.submit(args, {&batch.patterns, &batch.frames, &batch.detector, &batch.probe,
                                         &batch.object, &batch.state, &out, &waves});
        EXPECT_LT(difference(waves, after), 5e-6);
        EXPECT_NEAR(content_of_one<BatchSums>(out).cost / reference::cost(problem).total, 1, 2e-6);
        expect_object_sums(batch, out, overlap_sums_of(problem, after));
    }
}

TEST_P(ObjectModes, HaveTheOraclesOverlapProjection) {
    const Problem problem = problem_of(3, 2);
    const auto psi = random_waves(problem);
    const OverlapSums expected = overlap_sums_of(problem, psi);
    OneBatch batch(problem, PatternType::f32);
    const Data waves = data_of_waves(psi), out(overlap_out_bytes(batch.shape));
    overlap_object.submit({batch.shape, OverlapPart::object},
                          {&batch.frames, &batch.probe, &batch.object, &batch.state, &out, &waves});
    expect_object_sums(batch, out, expected);
    overlap_probe.submit({batch.shape, OverlapPart::probe},
                         {&batch.frames, &batch.probe, &batch.object, &batch.state, &out, &waves});
    const HostAccess access(out, Access::read);
    throw_task_failure();
    const cfloat* part = probe_part(access.as<const std::byte>());
    Stack numerators(problem.probe.extents());
    for (Value& value : numerators) value = value_of(*part++);
    EXPECT_LT(relative_error(numerators, expected.numerators.probe), 5e-6);
    Image weight(problem.probe_shape());
    for (Value& value : weight) value = value_of(*part++);
    EXPECT_LT(relative_error(weight, expected.probe_weight), 2e-6);
}

INSTANTIATE_TEST_SUITE_P(All, ObjectModes,
                         testing::Combine(testing::ValuesIn(all_interpolations),
                                          testing::Values(Field::far, Field::near)),
                         [](const auto& chosen) {
                             return std::string(test::name(std::get<0>(chosen.param))) +
                                    (std::get<1>(chosen.param) == Field::far ? "_far" : "_near");
                         });

TEST(DivideObjectWithModes, HasOneWeightForAll) {
    constexpr Shape2 tile = {5, 7};
    constexpr std::size_t area = 35, modes = 3;
    const auto value = random_pixels(modes * area, 1);
    auto sums = random_pixels((modes + 1) * area, 2);
    for (std::size_t i = modes * area; i < sums.size(); ++i) sums[i] = {std::abs(sums[i].re), 0};
    const Data object = moving_field_of(value, value), field = data_of(sums, field_bytes(tile, modes + 1));
    const Data state = data_of_one(IterationState{});
    DivideObjectArgs args;
    args.tile = tile;
    args.num_modes = modes;
    args.inertia = 0.25;
    divide_object.submit(args, {&object, &field, &state});
    const auto found = content<cfloat>(object, modes * area);
    for (std::size_t i = 0; i < modes * area; ++i) {
        const double weight = static_cast<double>(sums[modes * area + i % area].re) + 0.25;
        EXPECT_LT(std::abs(value_of(found[i]) - value_of(value[i]) - value_of(sums[i]) / weight), 2e-6) << i;
    }
}

// ---- The form that results have

// <O_m, O_n> under the light of all frames, in double.
std::vector<Value> products_of(const Problem& problem) {
    const RealImage light = reference::illumination(problem);
    std::vector<Value> products;
    for (std::ptrdiff_t m = 0; m < problem.num_object_modes; ++m) {
        for (std::ptrdiff_t n = 0; n < problem.num_object_modes; ++n) {
            Value sum = 0;
            for (std::ptrdiff_t i = 0; i < light.size(); ++i)
                sum += light[i] * std::conj(problem.object.slice(m)[i]) * problem.object.slice(n)[i];
            products.push_back(sum);
        }
    }
    return products;
}

TEST(TurnModes, MakesThemOrthogonalUnderTheLightByFallingPower) {
    Problem problem = as_held(reference::random_problem({.num_object_modes = 3}), PatternType::i32);
    OneBatch batch(problem, PatternType::i32);
    constexpr std::size_t sums_size = 20;  // more than there are products
    const Data sums(sums_bytes(sums_size)), turn(mode_turn_bytes(3));
    clear.submit({sums.bytes()}, {&sums});
    for (int times = 0; times < 2; ++times)  // two batches
        find_mode_products.submit({batch.shape, sums_size},
                                  {&batch.frames, &batch.probe, &batch.object, &sums});
    const std::vector<Value> before = products_of(problem);
    {
        const HostAccess access(sums, Access::read);
        const cfloat* found = probe_part(access.as<const std::byte>());
        for (std::size_t i = 0; i < 9; ++i)
            EXPECT_LT(std::abs(value_of(found[i]) - 2.0 * before[i]), 1e-6 * std::abs(before[0])) << i;
    }
    note_mode_turn.submit({3, sums_size, 2.0}, {&sums, &turn});
    std::vector<cfloat> pixels;
    for (const Value& value : problem.object)
        pixels.push_back({static_cast<float>(value.real()), static_cast<float>(value.imag())});
    const Shape2 shape = {static_cast<std::int32_t>(problem.object.extent(1)),
                          static_cast<std::int32_t>(problem.object.extent(2))};
    const Data object = data_of(pixels, field_bytes(shape, 3));
    turn_modes.submit({3, shape}, {&turn, &object});
    const auto turned = content<cfloat>(object, pixels.size());
    const double cost = reference::cost(problem).total;
    for (std::size_t i = 0; i < turned.size(); ++i)
        problem.object[static_cast<std::ptrdiff_t>(i)] = value_of(turned[i]);
    EXPECT_NEAR(reference::cost(problem).total, cost, 1e-5 * cost);
    const std::vector<Value> after = products_of(problem);
    const auto powers = content<double>(turn, 3);
    const auto mixing = content<double>(turn, 3 + 18);
    for (std::size_t m = 0; m < 3; ++m) {
        for (std::size_t n = 0; n < 3; ++n) {
            if (m == n) continue;
            EXPECT_LT(std::abs(after[3 * m + n]), 2e-6 * std::abs(after[0]));
        }
        EXPECT_NEAR(powers[m], after[4 * m].real(), 2e-6 * after[0].real());
        EXPECT_LE(powers[m], powers[m == 0 ? 0 : m - 1]);
        EXPECT_GE(mixing[3 + 8 * m], 0);
        EXPECT_NEAR(mixing[4 + 8 * m], 0, 1e-12);
    }
}

// Kernels that keep waves on the chip know one object: the staged ones run.
TEST(ObjectModesOnChip, AreLeftToTheStagedKernels) {
    const Problem problem = as_held(
        reference::random_problem(
            {.frame = {64, 64}, .probe = {64, 64}, .num_modes = 1, .num_object_modes = 2, .num_frames = 1}),
        PatternType::u16);
    OneBatch batch(problem, PatternType::u16);
    batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
    const Unknowns staged = batch.gradient();
    batch.shape.on_chip = true;
    batch.run_gradient(KeptWaves::none, ProbeMotion::moving);
    EXPECT_EQ(relative_error(batch.gradient().object, staged.object), 0);
    EXPECT_LT(relative_error(staged.object, reference::gradient(problem).object), 5e-6);
}

}  // namespace
}  // namespace tessera::test
