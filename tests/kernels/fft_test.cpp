// FFTW's plans against direct sums in double precision.
#include "math/fft.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/array.hpp"
#include "reference/oracle.hpp"
#include "reference/random_problem.hpp"

namespace tessera {
namespace {

Array<cfloat, 2> in_single_precision(const reference::Image& image) {
    Array<cfloat, 2> out(image.extents());
    for (std::ptrdiff_t i = 0; i < image.size(); ++i) {
        out[i] = {static_cast<float>(image[i].real()), static_cast<float>(image[i].imag())};
    }
    return out;
}

reference::Value in_double_precision(cfloat value) {
    return {static_cast<double>(value.re), static_cast<double>(value.im)};
}

reference::Image in_double_precision(const Array<cfloat, 2>& wave) {
    reference::Image out(wave.extents());
    for (std::ptrdiff_t i = 0; i < wave.size(); ++i) out[i] = in_double_precision(wave[i]);
    return out;
}

double power(const Array<cfloat, 2>& wave) {
    double sum = 0;
    for (const cfloat& value : wave) sum += std::norm(in_double_precision(value));
    return sum;
}

// ||found - factor expected|| / ||factor expected||
double relative_error(const Array<cfloat, 2>& found, const reference::Image& expected, double factor) {
    double difference = 0, size = 0;
    for (std::ptrdiff_t i = 0; i < found.size(); ++i) {
        difference += std::norm(in_double_precision(found[i]) - factor * expected[i]);
        size += std::norm(factor * expected[i]);
    }
    return std::sqrt(difference / size);
}

class Fft : public testing::TestWithParam<std::array<int, 2>> {
  protected:
    const FftPlan& plan_ = fft_plan(GetParam());
    double size_ = static_cast<double>(plan_.size());
    Array<cfloat, 2> wave_ = in_single_precision(reference::random_image({GetParam()[0], GetParam()[1]}, 7));
    reference::Image exact_ = in_double_precision(wave_);
    // A transform's rounding grows with its number of passes: at most about log2(n) units in the mean.
    double bound_ = 0x1p-24 * (4 + std::log2(size_));
};

TEST_P(Fft, ForwardIsTheUnscaledSum) {
    plan_.forward(wave_.data());
    EXPECT_LT(relative_error(wave_, reference::dft2(exact_), std::sqrt(size_)), bound_);
}

TEST_P(Fft, BackwardIsTheUnscaledSumWithTheOtherSign) {
    plan_.backward(wave_.data());
    EXPECT_LT(relative_error(wave_, reference::idft2(exact_), std::sqrt(size_)), bound_);
}

TEST_P(Fft, ThereAndBackIsTheSizeTimesTheWave) {
    plan_.forward(wave_.data());
    plan_.backward(wave_.data());
    EXPECT_LT(relative_error(wave_, exact_, size_), 2 * bound_);
}

TEST_P(Fft, HoldsThePower) {
    const double before = power(wave_);
    plan_.forward(wave_.data());
    EXPECT_NEAR(power(wave_), size_ * before, 2 * bound_ * size_ * before);
}

// Batches transform one mode after the other in one array: with an odd number of pixels every second one
// starts off the 16 bytes that FFTW aligned its plan for.
TEST_P(Fft, TransformsEveryModeOfAnArrayAlike) {
    const auto shape = GetParam();
    Array<cfloat, 3> modes({3, shape[0], shape[1]});
    for (std::ptrdiff_t k = 0; k < 3; ++k) {
        for (std::ptrdiff_t i = 0; i < wave_.size(); ++i) modes.slice(k)[i] = wave_[i];
        plan_.forward(modes.slice(k).data());
    }
    const reference::Image expected = reference::dft2(exact_);
    for (std::ptrdiff_t k = 0; k < 3; ++k) {
        Array<cfloat, 2> mode({shape[0], shape[1]});
        for (std::ptrdiff_t i = 0; i < mode.size(); ++i) mode[i] = modes.slice(k)[i];
        EXPECT_LT(relative_error(mode, expected, std::sqrt(size_)), bound_) << "mode " << k;
    }
}

INSTANTIATE_TEST_SUITE_P(Sizes, Fft,
                         testing::Values(std::array{1, 1}, std::array{1, 7}, std::array{3, 5},
                                         std::array{16, 16}, std::array{24, 40}, std::array{13, 21}));

TEST(FftPlans, AreSharedByShape) {
    EXPECT_EQ(&fft_plan({16, 16}), &fft_plan({16, 16}));
    EXPECT_NE(&fft_plan({16, 24}), &fft_plan({24, 16}));
    EXPECT_EQ(fft_plan({16, 24}).size(), 384);
}

TEST(FftPlans, RepeatBitwise) {
    const Array<cfloat, 2> wave = in_single_precision(reference::random_image({24, 40}, 3));
    Array<cfloat, 2> first = wave, second = wave;
    fft_plan({24, 40}).forward(first.data());
    FftPlan({24, 40}).forward(second.data());
    for (std::ptrdiff_t i = 0; i < wave.size(); ++i) {
        ASSERT_EQ(first[i].re, second[i].re);
        ASSERT_EQ(first[i].im, second[i].im);
    }
}

}  // namespace
}  // namespace tessera
