#include "scan/random.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace tessera {
namespace {

TEST(Random, SameSeedAndStreamGiveTheSameNumbers) {
    Random a(7, 3), b(7, 3), other_stream(7, 4), other_seed(8, 3);
    int same_stream = 0, same_seed = 0;
    for (int i = 0; i < 100; ++i) {
        const double value = a.uniform();
        EXPECT_EQ(value, b.uniform());
        EXPECT_GE(value, 0);
        EXPECT_LT(value, 1);
        same_stream += value == other_stream.uniform();
        same_seed += value == other_seed.uniform();
    }
    EXPECT_EQ(same_stream + same_seed, 0);
}

TEST(Random, NormalHasUnitVariance) {
    Random random(1, 0);
    const int n = 100000;
    double first = 0, second = 0, fourth = 0;
    for (int i = 0; i < n; ++i) {
        const double value = random.normal();
        first += value;
        second += value * value;
        fourth += std::pow(value, 4);
    }
    EXPECT_NEAR(first / n, 0, 5 / std::sqrt(n));
    EXPECT_NEAR(second / n, 1, 5 * std::sqrt(2.0 / n));
    EXPECT_NEAR(fourth / n, 3, 5 * std::sqrt(96.0 / n));
}

class PoissonCounts : public testing::TestWithParam<double> {};

// Pearson's test against the probabilities themselves.
TEST_P(PoissonCounts, FollowTheirDistribution) {
    const double mean = GetParam();
    const int n = 100000;
    Random random(11, 0);
    std::map<std::int64_t, double> histogram;
    for (int i = 0; i < n; ++i) histogram[random.poisson(mean)] += 1;

    double chi_squared = 0, degrees = -1, expected_sum = 0, rare_expected = 0, rare_seen = 0;
    const auto last = static_cast<std::int64_t>(mean + 12 * std::sqrt(mean) + 20);
    for (std::int64_t count = 0; count <= last; ++count) {
        const auto k = static_cast<double>(count);
        const double expected = n * std::exp(k * std::log(mean) - mean - std::lgamma(k + 1));
        const auto found = histogram.find(count);
        const double seen = found == histogram.end() ? 0 : found->second;
        expected_sum += expected;
        if (expected < 10) {
            rare_expected += expected;
            rare_seen += seen;
            continue;
        }
        chi_squared += (seen - expected) * (seen - expected) / expected;
        degrees += 1;
    }
    EXPECT_NEAR(expected_sum, n, 1e-3);
    EXPECT_NEAR(rare_seen, rare_expected, 5 * std::sqrt(rare_expected + 1));
    EXPECT_NEAR(chi_squared, degrees, 4.5 * std::sqrt(2 * degrees + 1)) << "mean " << mean;
}

INSTANTIATE_TEST_SUITE_P(Means, PoissonCounts, testing::Values(0.02, 0.7, 5.0, 9.99, 10.0, 37.5, 900.0));

TEST(Random, PoissonOfLargeMeansHasMeanAndVariance) {
    Random random(5, 0);
    const int n = 20000;
    const double mean = 3e6;
    double first = 0, second = 0;
    for (int i = 0; i < n; ++i) {
        const double deviation = static_cast<double>(random.poisson(mean)) - mean;
        first += deviation;
        second += deviation * deviation;
    }
    EXPECT_NEAR(first / n, 0, 5 * std::sqrt(mean / n));
    EXPECT_NEAR(second / n / mean, 1, 5 * std::sqrt(2.0 / n));
    EXPECT_EQ(random.poisson(0), 0);
}

}  // namespace
}  // namespace tessera
