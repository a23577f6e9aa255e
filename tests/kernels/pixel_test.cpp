// The formulas of src/pixel in double against the textbook's expressions, written out here a second time.
#include "pixel/formulas.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <vector>

namespace tessera {
namespace {

using pixel::IntensityPolynomial;
using pixel::Misfit;
using Value = std::complex<double>;

constexpr double poisson_epsilon = 1e-2, amplitude_epsilon = 1e-9;

cdouble to_ours(Value z) {
    return {z.real(), z.imag()};
}

Value to_std(cdouble z) {
    return {z.re, z.im};
}

// Counts and intensities from an empty pixel to a direct beam.
const std::vector<double> counts_of_interest = {0, 1, 2, 7, 100, 65535, 1e6};
const std::vector<double> intensities_of_interest = {0, 1e-6, 0.3, 1, 6.9, 120, 7e4, 2e6};

// A noise model as the program has it and as the textbook has it: cost and df/dI.
struct NoiseCase {
    const char* name;
    Misfit<double> (*ours)(double intensity, double counts, double mask);
    Misfit<float> (*ours_single)(float intensity, float counts, float mask);
    double (*cost)(double intensity, double counts);
    double (*slope)(double intensity, double counts);
};

const NoiseCase noise_cases[] = {
    {"amplitude",
     [](double i, double d, double m) { return pixel::amplitude_misfit(i, d, m, amplitude_epsilon, 1.0); },
     [](float i, float d, float m) { return pixel::amplitude_misfit(i, d, m, 1e-9f, 1.0f); },
     [](double i, double d) { return std::pow(std::sqrt(i + amplitude_epsilon) - std::sqrt(d), 2); },
     [](double i, double d) { return 1 - std::sqrt(d / (i + amplitude_epsilon)); }},
    {"poisson",
     [](double i, double d, double m) { return pixel::poisson_misfit(i, d, m, poisson_epsilon, 1.0); },
     [](float i, float d, float m) { return pixel::poisson_misfit(i, d, m, 1e-2f, 1.0f); },
     [](double i, double d) { return i - d + (d > 0 ? d * std::log(d / (i + poisson_epsilon)) : 0); },
     [](double i, double d) { return 1 - d / (i + poisson_epsilon); }},
    {"gaussian", [](double i, double d, double m) { return pixel::gaussian_misfit(i, d, m, 0.5, 1.0); },
     [](float i, float d, float m) { return pixel::gaussian_misfit(i, d, m, 0.5f, 1.0f); },
     [](double i, double d) { return (i - d) * (i - d) / (2 * (d + 1)); },
     [](double i, double d) { return (i - d) / (d + 1); }},
};

template <class Check>
void for_each_case(const Check& check) {
    for (const NoiseCase& noise : noise_cases) {
        for (const double counts : counts_of_interest) {
            for (const double intensity : intensities_of_interest) {
                SCOPED_TRACE(testing::Message() << noise.name << ", I = " << intensity << ", d = " << counts);
                check(noise, intensity, counts);
            }
        }
    }
}

TEST(NoiseModels, AreTheTextbooksExpressions) {
    for_each_case([](const NoiseCase& noise, double intensity, double counts) {
        const Misfit<double> misfit = noise.ours(intensity, counts, 1);
        const double scale = intensity + counts + 1;  // of the terms that nearly cancel
        EXPECT_NEAR(misfit.cost, noise.cost(intensity, counts), 1e-13 * scale * std::log(scale + 2));
        EXPECT_NEAR(misfit.factor, noise.slope(intensity, counts),
                    1e-13 * (1 + std::abs(noise.slope(intensity, counts))));
    });
}

// df/dPsi* = factor Psi, so the factor is the cost's derivative by the intensity. (Poisson: but for epsilon /
// (I + epsilon) in nothing; the cost's own I has no epsilon.)
TEST(NoiseModels, FactorIsTheDerivativeOfTheCost) {
    for_each_case([](const NoiseCase& noise, double intensity, double counts) {
        if (intensity < 0.1) return;  // steep where I vanishes: the difference quotient says nothing
        const double h = 1e-4 * intensity;
        const auto cost = [&](double i) { return noise.ours(i, counts, 1).cost; };
        const double slope = (8 * (cost(intensity + h) - cost(intensity - h)) -
                              (cost(intensity + 2 * h) - cost(intensity - 2 * h))) /
                             (12 * h);
        const double rounding = 1e-15 * (intensity + counts * 20 + noise.cost(intensity, counts)) / h;
        EXPECT_NEAR(noise.ours(intensity, counts, 1).factor, slope, 1e-9 * (1 + std::abs(slope)) + rounding);
    });
}

TEST(NoiseModels, AMaskOfZeroIsExactlyZero) {
    for_each_case([](const NoiseCase& noise, double intensity, double counts) {
        const Misfit<double> misfit = noise.ours(intensity, counts, 0);
        EXPECT_EQ(misfit.cost, 0);
        EXPECT_EQ(misfit.factor, 0);
        EXPECT_EQ(pixel::amplitude_error(intensity, counts, 0.0), 0);
    });
}

TEST(NoiseModels, AMaskIsAWeight) {
    for_each_case([](const NoiseCase& noise, double intensity, double counts) {
        const Misfit<double> whole = noise.ours(intensity, counts, 1),
                             half = noise.ours(intensity, counts, 0.5);
        EXPECT_NEAR(half.cost, 0.5 * whole.cost, 1e-15 * std::abs(whole.cost));
        EXPECT_NEAR(half.factor, 0.5 * whole.factor, 1e-15 * std::abs(whole.factor));
    });
}

TEST(NoiseModels, WithoutCountsAreFiniteAndKnown) {
    EXPECT_NEAR(pixel::amplitude_misfit(9.0, 0.0, 1.0, 0.0, 1.0).cost, 9, 1e-14);
    EXPECT_EQ(pixel::amplitude_misfit(9.0, 0.0, 1.0, 0.0, 1.0).factor, 1);
    EXPECT_EQ(pixel::poisson_misfit(9.0, 0.0, 1.0, poisson_epsilon, 1.0).cost, 9);  // 0 log 0 = 0
    EXPECT_EQ(pixel::poisson_misfit(9.0, 0.0, 1.0, poisson_epsilon, 1.0).factor, 1);
    EXPECT_EQ(pixel::gaussian_misfit(9.0, 0.0, 1.0, 0.5, 1.0).cost, 40.5);
    EXPECT_EQ(pixel::gaussian_misfit(9.0, 0.0, 1.0, 0.5, 1.0).factor, 9);
    // Neither light nor counts: nothing at all.
    EXPECT_NEAR(pixel::amplitude_misfit(0.0, 0.0, 1.0, amplitude_epsilon, 1.0).cost, amplitude_epsilon,
                1e-20);
    EXPECT_EQ(pixel::poisson_misfit(0.0, 0.0, 1.0, poisson_epsilon, 1.0).cost, 0);
    // Fractions of counts, as averages and simulations have them.
    for (const float counts : {1e-38f, 1e-20f, 1e-9f, 1e-7f, 1e-5f}) {
        for (const float intensity : {0.0f, 1e-3f, 0.5f, 9.0f, 1e6f}) {
            EXPECT_NEAR(pixel::poisson_misfit(intensity, counts, 1.0f, 1e-2f, 1.0f).cost, intensity,
                        3e-4f + 1e-6f * intensity)
                << counts << " counts, " << intensity;
        }
    }
    EXPECT_EQ(pixel::gaussian_misfit(0.0, 0.0, 1.0, 0.5, 1.0).cost, 0);
}

TEST(NoiseModels, WithoutLightStayFiniteInSinglePrecision) {
    for (const NoiseCase& noise : noise_cases) {
        for (const float counts : {0.0f, 1.0f, 65535.0f, 1e6f}) {
            const Misfit<float> misfit = noise.ours_single(0, counts, 1);
            EXPECT_TRUE(std::isfinite(misfit.cost) && std::isfinite(misfit.factor))
                << noise.name << " " << counts;
        }
    }
}

// Single precision rounds at every step by at most half a unit: 2^-24 of the largest intermediate result. The
// costs are differences of numbers of the size of I and d (amplitude: of their roots, then squared), the
// factors of numbers of the size of one and the ratio.
TEST(NoiseModels, SinglePrecisionErrsByAFewUnits) {
    constexpr double unit = 0x1p-24;
    for_each_case([](const NoiseCase& noise, double intensity, double counts) {
        const auto i = static_cast<float>(intensity), d = static_cast<float>(counts);
        const Misfit<float> single = noise.ours_single(i, d, 1);
        const Misfit<double> exact = noise.ours(static_cast<double>(i), static_cast<double>(d), 1);
        const double logarithm = std::abs(std::log((counts + 1e-2) / (intensity + 1e-2))) + 1;
        const double size = (intensity + counts) * logarithm + exact.cost;
        EXPECT_NEAR(static_cast<double>(single.cost), exact.cost, 8 * unit * size);
        EXPECT_NEAR(static_cast<double>(single.factor), exact.factor,
                    8 * unit * (2 + std::abs(exact.factor)));
    });
}

TEST(AmplitudeError, IsTheSquaredDifferenceOfRoots) {
    EXPECT_EQ(pixel::amplitude_error(9.0, 4.0, 1.0), 1);
    EXPECT_EQ(pixel::amplitude_error(0.0, 4.0, 1.0), 4);
    EXPECT_EQ(pixel::amplitude_error(9.0, 0.0, 0.5), 4.5);
}

// ---- Along a line

const std::array<std::array<Value, 3>, 2> fields = {
    {{Value{1.5, -0.3}, Value{0.2, 2.0}, Value{-0.7, 0.1}},
     {Value{-0.4, 0.8}, Value{1.1, -0.6}, Value{0.05, -0.9}}}};

TEST(LinePolynomial, IsTheIntensityAtEveryStep) {
    IntensityPolynomial<double> both = {}, object_only = {};
    for (const auto& [a, b, c] : fields) {
        both = add_mode(both, to_ours(a), to_ours(b), to_ours(c));
        object_only = add_mode(object_only, to_ours(a), to_ours(b));
    }
    for (const double step : {0.0, 1e-3, 0.1, 1.0, -2.0, 16.0}) {
        double expected_both = 0, expected_object = 0;
        for (const auto& [a, b, c] : fields) {
            expected_both += std::norm(a + step * b + step * step * c);
            expected_object += std::norm(a + step * b);
        }
        EXPECT_NEAR(intensity_at(both, step), expected_both, 1e-14 * (1 + expected_both) * (1 + step * step));
        EXPECT_NEAR(intensity_at(object_only, step), expected_object,
                    1e-14 * (1 + expected_object) * (1 + step * step));
    }
}

TEST(LinePolynomial, HasTheCoefficientsOfTheProduct) {
    const auto& [a, b, c] = fields[0];
    const IntensityPolynomial<double> p =
        add_mode(IntensityPolynomial<double>{1, 2, 3, 4, 5}, to_ours(a), to_ours(b), to_ours(c));
    EXPECT_NEAR(p.c0, 1 + std::norm(a), 1e-15);
    EXPECT_NEAR(p.c1, 2 + 2 * std::real(std::conj(a) * b), 1e-15);
    EXPECT_NEAR(p.c2, 3 + std::norm(b) + 2 * std::real(std::conj(a) * c), 2e-15);
    EXPECT_NEAR(p.c3, 4 + 2 * std::real(std::conj(b) * c), 2e-15);
    EXPECT_NEAR(p.c4, 5 + std::norm(c), 2e-15);
}

TEST(LinePolynomial, WithoutCIsThatOfAVanishingC) {
    const auto& [a, b, c] = fields[1];
    const auto without = add_mode(IntensityPolynomial<double>{}, to_ours(a), to_ours(b));
    const auto vanishing = add_mode(IntensityPolynomial<double>{}, to_ours(a), to_ours(b), cdouble{0, 0});
    EXPECT_EQ(without.c0, vanishing.c0);
    EXPECT_EQ(without.c1, vanishing.c1);
    EXPECT_EQ(without.c2, vanishing.c2);
    EXPECT_EQ(without.c3, 0);
    EXPECT_EQ(without.c4, 0);
}

// ---- Updates and complex arithmetic

TEST(FieldUpdate, IsThePreconditionedConjugateDirection) {
    const double alpha = 0.1, weight = 3.5, largest = 20;
    const double m = pixel::precondition(weight, 1 - alpha, alpha * largest);
    EXPECT_NEAR(m, 1 / (0.9 * 3.5 + 0.1 * 20), 1e-16);
    EXPECT_NEAR(pixel::precondition(0.0, 1 - alpha, alpha * largest), 0.5, 1e-16);
    const Value direction{0.3, -2}, gradient{-5, 0.25};
    const Value expected = 0.7 * direction - m * gradient;
    const Value found = to_std(pixel::conjugate_direction(to_ours(direction), to_ours(gradient), m, 0.7));
    EXPECT_LT(std::abs(found - expected), 1e-15);
}

// ---- Projections

TEST(FourierProjection, GivesTheMeasuredAmplitudeButForAShareOfTheError) {
    for (const double counts : {0.0, 3.0, 900.0}) {
        for (const double intensity : {0.25, 7.0, 4e4}) {
            for (const double background : {0.0, 2.0}) {
                const double measured = std::sqrt(std::max(counts - background, 0.0));
                const auto error = pixel::modulus_error(intensity, counts, background, 1.0, 0.0, 0.0, 1.0);
                EXPECT_NEAR(error.squared, std::pow(std::sqrt(intensity) - measured, 2),
                            1e-12 * (intensity + counts));
                for (const double share : {0.0, 0.3, 1.0}) {
                    const double factor = pixel::relaxed_modulus_factor(error.quotient, share, 1.0);
                    EXPECT_NEAR(factor * std::sqrt(intensity),
                                measured + (std::sqrt(intensity) - measured) * share,
                                1e-13 * (1 + intensity + counts));
                }
                const auto ignored = pixel::modulus_error(intensity, counts, background, 0.0, 0.0, 0.0, 1.0);
                EXPECT_EQ(ignored.quotient, 1);
                EXPECT_EQ(ignored.squared, 0);
            }
        }
    }
}

TEST(OverlapProjection, IsTheQuotientOfTheSums) {
    const Value before{0.3, -1.2}, light{2, 0.5}, wave{-4, 9};
    const double weight = std::norm(light), inertia = 0.125;
    const Value numerator = std::conj(light) * (wave - light * before);
    const Value found = to_std(pixel::overlap_update(to_ours(before), to_ours(numerator), weight, inertia));
    EXPECT_LT(std::abs(found - (std::conj(light) * wave + inertia * before) / (weight + inertia)), 1e-14);
}

TEST(ClippedAmplitude, IsWithinItsLimitsAndKeepsItsPhase) {
    for (const Value value : {Value{0.1, -0.2}, Value{0.6, 0.6}, Value{-30, 4}}) {
        const Value found = to_std(pixel::clip_amplitude(to_ours(value), 0.5, 1.0, 1e-30));
        const double amplitude = std::clamp(std::abs(value), 0.5, 1.0);
        EXPECT_LT(std::abs(found - value * (amplitude / std::abs(value))), 1e-14);
    }
    EXPECT_EQ(to_std(pixel::clip_amplitude(cdouble{0, 0}, 0.5, 1.0, 1e-30)), Value(0));
}

TEST(ComplexArithmetic, AgreesWithTheStandardLibrary) {
    const Value a{1.25, -0.5}, b{-3, 0.75}, c{0.1, 40};
    const auto expect = [](cdouble found, Value expected) {
        EXPECT_LT(std::abs(to_std(found) - expected), 1e-14);
    };
    expect(to_ours(a) * to_ours(b), a * b);
    expect(conj_mul(to_ours(a), to_ours(b)), std::conj(a) * b);
    expect(mul_add(to_ours(a), to_ours(b), to_ours(c)), a * b + c);
    expect(conj_mul_add(to_ours(a), to_ours(b), to_ours(c)), std::conj(a) * b + c);
    expect(scale_add(2.5, to_ours(a), to_ours(c)), 2.5 * a + c);
    expect(to_ours(a) - to_ours(b) + to_ours(c), a - b + c);
    expect(conj(to_ours(a)), std::conj(a));
    EXPECT_NEAR(norm(to_ours(a)), std::norm(a), 1e-15);
    EXPECT_NEAR(norm_add(to_ours(a), 2.0), std::norm(a) + 2, 1e-15);
    EXPECT_NEAR(dot(to_ours(a), to_ours(b)), std::real(std::conj(a) * b), 1e-15);
    EXPECT_NEAR(dot_add(to_ours(a), to_ours(b), 7.0), std::real(std::conj(a) * b) + 7, 1e-14);
}

}  // namespace
}  // namespace tessera
