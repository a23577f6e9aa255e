// What pixels of frames hold: counts, none, too many, masks of all frames and of each, amplitudes,
// background.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/error.hpp"
#include "io/scan_reader.hpp"
#include "unit/io_test_files.hpp"

namespace tessera::test {
namespace {

const std::string detector = "/entry_1/instrument_1/detector_1";

class ScanCountsTest : public testing::Test {
  protected:
    TemporaryFolder folder_;
};

TEST_F(ScanCountsTest, RefusesCountsThatAreNone) {
    const auto with = [&](auto value) {
        using Stored = decltype(value);
        auto counts = mini_counts<Stored>();
        counts[(2 * mini_height + 1) * mini_width + 5] = value;  // frame 2, pixel (1, 5)
        return config_for(write_mini_cxi(folder_, [&](FileBuilder& file) {
            file.put(detector + "/data", {mini_frames, mini_height, mini_width}, counts);
        }));
    };
    const std::vector<std::string> where = {"detector_1/data", "frame 2", "(1, 5)", "scan.mask"};
    const auto and_also = [&](const std::string& part) {
        auto parts = where;
        parts.push_back(part);
        return parts;
    };
    expect_refused(with(std::uint32_t{1} << 31), and_also("2147483648"));
    expect_refused(with(std::int64_t{1} << 40), and_also("too large"));
    expect_refused(with(1e300), and_also("too large"));
    expect_refused(with(std::numeric_limits<float>::infinity()), and_also("too large"));
}

// What is no count, as detectors write it: the pixel is left out of this frame, and of no other.
TEST_F(ScanCountsTest, LeavesOutPixelsWithoutACount) {
    const auto read_with = [&](auto value, NegativeCounts negative) {
        using Stored = decltype(value);
        std::vector<Stored> counts(mini_frames * mini_height * mini_width, Stored{3});
        counts[(2 * mini_height + 3) * mini_width + 4] = value;  // frame 2, the centre
        auto config = config_for(write_mini_cxi(folder_, [&](FileBuilder& file) {
            file.put(detector + "/data", {mini_frames, mini_height, mini_width}, counts);
        }));
        config.mask.negative_counts = negative;
        ScanReader reader(config, {});
        EXPECT_TRUE(has_note(reader.info(), "1 of 192 used pixels of 4 sampled frames"));
        auto read = read_all(reader);
        const double found = std::exchange(read[2 * mini_height * mini_width], 3);
        for (const double count : read) EXPECT_EQ(count, 3);
        return found;
    };
    constexpr auto leave_out = NegativeCounts::leave_out, zero = NegativeCounts::zero;
    EXPECT_EQ(read_with(std::numeric_limits<std::uint8_t>::max(), leave_out), 255);
    EXPECT_EQ(read_with(std::numeric_limits<std::uint16_t>::max(), leave_out), 65535);
    EXPECT_EQ(read_with(std::numeric_limits<std::uint32_t>::max(), leave_out), -1);
    EXPECT_EQ(read_with(std::numeric_limits<std::uint64_t>::max(), leave_out), -1);
    EXPECT_EQ(read_with(std::int8_t{-2}, leave_out), 255);
    EXPECT_EQ(read_with(std::int16_t{-1}, leave_out), 65535);
    EXPECT_EQ(read_with(std::int32_t{-2}, leave_out), -1);
    EXPECT_EQ(read_with(-0.5, leave_out), -1);
    EXPECT_EQ(read_with(std::nanf(""), leave_out), -1);
    EXPECT_EQ(read_with(std::nan(""), zero), -1);
    EXPECT_EQ(read_with(std::int16_t{-1}, zero), 0);
    EXPECT_EQ(read_with(std::int32_t{-2}, zero), 0);
    EXPECT_EQ(read_with(-0.5F, zero), 0);
}

// Saturated counts stay what they are, but for the largest of a small type, which marks what is left out.
TEST_F(ScanCountsTest, KeepsSaturatedCounts) {
    const auto read_with = [&](auto value, double saturated_above, double known_from) {
        using Stored = decltype(value);
        std::vector<Stored> counts(mini_frames * mini_height * mini_width, Stored{3});
        counts[3 * mini_width + 4] = value;
        auto config = config_for(write_mini_cxi(folder_, [&](FileBuilder& file) {
            file.put(detector + "/data", {mini_frames, mini_height, mini_width}, counts);
        }));
        config.mask.saturated_above = saturated_above;
        ScanReader reader(config, {});
        EXPECT_EQ(reader.info().saturated_from, known_from);
        return read_all(reader)[0];
    };
    EXPECT_EQ(read_with(std::uint8_t{255}, 255, 254), 254);
    EXPECT_EQ(read_with(std::uint16_t{65535}, 65535, 65534), 65534);
    EXPECT_EQ(read_with(std::uint16_t{65535}, 1000, 1000), 65534);
    EXPECT_EQ(read_with(std::uint16_t{1200}, 1000, 1000), 1200);
    EXPECT_EQ(read_with(std::uint32_t{1200}, 1000, 1000), 1200);
    EXPECT_EQ(read_with(std::numeric_limits<std::uint32_t>::max(), 1000, 1000), -1)
        << "no counter goes there";
    EXPECT_EQ(read_with(1200.5F, 1000.25, 1000.25F), 1200.5F);
}

TEST_F(ScanCountsTest, MaskedPixelsAreZeroWhateverTheyHold) {
    auto counts = mini_counts<float>();
    counts[(2 * mini_height + 1) * mini_width + 5] = std::nanf("");
    std::vector<std::uint32_t> mask(mini_height * mini_width, 0);
    mask[1 * mini_width + 5] = 4;
    ScanReader reader(config_for(write_mini_cxi(
                          folder_,
                          [&](FileBuilder& file) {
                              file.put(detector + "/data", {mini_frames, mini_height, mini_width}, counts);
                              file.put(detector + "/mask", {mini_height, mini_width}, mask);
                          })),
                      {});
    const auto read = read_all(reader);
    for (int i = 0; i < mini_frames; ++i) {
        for (int y = 0; y < mini_height; ++y) {
            for (int x = 0; x < mini_width; ++x) {
                const int from_y = unshifted(y, mini_height), from_x = unshifted(x, mini_width);
                const bool masked = from_y == 1 && from_x == 5;
                EXPECT_EQ(reader.info().mask(y, x), masked ? 0 : 1);
                EXPECT_EQ(read[static_cast<std::size_t>((i * mini_height + y) * mini_width + x)],
                          masked ? 0 : count_at(i, from_y, from_x));
            }
        }
    }
}

TEST_F(ScanCountsTest, SquaresAmplitudes) {
    auto amplitudes = mini_counts<float>();
    for (auto& value : amplitudes) value = std::sqrt(value);
    auto config = config_for(write_mini_cxi(folder_, [&](FileBuilder& file) {
        file.put(detector + "/data", {mini_frames, mini_height, mini_width}, amplitudes);
    }));
    config.keys.frames_are_amplitudes = true;
    ScanReader reader(config, {});
    EXPECT_EQ(reader.info().pattern_type, PatternType::f32);
    EXPECT_NEAR(read_all(reader)[0], count_at(0, 3, 4), 1e-2);
}

// In the type that the counts have anyway.
TEST_F(ScanCountsTest, MaskPerFrameMarksPixels) {
    std::vector<std::uint8_t> mask(mini_frames * mini_height * mini_width, 0);
    mask[(1 * mini_height + 3) * mini_width + 4] = 1;  // frame 1, the centre
    const auto read_as = [&](auto stored, PatternType type) {
        ScanReader reader(config_for(write_mini_cxi(
                              folder_,
                              [&](FileBuilder& file) {
                                  file.put(detector + "/data", {mini_frames, mini_height, mini_width},
                                           mini_counts<decltype(stored)>());
                                  file.put(detector + "/mask", {mini_frames, mini_height, mini_width}, mask);
                              })),
                          {});
        EXPECT_EQ(reader.info().pattern_type, type);
        const auto counts = read_all(reader);
        EXPECT_EQ(counts[0], count_at(0, 3, 4));
        EXPECT_EQ(std::ranges::count(counts, counts[mini_height * mini_width]), 1);
        return counts[mini_height * mini_width];
    };
    EXPECT_EQ(read_as(std::uint16_t{}, PatternType::u16), 65535);
    EXPECT_EQ(read_as(std::uint32_t{}, PatternType::i32), -1);
    EXPECT_EQ(read_as(float{}, PatternType::f32), -1);
}

// CXI's bit 0x2: with scan.mask.saturated_above "at least so many counts", otherwise nothing.
TEST_F(ScanCountsTest, MaskPerFrameKnowsSaturatedPixels) {
    std::vector<std::uint32_t> mask(mini_frames * mini_height * mini_width, 0);
    const std::size_t centre = 3 * mini_width + 4, frame = mini_height * mini_width;
    mask[centre] = 0x1002;       // frame 0: saturated, has signal
    mask[frame + centre] = 0x3;  // frame 1: saturated and invalid
    mask[2 * frame + 10] = 0x2;  // frame 2: saturated, it says, with few counts
    auto config = config_for(write_mini_cxi(folder_, [&](FileBuilder& file) {
        file.put(detector + "/mask", {mini_frames, mini_height, mini_width}, mask);
    }));
    const auto num_left_out = [&] {
        ScanReader reader(config, {});
        return std::ranges::count(read_all(reader), 65535.0);
    };
    EXPECT_EQ(num_left_out(), 3);
    config.mask.saturated_above = 9000;
    EXPECT_EQ(num_left_out(), 2);
    ScanReader reader(config, {});
    EXPECT_EQ(read_all(reader)[0], count_at(0, 3, 4));
    EXPECT_TRUE(has_note(reader.info(), "3 of 192 used pixels of 4 sampled frames are saturated"));
}

TEST_F(ScanCountsTest, BackgroundFollowsTheFrames) {
    std::vector<float> dark(mini_height * mini_width, 0.25F);
    dark[3 * mini_width + 4] = 7;
    dark[0] = std::nanf("");
    std::vector<std::uint32_t> mask(mini_height * mini_width, 0);
    mask[0] = 1;  // what is masked does not matter
    const auto path = write_mini_cxi(folder_, [&](FileBuilder& file) {
        file.put(detector + "/data_dark", {mini_height, mini_width}, dark);
        file.put(detector + "/mask", {mini_height, mini_width}, mask);
    });
    ScanReader reader(config_for(path), {});
    ASSERT_TRUE(reader.info().background.has_value());
    EXPECT_EQ((*reader.info().background)(0, 0), 7);
    EXPECT_EQ((*reader.info().background)(0, 1), 0.25F);
    EXPECT_EQ((*reader.info().background)(unshifted(0, mini_height), unshifted(0, mini_width)), 0);
}

TEST_F(ScanCountsTest, SeveralDarkFramesAreAveraged) {
    std::vector<float> dark(2 * mini_height * mini_width, 1);
    for (std::size_t i = 0; i < dark.size() / 2; ++i) dark[i] = 4;
    ScanReader reader(
        config_for(write_mini_cxi(folder_,
                                  [&](FileBuilder& file) {
                                      file.put(detector + "/data_dark", {2, mini_height, mini_width}, dark);
                                  })),
        {});
    ASSERT_TRUE(reader.info().background.has_value());
    EXPECT_EQ((*reader.info().background)(2, 3), 2.5F);
}

TEST_F(ScanCountsTest, ABackgroundOfZerosIsNone) {
    const std::vector<float> dark(mini_height * mini_width, 0);
    ScanReader reader(
        config_for(write_mini_cxi(folder_,
                                  [&](FileBuilder& file) {
                                      file.put(detector + "/data_dark", {mini_height, mini_width}, dark);
                                  })),
        {});
    EXPECT_FALSE(reader.info().background.has_value());
}

}  // namespace
}  // namespace tessera::test
