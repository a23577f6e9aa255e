// Our own transform on every instruction set that has it, against direct sums in double precision.
#include "math/fft_simd.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "base/array.hpp"
#include "math/fft.hpp"
#include "math/fft_line.hpp"
#include "reference/oracle.hpp"
#include "reference/random_problem.hpp"
#include "support/instruction_sets.hpp"

namespace tessera {
namespace {

using reference::Image;
using reference::Value;
using Wave = Array<cfloat, 2>;

Wave in_single_precision(const Image& image) {
    Wave out(image.extents());
    for (std::ptrdiff_t i = 0; i < image.size(); ++i)
        out[i] = {static_cast<float>(image[i].real()), static_cast<float>(image[i].imag())};
    return out;
}

Value in_double_precision(cfloat value) {
    return {static_cast<double>(value.re), static_cast<double>(value.im)};
}

Wave random_wave(std::array<int, 2> shape, std::uint64_t seed) {
    return in_single_precision(reference::random_image({shape[0], shape[1]}, seed));
}

// ||found - factor expected|| / ||factor expected||
template <class Expected>
double relative_error(const Wave& found, const Expected& expected, double factor) {
    double difference = 0, size = 0;
    for (std::ptrdiff_t i = 0; i < found.size(); ++i) {
        const Value value = factor * expected(i);
        difference += std::norm(in_double_precision(found[i]) - value);
        size += std::norm(value);
    }
    return std::sqrt(difference / size);
}

double power(const Wave& wave) {
    double sum = 0;
    for (const cfloat& value : wave) sum += std::norm(in_double_precision(value));
    return sum;
}

bool bitwise_equal(const cfloat* a, const cfloat* b, std::ptrdiff_t count) {
    return std::equal(a, a + count, b, [](cfloat x, cfloat y) { return x.re == y.re && x.im == y.im; });
}

template <class Check>
void for_each_own_transform(std::array<int, 2> shape, const Check& check) {
    test::for_each_instruction_set([&] {
        if (const auto fft = make_simd_fft(shape)) check(*fft);
    });
}

class SimdFftShape : public testing::TestWithParam<std::array<int, 2>> {
  protected:
    std::array<int, 2> shape_ = GetParam();
    double size_ = static_cast<double>(shape_[0]) * shape_[1];
    // FFTW's errors are about half of it.
    double bound_ = 0x1p-24 * (1 + std::log2(size_) / 4);
    Wave input_ = random_wave(shape_, 7);
};

TEST_P(SimdFftShape, IsTheUnscaledSumInBothDirections) {
    Image exact(input_.extents());
    for (std::ptrdiff_t i = 0; i < exact.size(); ++i) exact[i] = in_double_precision(input_[i]);
    const Image forward = reference::dft2(exact), backward = reference::idft2(exact);
    for_each_own_transform(shape_, [&](const SimdFft& fft) {
        Wave wave = input_;
        fft.forward(wave.data());
        EXPECT_LT(relative_error(
                      wave, [&](auto i) { return forward[i]; }, std::sqrt(size_)),
                  bound_);
        wave = input_;
        fft.backward(wave.data());
        EXPECT_LT(relative_error(
                      wave, [&](auto i) { return backward[i]; }, std::sqrt(size_)),
                  bound_);
    });
}

TEST_P(SimdFftShape, ThereAndBackIsTheSizeTimesTheWaveAndHoldsThePower) {
    for_each_own_transform(shape_, [&](const SimdFft& fft) {
        Wave wave = input_;
        fft.forward(wave.data());
        EXPECT_NEAR(power(wave) / (size_ * power(input_)), 1, 2 * bound_);
        fft.backward(wave.data());
        EXPECT_LT(relative_error(
                      wave, [&](auto i) { return in_double_precision(input_[i]); }, size_),
                  2 * bound_);
    });
}

TEST_P(SimdFftShape, IsLinear) {
    const Wave other = random_wave(shape_, 8);
    for_each_own_transform(shape_, [&](const SimdFft& fft) {
        Wave sum(input_.extents()), first = input_, second = other;
        for (std::ptrdiff_t i = 0; i < sum.size(); ++i) sum[i] = first[i] + 0.5f * second[i];
        for (Wave* wave : {&sum, &first, &second}) fft.forward(wave->data());
        const auto expected = [&](auto i) {
            return in_double_precision(first[i]) + 0.5 * in_double_precision(second[i]);
        };
        EXPECT_LT(relative_error(sum, expected, 1), 3 * bound_);
    });
}

// Bit by bit the same wherever the wave lies, on another thread, after transforms of other sizes, and nothing
// beyond the wave is written.
TEST_P(SimdFftShape, RepeatsBitwiseAndStaysWithinTheWave) {
    constexpr std::ptrdiff_t margin = 32;
    const cfloat untouched{3, -4};
    for_each_own_transform(shape_, [&](const SimdFft& fft) {
        Wave expected = input_;
        fft.forward(expected.data());
        Wave larger = random_wave({4, 480}, 9);
        make_simd_fft({4, 480})->forward(larger.data());
        for (const std::ptrdiff_t offset : {0, 1, 3, 8}) {
            Array<cfloat, 1> memory({input_.size() + 2 * margin});
            std::fill(memory.begin(), memory.end(), untouched);
            cfloat* wave = memory.data() + margin - offset;
            std::copy_n(input_.data(), input_.size(), wave);
            std::thread([&] { fft.forward(wave); }).join();
            EXPECT_TRUE(bitwise_equal(wave, expected.data(), input_.size())) << "offset " << offset;
            const auto is_untouched = [&](cfloat x) { return bitwise_equal(&x, &untouched, 1); };
            EXPECT_TRUE(std::all_of(memory.data(), wave, is_untouched));
            EXPECT_TRUE(std::all_of(wave + input_.size(), memory.end(), is_untouched));
        }
    });
}

// Sides of one and of several stages of every radix, odd heights, rests of columns and of row blocks.
INSTANTIATE_TEST_SUITE_P(Sizes, SimdFftShape,
                         testing::Values(std::array{1, 4}, std::array{2, 8}, std::array{3, 12},
                                         std::array{5, 20}, std::array{4, 16}, std::array{8, 40},
                                         std::array{12, 12}, std::array{15, 24}, std::array{20, 20},
                                         std::array{16, 16}, std::array{30, 36}, std::array{24, 40},
                                         std::array{25, 60}, std::array{27, 100}, std::array{32, 32},
                                         std::array{48, 48}, std::array{81, 36}, std::array{64, 64},
                                         std::array{96, 96}, std::array{100, 100}, std::array{128, 96},
                                         std::array{128, 128}, std::array{3, 500}, std::array{1, 1024},
                                         std::array{625, 4}, std::array{2, 320}));

TEST(SimdFft, IsMadeForProductsOfTwoThreeAndFiveOnVectorsOfEightOrMore) {
    for (const auto shape : {std::array{7, 16}, {16, 28}, {16, 18}, {16, 15}, {22, 20}})
        EXPECT_EQ(make_simd_fft(shape), nullptr) << shape[0] << " x " << shape[1];
    test::for_each_instruction_set([] {
        const std::string target = simd_fft_target();
        EXPECT_EQ(make_simd_fft({16, 20}) != nullptr, target == "AVX2" || target == "AVX3") << target;
    });
}

// The dispatching plan chooses by shape and instruction set alone, and says so.
TEST(SimdFft, IsUsedByPlansWhereItIsFaster) {
    test::for_each_instruction_set([] {
        const std::string target = simd_fft_target();
        const bool fast = target == "AVX2" || target == "AVX3";
        EXPECT_EQ(FftPlan({24, 60}).is_own(), fast);
        EXPECT_FALSE(FftPlan({16, 16}).is_own());
        EXPECT_FALSE(FftPlan({28, 28}).is_own());
        EXPECT_EQ(fft_identity().find("own for " + target) != std::string::npos, fast) << fft_identity();
    });
}

TEST(SimdFft, AgreesWithTheLibrary) {
    const std::array shape = {100, 128};
    const Wave input = random_wave(shape, 5);
    Wave library = input;
    FftwPlan(shape).forward(library.data());
    for_each_own_transform(shape, [&](const SimdFft& fft) {
        Wave wave = input;
        fft.forward(wave.data());
        EXPECT_LT(relative_error(
                      wave, [&](auto i) { return in_double_precision(library[i]); }, 1),
                  4e-7);
    });
}

TEST(FftLine, SplitsALengthAndOrdersItsLastBlocks) {
    for (const int length : {1, 2, 3, 4, 5, 8, 12, 16, 30, 32, 64, 100, 128, 180, 256, 512, 1000}) {
        const auto line = make_fft_line(length);
        ASSERT_TRUE(line) << length;
        int rest = length;
        for (const FftStage& stage : line->stages) {
            rest /= stage.radix;
            EXPECT_EQ(stage.span, rest);
            EXPECT_EQ(std::ssize(stage.twiddles),
                      static_cast<std::ptrdiff_t>(stage.span) * (stage.radix - 1));
        }
        EXPECT_EQ(rest, 1);
        auto order = line->order;
        std::sort(order.begin(), order.end());
        ASSERT_EQ(std::ssize(order), length / line->stages.back().radix);
        for (int i = 0; i < static_cast<int>(order.size()); ++i)
            EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
    }
    for (const int length : {7, 11, 14, 49, 1001}) EXPECT_FALSE(make_fft_line(length)) << length;
}

}  // namespace
}  // namespace tessera
