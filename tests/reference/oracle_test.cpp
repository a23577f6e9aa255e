#include "oracle.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <numeric>
#include <tuple>

#include "random_problem.hpp"

// The oracle is held by identities and by finite differences, never by another implementation.
namespace tessera::reference {
namespace {

using Field = ProblemShape::Field;
using Detector = ProblemShape::Detector;

double largest_difference(const Image& a, const Image& b) {
    EXPECT_EQ(a.extents(), b.extents());
    double largest = 0;
    for (std::ptrdiff_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
    return largest;
}

class Transforms : public testing::TestWithParam<Extents<2>> {};

TEST_P(Transforms, AreUnitaryAndInverse) {
    const Image a = random_image(GetParam(), 3), b = random_image(GetParam(), 4);
    const double scale = static_cast<double>(a.size());
    EXPECT_LT(largest_difference(idft2(dft2(a)), a), 1e-13 * scale);
    EXPECT_LT(largest_difference(dft2(idft2(a)), a), 1e-13 * scale);
    EXPECT_NEAR(dot(dft2(a), dft2(a)).real(), dot(a, a).real(), 1e-12 * scale);
    EXPECT_LT(std::abs(dot(dft2(a), b) - dot(a, idft2(b))), 1e-12 * scale);
}

TEST_P(Transforms, OfAPointIsAWave) {
    const auto [num_y, num_x] = GetParam();
    Image point(GetParam());
    const std::ptrdiff_t y0 = num_y / 2, x0 = (num_x - 1) / 3;
    point(y0, x0) = 1;
    const Image wave = dft2(point);
    for (std::ptrdiff_t ky = 0; ky < num_y; ++ky) {
        for (std::ptrdiff_t kx = 0; kx < num_x; ++kx) {
            const double turns = static_cast<double>(ky * y0) / static_cast<double>(num_y) +
                                 static_cast<double>(kx * x0) / static_cast<double>(num_x);
            const double modulus = 1 / std::sqrt(static_cast<double>(num_y * num_x));
            EXPECT_LT(std::abs(wave(ky, kx) - std::polar(modulus, -2 * std::numbers::pi * turns)), 1e-12);
        }
    }
}

TEST_P(Transforms, ShiftByWholePixelsRolls) {
    const auto [num_y, num_x] = GetParam();
    const Image image = random_image(GetParam(), 5);
    const Image moved_image = shift(image, 2, -1);
    for (std::ptrdiff_t y = 0; y < num_y; ++y) {
        for (std::ptrdiff_t x = 0; x < num_x; ++x) {
            EXPECT_LT(std::abs(moved_image((y + 2) % num_y, (x + num_x - 1) % num_x) - image(y, x)), 1e-12);
        }
    }
}

TEST_P(Transforms, ShiftIsUnitaryAndAddsUp) {
    const Image a = random_image(GetParam(), 6), b = random_image(GetParam(), 7);
    const double scale = static_cast<double>(a.size());
    EXPECT_LT(largest_difference(shift(shift(a, 0.3, 0.8), -0.3, -0.8), a), 1e-13 * scale);
    EXPECT_LT(largest_difference(shift(shift(a, 0.3, 0.8), 0.25, -0.1), shift(a, 0.55, 0.7)), 1e-13 * scale);
    EXPECT_LT(std::abs(dot(shift(a, 0.3, 0.8), b) - dot(a, shift(b, -0.3, -0.8))), 1e-12 * scale);
}

TEST_P(Transforms, NearFieldIsUnitary) {
    const Image a = random_image(GetParam(), 8), b = random_image(GetParam(), 9);
    const double scale = static_cast<double>(a.size());
    const Image h = fresnel_transfer_function(GetParam(), {1e-6, 2e-6}, 1e-10, 5e-3);
    EXPECT_LT(largest_difference(propagate_back(propagate(a, h), h), a), 1e-13 * scale);
    EXPECT_LT(std::abs(dot(propagate(a, h), b) - dot(a, propagate_back(b, h))), 1e-12 * scale);
}

INSTANTIATE_TEST_SUITE_P(Sizes, Transforms,
                         testing::Values(Extents<2>{1, 1}, Extents<2>{1, 6}, Extents<2>{5, 1},
                                         Extents<2>{2, 2}, Extents<2>{7, 9}, Extents<2>{8, 12},
                                         Extents<2>{32, 40}));

TEST(Frequencies, AreSignedWithNegativeNyquist) {
    EXPECT_EQ(signed_frequency(0, 1), 0);
    EXPECT_EQ(signed_frequency(1, 2), -0.5);
    EXPECT_EQ(signed_frequency(1, 4), 0.25);
    EXPECT_EQ(signed_frequency(2, 4), -0.5);
    EXPECT_EQ(signed_frequency(2, 5), 0.4);
    EXPECT_EQ(signed_frequency(3, 5), -0.4);
}

// A Gaussian beam keeps its shape: waist w0 becomes w0 sqrt(1 + (z/z_R)^2) with z_R = pi w0^2 / lambda. This
// fixes the size of the exponent in H; the sign is fixed by the phase growing outwards as exp(+i pi r^2 /
// (lambda R)).
TEST(NearField, WidensAGaussianBeamAsTheFormulaSays) {
    const std::ptrdiff_t num = 48, centre = num / 2;
    const double pixel_size_m = 1e-6, waist_m = 4e-6, wavelength_m = 1e-10;
    const double rayleigh_m = std::numbers::pi * waist_m * waist_m / wavelength_m,
                 distance_m = 0.8 * rayleigh_m;
    Image beam({num, num});
    for (std::ptrdiff_t y = 0; y < num; ++y) {
        for (std::ptrdiff_t x = 0; x < num; ++x) {
            const double r2 =
                std::pow(static_cast<double>(y - centre), 2) + std::pow(static_cast<double>(x - centre), 2);
            beam(y, x) = std::exp(-r2 * pixel_size_m * pixel_size_m / (waist_m * waist_m));
        }
    }
    const Image h =
        fresnel_transfer_function({num, num}, {pixel_size_m, pixel_size_m}, wavelength_m, distance_m);
    const Image far = propagate(beam, h);
    const double width2 = waist_m * waist_m * (1 + 0.8 * 0.8);
    const double curvature_m = distance_m * (1 + 1 / (0.8 * 0.8));
    for (const std::ptrdiff_t offset : {1, 3, 5}) {
        const double r2 = std::pow(static_cast<double>(offset) * pixel_size_m, 2);
        const Value ratio = far(centre, centre + offset) / far(centre, centre);
        EXPECT_NEAR(std::abs(ratio), std::exp(-r2 / width2), 1e-6);
        EXPECT_NEAR(std::arg(ratio), std::numbers::pi * r2 / (wavelength_m * curvature_m), 1e-5);
    }
}

TEST(Interpolation, BilinearIsTheWeightedMeanOfFourCorners) {
    Problem problem = random_problem({.interpolation = Interpolation::bilinear});
    const Window& window = problem.windows[1];
    // A bilinear function is reproduced exactly.
    for (std::ptrdiff_t y = 0; y < problem.object.extent(1); ++y) {
        for (std::ptrdiff_t x = 0; x < problem.object.extent(2); ++x) {
            problem.object(0, y, x) = {static_cast<double>(2 * y - x), static_cast<double>(y * x)};
        }
    }
    const Image object = object_of_frame(problem, 1);
    for (std::ptrdiff_t y = 0; y < object.extent(0); ++y) {
        for (std::ptrdiff_t x = 0; x < object.extent(1); ++x) {
            const double ry = static_cast<double>(window.y + y) + window.frac_y;
            const double rx = static_cast<double>(window.x + x) + window.frac_x;
            EXPECT_LT(std::abs(object(y, x) - Value{2 * ry - rx, ry * rx}), 1e-12);
        }
    }
}

TEST(Interpolation, WithoutFractionsIsNearest) {
    for (const auto kind : {Interpolation::bilinear, Interpolation::fourier}) {
        Problem problem = random_problem({.interpolation = kind});
        for (Window& window : problem.windows) window.frac_y = window.frac_x = 0;
        const double value = cost(problem).total;
        problem.interpolation = Interpolation::nearest;
        EXPECT_NEAR(value, cost(problem).total, 1e-10 * value);
    }
}

// The beam stands still on the detector: without an object every frame is the probe itself, propagated.
TEST(NearField, OfAUniformObjectDoesNotDependOnTheSubPixelPosition) {
    Problem problem = random_problem(
        {.frame = {9, 12}, .probe = {9, 12}, .field = Field::near, .detector = Detector::plain});
    problem.object = Stack(problem.object.extents(), Value{1, 0});
    for (const auto kind : {Interpolation::nearest, Interpolation::bilinear, Interpolation::fourier}) {
        problem.interpolation = kind;
        problem.windows = {{1, 2, 0, 0}, {1, 2, 0.25, 0.4}, {0, 3, 0.45, 0.125}, {2, 1, 0.3, 0.1}};
        const RealImage first = intensity(problem, 0);
        for (std::ptrdiff_t j = 1; j < problem.num_frames(); ++j) {
            const RealImage other = intensity(problem, j);
            for (std::ptrdiff_t i = 0; i < first.size(); ++i) EXPECT_NEAR(other[i], first[i], 1e-9) << j;
        }
    }
}

TEST(Padding, PutsTheProbeAtHalfTheDifference) {
    // Near field over no distance is the padded exit wave itself.
    Problem problem =
        random_problem({.frame = {8, 7}, .probe = {5, 4}, .num_frames = 1, .field = Field::near});
    problem.windows[0].frac_y = problem.windows[0].frac_x = 0;
    problem.transfer_function = Image({8, 7}, Value{1, 0});
    const Stack waves = exit_waves(problem, 0), fields = far_fields(problem, 0);
    for (std::ptrdiff_t y = 0; y < 8; ++y) {
        for (std::ptrdiff_t x = 0; x < 7; ++x) {
            const bool inside = y >= 1 && y < 6 && x >= 1 && x < 5;  // floor(3/2) = 1 in both directions
            const Value expected = inside ? waves(0, y - 1, x - 1) : Value{0, 0};
            EXPECT_LT(std::abs(fields(0, y, x) - expected), 1e-12);
        }
    }
}

TEST(Intensity, HoldsThePowerOfTheExitWaves) {
    for (const auto field : {Field::far, Field::near}) {
        const Problem problem = random_problem({.field = field, .detector = Detector::plain});
        double on_detector = 0;
        for (const double value : intensity(problem, 2)) on_detector += value;
        const Stack waves = exit_waves(problem, 2);
        EXPECT_NEAR(on_detector, dot(waves, waves).real(), 1e-9 * on_detector);
    }
}

TEST(PixelCost, HasTheValuesOfTheTable) {
    EXPECT_NEAR(pixel_cost(NoiseModel::amplitude, 9, 4, 0), 1, 1e-15);
    EXPECT_NEAR(pixel_cost(NoiseModel::amplitude, 0, 4, 1), 1, 1e-15);
    EXPECT_NEAR(pixel_cost(NoiseModel::poisson, 2, 4, 0), 2 - 4 + 4 * std::log(2.0), 1e-15);
    EXPECT_NEAR(pixel_cost(NoiseModel::poisson, 2, 4, 2), 2 - 4, 1e-15);
    EXPECT_EQ(pixel_cost(NoiseModel::poisson, 2, 0, 1e-9), 2);
    EXPECT_NEAR(pixel_cost(NoiseModel::gaussian, 2, 5, 1e-9), 9.0 / 12, 1e-15);
}

TEST(Cost, OfAPerfectModelIsZeroAndItsGradientToo) {
    for (const auto noise_model : {NoiseModel::amplitude, NoiseModel::poisson, NoiseModel::gaussian}) {
        Problem problem = random_problem({.noise_model = noise_model, .detector = Detector::plain});
        problem.epsilon = 0;
        for (std::ptrdiff_t j = 0; j < problem.num_frames(); ++j) {
            const RealImage model = intensity(problem, j);
            for (std::ptrdiff_t i = 0; i < model.size(); ++i) problem.patterns.slice(j)[i] = model[i];
        }
        EXPECT_NEAR(cost(problem).total, 0, 1e-9);
        const Unknowns g = gradient(problem);
        EXPECT_NEAR(dot(g, g).real(), 0, 1e-15);
    }
}

TEST(Cost, IgnoresMaskedAndNegativePixels) {
    Problem problem = random_problem({});
    const Cost before = cost(problem);
    const Unknowns gradient_before = gradient(problem);
    std::ptrdiff_t masked = 0;
    while (problem.mask[masked] != 0) ++masked;
    problem.patterns.slice(1)[masked] = 1e6;
    problem.patterns.slice(0)[num_elements(problem.frame_shape()) / 3] = -7;
    EXPECT_EQ(cost(problem).total, before.total);
    EXPECT_EQ(cost(problem).data_error, before.data_error);
    EXPECT_EQ(dot(gradient(problem), gradient_before), dot(gradient_before, gradient_before));
}

TEST(Cost, PerFrameAddsUp) {
    const Problem problem = random_problem({.noise_model = NoiseModel::poisson});
    const Cost all = cost(problem);
    double sum = 0;
    for (const double value : all.per_frame) sum += value;
    EXPECT_NEAR(sum, all.total, 1e-12 * all.total);
    ASSERT_EQ(all.data_error_per_frame.size(), 4U);
    double weighted = 0, counts = 0;
    for (std::ptrdiff_t j = 0; j < 4; ++j) {
        double frame_counts = 0;
        for (std::ptrdiff_t i = 0; i < problem.mask.size(); ++i) {
            frame_counts += problem.mask[i] * std::max(0.0, problem.patterns.slice(j)[i]);
        }
        weighted += frame_counts * all.data_error_per_frame[static_cast<std::size_t>(j)];
        counts += frame_counts;
    }
    EXPECT_NEAR(weighted / counts, all.data_error, 1e-12);
}

using GradientCase = std::tuple<NoiseModel, Interpolation, Field, Detector>;
class Gradient : public testing::TestWithParam<GradientCase> {
  protected:
    static Problem problem(const ProblemShape& sizes) {
        ProblemShape shape = sizes;
        std::tie(shape.noise_model, shape.interpolation, shape.field, shape.detector) = GetParam();
        return random_problem(shape);
    }
    // The derivative along a direction by Richardson's central differences against 2 Re <g, direction>.
    static void expect_derivative(const Problem& problem, const Unknowns& direction) {
        const double h = 1e-4;
        const auto f = costs_along(problem, direction, {-2 * h, -h, h, 2 * h});
        const double measured = (8 * (f[2] - f[1]) - (f[3] - f[0])) / (12 * h);
        const double expected = 2 * dot(gradient(problem), direction).real();
        const double scale = std::max(std::abs(expected), 1e-3 * cost(problem).total);
        EXPECT_NEAR(measured, expected, 1e-6 * scale);
    }
};

TEST_P(Gradient, IsTheDerivativeOfTheCost) {
    const Problem small = problem({});
    for (const std::uint64_t seed : {11, 12}) expect_derivative(small, random_direction(small, seed));
}

TEST_P(Gradient, IsTheDerivativeInEachBlockAlone) {
    const Problem small = problem({.seed = 2});
    Unknowns object_only = random_direction(small, 13), probe_only = random_direction(small, 14);
    object_only.probe = Stack(small.probe.extents());
    probe_only.object = Stack(small.object.extents());
    expect_derivative(small, object_only);
    expect_derivative(small, probe_only);
}

TEST_P(Gradient, HoldsForOddSizesAndOnePixel) {
    const Problem odd =
        problem({.frame = {7, 5}, .probe = {7, 5}, .num_modes = 1, .num_frames = 3, .seed = 3});
    expect_derivative(odd, random_direction(odd, 15));
    // One pixel: no mask, which could leave nothing.
    ProblemShape shape{.frame = {1, 1}, .probe = {1, 1}, .num_modes = 1, .num_frames = 3, .seed = 4};
    std::tie(shape.noise_model, shape.interpolation, shape.field, std::ignore) = GetParam();
    shape.detector = Detector::plain;
    const Problem one_pixel = random_problem(shape);
    expect_derivative(one_pixel, random_direction(one_pixel, 16));
}

// Several slices: each slice alone, and all unknowns together.
TEST_P(Gradient, IsTheDerivativeInEverySlice) {
    for (const std::ptrdiff_t num_slices : {2, 3}) {
        const Problem sliced = problem({.num_slices = num_slices, .num_frames = 2, .seed = 5});
        const Unknowns all = random_direction(sliced, 17);
        expect_derivative(sliced, all);
        for (std::ptrdiff_t slice = 0; slice < num_slices; ++slice) {
            Unknowns one{Stack(all.object.extents()), Stack(all.probe.extents())};
            std::copy_n(all.object.slice(slice).begin(), all.object.slice(slice).size(),
                        one.object.slice(slice).begin());
            expect_derivative(sliced, one);
        }
    }
}

// Several modes of the object with several of the probe, likewise.
TEST_P(Gradient, IsTheDerivativeInEveryModeOfTheObject) {
    const Problem mixed = problem({.num_object_modes = 3, .num_frames = 2, .seed = 6});
    const Unknowns all = random_direction(mixed, 18);
    expect_derivative(mixed, all);
    for (std::ptrdiff_t mode = 0; mode < 3; ++mode) {
        Unknowns one{Stack(all.object.extents()), Stack(all.probe.extents())};
        std::copy_n(all.object.slice(mode).begin(), all.object.slice(mode).size(),
                    one.object.slice(mode).begin());
        expect_derivative(mixed, one);
    }
}

// Of pixels that each see several of the far field's, also where windows are larger than frames.
TEST_P(Gradient, IsTheDerivativeOfAnUpsampledDetectorsCost) {
    if (std::get<2>(GetParam()) == Field::near) GTEST_SKIP() << "the near field has no upsampling";
    for (const std::ptrdiff_t upsampling : {2, 3}) {
        const Problem fine = problem({.frame = {5, 6},
                                      .probe = {7, 9},
                                      .num_frames = 2,
                                      .blur_sigma = 0.5,
                                      .upsampling = upsampling,
                                      .seed = 6});
        expect_derivative(fine, random_direction(fine, 18));
    }
}

// The light is all there, and each pixel of the far field is seen by the nearest pixel of the detector.
TEST(UpsampledDetector, SumsTheFarField) {
    const Problem fine = random_problem({.frame = {5, 6}, .probe = {7, 9}, .upsampling = 3});
    RealImage one(fine.far_field_shape()), detector(fine.frame_shape());
    for (std::ptrdiff_t y = 0; y < one.extent(0); ++y) {
        for (std::ptrdiff_t x = 0; x < one.extent(1); ++x) {
            one(y, x) = 1;
            const RealImage seen = summed(fine, one);
            one(y, x) = 0;
            const auto nearest_y = std::lround(static_cast<double>(y) / 3) % 5,
                       nearest_x = std::lround(static_cast<double>(x) / 3) % 6;
            EXPECT_EQ(std::accumulate(seen.begin(), seen.end(), 0.0), 1);
            EXPECT_EQ(seen(nearest_y, nearest_x), 1);
            detector(nearest_y, nearest_x) = 1;
            EXPECT_EQ(spread(fine, detector)(y, x), 1);
            detector(nearest_y, nearest_x) = 0;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(
    All, Gradient,
    testing::Combine(testing::Values(NoiseModel::amplitude, NoiseModel::poisson, NoiseModel::gaussian),
                     testing::Values(Interpolation::nearest, Interpolation::bilinear, Interpolation::fourier),
                     testing::Values(Field::far, Field::near),
                     testing::Values(Detector::plain, Detector::masked_with_background)));

// The same problem, every number by a formula, is in model_test.py: two texts that share nothing but physics
// agree.
Problem agreed_problem(Interpolation interpolation, Field field, NoiseModel noise_model) {
    Problem problem;
    problem.interpolation = interpolation;
    problem.noise_model = noise_model;
    problem.epsilon = default_epsilon(noise_model);
    problem.probe = Stack({2, 5, 6});
    for (std::ptrdiff_t i = 0; i < problem.probe.size(); ++i) {
        const auto t = static_cast<double>(i);
        problem.probe[i] = {3 * std::cos(0.7 * t), 2 * std::sin(1.3 * t)};
    }
    problem.object = Stack({1, 12, 13});
    for (std::ptrdiff_t i = 0; i < problem.object.size(); ++i) {
        const auto t = static_cast<double>(i);
        problem.object[i] = {1 + 0.2 * std::cos(1.1 * t), 0.3 * std::sin(0.6 * t)};
    }
    problem.patterns = Array<double, 3>({3, 8, 7});
    for (std::ptrdiff_t i = 0; i < problem.patterns.size(); ++i) {
        problem.patterns[i] = static_cast<double>(7 * i % 23) - 1;  // some are -1: ignored
    }
    problem.mask = RealImage({8, 7});
    problem.background = RealImage({8, 7});
    for (std::ptrdiff_t i = 0; i < problem.mask.size(); ++i) {
        problem.mask[i] = i % 5 != 0 ? 1 : 0;
        problem.background[i] = 0.25 * static_cast<double>(i % 3);
    }
    if (field == Field::near) {
        problem.transfer_function = fresnel_transfer_function({8, 7}, {1e-6, 1.5e-6}, 1e-10, 4e-3);
    }
    // The same positions: (0.25, 1.5), (3.75, 2.125), (5.5, 6.875).
    problem.windows = {{0, 1, 0.25, 0.5}, {3, 2, 0.75, 0.125}, {5, 6, 0.5, 0.875}};
    if (interpolation == Interpolation::fourier) {
        problem.windows = {{0, 2, 0.25, -0.5}, {4, 2, -0.25, 0.125}, {6, 7, -0.5, -0.125}};
    }
    return problem;
}

TEST(AgreedValues, OfCostAreThoseOfTheNumpyModel) {
    const struct {
        Interpolation interpolation;
        Field field;
        NoiseModel noise_model;
        double cost;
    } cases[] = {{Interpolation::nearest, Field::far, NoiseModel::amplitude, 699.5131126945178},
                 {Interpolation::bilinear, Field::far, NoiseModel::amplitude, 727.9018411771043},
                 {Interpolation::fourier, Field::far, NoiseModel::amplitude, 626.2064819092025},
                 {Interpolation::nearest, Field::near, NoiseModel::amplitude, 656.9759727395534},
                 {Interpolation::bilinear, Field::near, NoiseModel::amplitude, 619.0617643132841},
                 {Interpolation::fourier, Field::near, NoiseModel::amplitude, 464.0614792505528},
                 {Interpolation::fourier, Field::near, NoiseModel::poisson, 1434.5761021985493},
                 {Interpolation::bilinear, Field::far, NoiseModel::gaussian, 3476.9595647502056}};
    for (const auto& [interpolation, field, noise_model, expected] : cases) {
        EXPECT_NEAR(cost(agreed_problem(interpolation, field, noise_model)).total, expected, 1e-9);
    }
}

TEST(Gradient, AddsUpOverFrames) {
    const Problem problem = random_problem({});
    const Unknowns whole = gradient(problem);
    Value sum = 0;
    for (std::ptrdiff_t j = 0; j < problem.num_frames(); ++j) {
        Problem one = problem;
        one.windows = {problem.windows[static_cast<std::size_t>(j)]};
        one.patterns = Array<double, 3>({1, problem.patterns.extent(1), problem.patterns.extent(2)});
        for (std::ptrdiff_t i = 0; i < one.patterns.size(); ++i)
            one.patterns[i] = problem.patterns.slice(j)[i];
        sum += dot(whole, gradient(one));
    }
    EXPECT_NEAR(sum.real(), dot(whole, whole).real(), 1e-12 * sum.real());
}

// Along a direction the far field is A + s B + s^2 C: a thin object's line search rests on this, so the
// intensity is a polynomial of degree 4 and its fifth difference vanishes.
TEST(LineSearch, IntensityAlongADirectionIsAQuartic) {
    for (const auto kind : {Interpolation::nearest, Interpolation::bilinear, Interpolation::fourier}) {
        const Problem problem = random_problem({.interpolation = kind});
        const Unknowns direction = random_direction(problem, 21);
        const double binomials[] = {-1, 5, -10, 10, -5, 1};
        double difference = 0, size = 0;
        for (int i = 0; i <= 5; ++i) {
            const double value = intensity(moved(problem, direction, 0.3 * i), 0)(3, 4);
            difference += binomials[i] * value;
            size += std::abs(value);
        }
        EXPECT_LT(std::abs(difference), 1e-11 * size);
    }
}

TEST(LineSearch, CostAtStepZeroIsTheCost) {
    const Problem problem = random_problem({});
    const auto costs = costs_along(problem, random_direction(problem, 22), {0, 0.5});
    EXPECT_EQ(costs[0], cost(problem).total);
    EXPECT_NE(costs[1], costs[0]);
}

TEST(LineSearch, GoesDownAgainstThePreconditionedGradient) {
    Problem problem = random_problem({});
    Unknowns direction = gradient(problem);
    const RealImage of_object = preconditioner(illumination(problem), 0.1);
    const RealImage of_probe = preconditioner(coverage(problem), 0.1);
    for (std::ptrdiff_t i = 0; i < direction.object.size(); ++i) direction.object[i] *= -of_object[i];
    for (std::ptrdiff_t k = 0; k < problem.num_modes(); ++k) {
        for (std::ptrdiff_t i = 0; i < of_probe.size(); ++i) direction.probe.slice(k)[i] *= -of_probe[i];
    }
    const auto costs = costs_along(problem, direction, {0, 0.25});
    EXPECT_LT(costs[1], 0.9 * costs[0]);
}

// Without fractions illumination and coverage are what the formulas say with the windows themselves, so
// sum A |O|^2 = sum C sum_k |P_k|^2 = the power of all exit waves.
TEST(Preconditioner, IlluminationAndCoverageHoldThePowerOfTheExitWaves) {
    const Problem problem = random_problem({.interpolation = Interpolation::nearest});
    double power = 0, by_illumination = 0, by_coverage = 0;
    for (std::ptrdiff_t j = 0; j < problem.num_frames(); ++j) {
        const Stack waves = exit_waves(problem, j);
        power += dot(waves, waves).real();
    }
    const RealImage on_object = illumination(problem), on_probe = coverage(problem);
    for (std::ptrdiff_t i = 0; i < on_object.size(); ++i) {
        by_illumination += on_object[i] * std::norm(problem.object[i]);
    }
    for (std::ptrdiff_t k = 0; k < problem.num_modes(); ++k) {
        for (std::ptrdiff_t i = 0; i < on_probe.size(); ++i) {
            by_coverage += on_probe[i] * std::norm(problem.probe.slice(k)[i]);
        }
    }
    EXPECT_NEAR(by_illumination, power, 1e-10 * power);
    EXPECT_NEAR(by_coverage, power, 1e-10 * power);
}

TEST(Preconditioner, HasWindowsAtTheirWholePixels) {
    Problem problem = random_problem({.frame = {1, 1}, .probe = {1, 1}, .num_modes = 1, .num_frames = 2});
    problem.object = Stack({1, 3, 3}, Value{3, 4});
    for (const auto kind : {Interpolation::bilinear, Interpolation::fourier}) {
        problem.interpolation = kind;
        problem.windows = {{.y = 0, .x = 0, .frac_y = 0.49, .frac_x = 0.25},
                           {.y = 1, .x = 0, .frac_y = kind == Interpolation::bilinear ? 0.9 : -0.4}};
        const RealImage on_object = illumination(problem);
        for (std::ptrdiff_t i = 0; i < on_object.size(); ++i) {
            EXPECT_DOUBLE_EQ(on_object[i], i == 0 || i == 3 ? std::norm(problem.probe[0]) : 0.0) << i;
        }
        EXPECT_DOUBLE_EQ(coverage(problem)(0, 0), 50);
    }
}

TEST(Preconditioner, LiesBetweenTheWeightAndItsMaximum) {
    RealImage weight({1, 2});
    weight(0, 0) = 4;
    EXPECT_DOUBLE_EQ(preconditioner(weight, 0.1)(0, 0), 0.25);
    EXPECT_DOUBLE_EQ(preconditioner(weight, 0.1)(0, 1), 2.5);
}

// ---- Several slices

// <G(.. d_l ..), w> = <d_l, adjoint_l w>: the exit wave is linear in each slice, and the sum over slices
// would count it several times.
TEST(Slices, HaveEachItsAdjoint) {
    for (const auto kind : {Interpolation::nearest, Interpolation::bilinear, Interpolation::fourier}) {
        const Problem problem = random_problem({.num_slices = 3, .interpolation = kind});
        const Unknowns direction = random_direction(problem, 41);
        for (std::ptrdiff_t slice = 0; slice < 3; ++slice) {
            Problem along = problem;
            std::copy_n(direction.object.slice(slice).begin(), direction.object.slice(slice).size(),
                        along.object.slice(slice).begin());
            Image d({problem.object.extent(1), problem.object.extent(2)});
            std::copy_n(direction.object.slice(slice).begin(), d.size(), d.begin());
            for (std::ptrdiff_t j = 0; j < problem.num_frames(); ++j) {
                const Value forward = dot(exit_waves(along, j), direction.probe);
                const Value adjoint = dot(d, slice_adjoint(problem, j, slice, direction.probe));
                EXPECT_LT(std::abs(forward - adjoint), 1e-11 * std::abs(forward)) << slice;
            }
        }
    }
}

TEST(Slices, WithoutSpaceBetweenThemAreTheirProduct) {
    Problem sliced = random_problem({.num_slices = 3, .interpolation = Interpolation::fourier});
    for (Image& transfer : sliced.slice_transfer_functions)
        transfer = Image(sliced.probe_shape(), Value{1, 0});
    Problem thin = sliced;
    thin.slice_transfer_functions.clear();
    thin.object = Stack({1, sliced.object.extent(1), sliced.object.extent(2)});
    for (std::ptrdiff_t i = 0; i < thin.object.size(); ++i) {
        thin.object[i] = sliced.object.slice(0)[i] * sliced.object.slice(1)[i] * sliced.object.slice(2)[i];
    }
    EXPECT_NEAR(cost(sliced).total, cost(thin).total, 1e-10 * cost(thin).total);
    EXPECT_LT(std::abs(dot(gradient(sliced).probe, gradient(thin).probe) -
                       dot(gradient(thin).probe, gradient(thin).probe)),
              1e-10 * std::abs(dot(gradient(thin).probe, gradient(thin).probe)));
}

// What each mode of an object makes of a frame alone adds up; modes that a unitary matrix mixes make the
// same.
TEST(ObjectModes, AddTheirIntensities) {
    const Problem mixed = random_problem({.num_object_modes = 2, .detector = Detector::plain});
    const RealImage together = intensity(mixed, 0);
    const RealImage first = intensity(of_object_mode(mixed, 0), 0),
                    second = intensity(of_object_mode(mixed, 1), 0);
    for (std::ptrdiff_t i = 0; i < together.size(); ++i)
        EXPECT_NEAR(together[i], first[i] + second[i], 1e-11 * together[i]);
    Problem turned = mixed;
    const Value c = std::polar(0.6, 0.3), s = std::polar(0.8, -1.1);
    for (std::ptrdiff_t i = 0; i < mixed.object.size() / 2; ++i) {
        const Value a = mixed.object.slice(0)[i], b = mixed.object.slice(1)[i];
        turned.object.slice(0)[i] = c * a + s * b;
        turned.object.slice(1)[i] = -std::conj(s) * a + std::conj(c) * b;
    }
    EXPECT_NEAR(cost(turned).total, cost(mixed).total, 1e-10 * cost(mixed).total);
}

// An empty object is free space over the whole way.
TEST(Slices, OfAnEmptyObjectPropagateTheProbe) {
    Problem problem = random_problem(
        {.num_slices = 3, .interpolation = Interpolation::nearest, .detector = Detector::plain});
    problem.object = Stack(problem.object.extents(), Value{1, 0});
    Image wave = wave_before_slice(problem, 0, 1, 0);
    for (const Image& transfer : problem.slice_transfer_functions) wave = propagate(wave, transfer);
    EXPECT_LT(largest_difference(wave_before_slice(problem, 0, 1, 2), wave), 1e-12);
    // The probe's power is the same in every slice, and so is the preconditioner's.
    double power[3] = {};
    for (std::ptrdiff_t slice = 0; slice < 3; ++slice) {
        for (const double value : illumination(problem, slice)) power[slice] += value;
        EXPECT_NEAR(power[slice], power[0], 1e-10 * power[0]);
    }
}

}  // namespace
}  // namespace tessera::reference
