// The vectorised sweeps of every instruction set against plain loops in double precision, for every length of
// a rest.
#include "codelets/field_sweeps.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <cstring>
#include <vector>

#include "scan/random.hpp"
#include "support/instruction_sets.hpp"

namespace tessera {
namespace {

using Value = std::complex<double>;

Value value_of(cfloat z) {
    return {static_cast<double>(z.re), static_cast<double>(z.im)};
}

struct Pixels {
    std::vector<cfloat> gradient, previous, direction;
    std::vector<float> weight;
    float weight_max = 0;

    explicit Pixels(std::size_t count, std::uint64_t seed = 1) {
        Random random(seed, count);
        const auto number = [&] { return static_cast<float>(random.normal()); };
        for (std::size_t i = 0; i < count; ++i) {
            gradient.push_back({number(), number()});
            previous.push_back({number(), number()});
            direction.push_back({number(), number()});
            weight.push_back(static_cast<float>(random.uniform(0, 50)));
            weight_max = std::max(weight_max, weight.back());
        }
    }
    Preconditioner preconditioner(std::size_t first = 0) const {
        return {weight.data() + first, 0.1f, weight_max};
    }
    double inverse_curvature(std::size_t i) const {
        return 1 / (0.9 * static_cast<double>(weight[i]) + 0.1 * static_cast<double>(weight_max));
    }
};

// Lengths up to 70 have every rest of every vector length; the others cross the chunks in which sums are
// taken.
std::vector<std::size_t> lengths() {
    std::vector<std::size_t> all;
    for (std::size_t length = 1; length <= 70; ++length) all.push_back(length);
    for (const std::size_t length : {1023, 1024, 1025, 5000}) all.push_back(length);
    return all;
}

TEST(FieldDots, AreTheSumsInDoublePrecision) {
    test::for_each_instruction_set([] {
        for (const std::size_t count : lengths()) {
            const Pixels p(count);
            const FieldDots found = field_dots(p.gradient.data(), p.previous.data(), p.direction.data(),
                                               p.preconditioner(), count);
            double norm = 0, previous = 0, direction = 0, previous_size = 0, direction_size = 0;
            for (std::size_t i = 0; i < count; ++i) {
                const Value g = value_of(p.gradient[i]), g0 = value_of(p.previous[i]),
                            d = value_of(p.direction[i]);
                norm += p.inverse_curvature(i) * std::norm(g);
                previous += p.inverse_curvature(i) * std::real(std::conj(g) * g0);
                direction += std::real(std::conj(d) * g);
                previous_size += p.inverse_curvature(i) * std::abs(g) * std::abs(g0);
                direction_size += std::abs(d) * std::abs(g);
            }
            // A chunk of 1024 pixels is summed in single precision, at most 256 terms a lane.
            const double bound = 1e-6;
            EXPECT_NEAR(found.gradient_norm, norm, bound * norm) << count;
            EXPECT_NEAR(found.gradient_previous, previous, bound * previous_size) << count;
            EXPECT_NEAR(found.gradient_direction, direction, bound * direction_size) << count;
        }
    });
}

TEST(FieldDots, OfNothingAreZero) {
    const FieldDots found = field_dots(nullptr, nullptr, nullptr, {nullptr, 0.1f, 1.0f}, 0);
    EXPECT_EQ(found.gradient_norm, 0);
    EXPECT_EQ(found.gradient_previous, 0);
    EXPECT_EQ(found.gradient_direction, 0);
}

TEST(UpdateDirection, IsTheFormulaAndStaysInItsRange) {
    test::for_each_instruction_set([] {
        for (const std::size_t count : lengths()) {
            const Pixels p(count);
            std::vector<cfloat> direction = p.direction;
            direction.push_back({7, -7});  // must stay
            update_direction(direction.data(), p.gradient.data(), p.preconditioner(), 0.75f, count);
            for (std::size_t i = 0; i < count; ++i) {
                const Value expected =
                    0.75 * value_of(p.direction[i]) - p.inverse_curvature(i) * value_of(p.gradient[i]);
                const double size = std::abs(value_of(p.direction[i])) + std::abs(value_of(p.gradient[i]));
                EXPECT_LT(std::abs(value_of(direction[i]) - expected), 4 * 0x1p-24 * size)
                    << count << " " << i;
            }
            EXPECT_EQ(direction[count].re, 7);
            EXPECT_EQ(direction[count].im, -7);
        }
    });
}

TEST(TakeStep, IsTheFormulaAndStaysInItsRange) {
    test::for_each_instruction_set([] {
        for (const std::size_t count : lengths()) {
            const Pixels p(count);
            std::vector<cfloat> value = p.previous;
            value.push_back({7, -7});
            take_step(value.data(), p.direction.data(), -0.3f, count);
            for (std::size_t i = 0; i < count; ++i) {
                const Value expected =
                    value_of(p.previous[i]) + static_cast<double>(-0.3f) * value_of(p.direction[i]);
                const double size = std::abs(value_of(p.previous[i])) + std::abs(value_of(p.direction[i]));
                EXPECT_LT(std::abs(value_of(value[i]) - expected), 2 * 0x1p-24 * size) << count << " " << i;
            }
            EXPECT_EQ(value[count].re, 7);
            EXPECT_EQ(value[count].im, -7);
        }
    });
}

TEST(Weights, AreAddedAndTheirLargestFound) {
    test::for_each_instruction_set([] {
        for (const std::size_t count : lengths()) {
            const Pixels p(count);
            std::vector<float> power = p.weight, sum = p.weight;
            power.push_back(7);
            sum.push_back(7);
            add_powers(power.data(), p.gradient.data(), count);
            add_weights(sum.data(), p.weight.data(), count);
            for (std::size_t i = 0; i < count; ++i) {
                const double expected = static_cast<double>(p.weight[i]) + std::norm(value_of(p.gradient[i]));
                EXPECT_NEAR(static_cast<double>(power[i]), expected, 3 * 0x1p-24 * expected);
                EXPECT_EQ(sum[i], 2 * p.weight[i]);
            }
            EXPECT_EQ(power[count], 7);
            EXPECT_EQ(sum[count], 7);
            EXPECT_EQ(largest_of(p.weight.data(), count), p.weight_max);
        }
    });
}

TEST(UseMomentum, IsTheFormulaAndStaysInItsRange) {
    test::for_each_instruction_set([] {
        for (const std::size_t count : lengths()) {
            const Pixels p(count);
            std::vector<cfloat> value = p.gradient, anchor = p.previous, velocity = p.direction;
            for (auto* field : {&value, &anchor, &velocity}) field->push_back({7, -7});
            use_momentum(value.data(), anchor.data(), velocity.data(), {0.5f, 0.25f, 0.75f, 2.0f}, count);
            for (std::size_t i = 0; i < count; ++i) {
                const Value x = value_of(p.gradient[i]), v = value_of(p.direction[i]);
                const Value u = x - value_of(p.previous[i]);
                const double size = std::abs(x) + std::abs(u) + std::abs(v);
                EXPECT_LT(std::abs(value_of(value[i]) - (x + 0.5 * v + 0.25 * u)), 4 * 0x1p-24 * size);
                EXPECT_LT(std::abs(value_of(velocity[i]) - (0.75 * v + 2.0 * u)), 8 * 0x1p-24 * size);
                EXPECT_EQ(std::memcmp(&anchor[i], &value[i], sizeof(cfloat)), 0);
            }
            for (const auto* field : {&value, &anchor, &velocity}) {
                EXPECT_EQ((*field)[count].re, 7);
                EXPECT_EQ((*field)[count].im, -7);
            }
        }
    });
}

// Tiles that overlap sweep the same pixels from different beginnings to different ends: their values must be
// the same to the last bit, or the tiles drift apart.
TEST(Sweeps, GiveAPixelTheSameValueWhereverTheyBegin) {
    test::for_each_instruction_set([] {
        const std::size_t count = 150;
        const Pixels p(count);
        std::vector<cfloat> whole_direction = p.direction, whole_value = p.previous;
        update_direction(whole_direction.data(), p.gradient.data(), p.preconditioner(), 0.61f, count);
        take_step(whole_value.data(), p.direction.data(), 0.037f, count);
        for (std::size_t first = 0; first < 40; ++first) {
            for (const std::size_t length : {1, 2, 5, 15, 16, 33, 64, 110}) {
                std::vector<cfloat> direction = p.direction, value = p.previous;
                update_direction(direction.data() + first, p.gradient.data() + first, p.preconditioner(first),
                                 0.61f, length);
                take_step(value.data() + first, p.direction.data() + first, 0.037f, length);
                const std::size_t bytes = length * sizeof(cfloat);
                EXPECT_EQ(std::memcmp(direction.data() + first, whole_direction.data() + first, bytes), 0)
                    << first << " " << length;
                EXPECT_EQ(std::memcmp(value.data() + first, whole_value.data() + first, bytes), 0)
                    << first << " " << length;
            }
        }
    });
}

}  // namespace
}  // namespace tessera
