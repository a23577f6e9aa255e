// Frames: storage types, selection, crop, orientation, shift, masks, background, probe, amplitudes.
#include "io/scan_reader.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "base/error.hpp"
#include "scan/wave_optics.hpp"
#include "unit/io_test_files.hpp"

namespace tessera::test {
namespace {

const std::string detector = "/entry_1/instrument_1/detector_1";

class ScanReaderTest : public testing::Test {
  protected:
    TemporaryFolder folder_;
};

TEST_F(ScanReaderTest, ReadsAStrictCxiScan) {
    ScanReader reader(config_for(write_mini_cxi(folder_)), {});
    const ScanInfo& info = reader.info();
    EXPECT_EQ(info.format, "CXI 1.6");
    EXPECT_EQ(info.num_frames, 4);
    EXPECT_EQ(info.frames, (std::vector<std::ptrdiff_t>{0, 1, 2, 3}));
    EXPECT_EQ(info.frame_shape, (std::array<int, 2>{mini_height, mini_width}));
    EXPECT_EQ(info.pattern_type, PatternType::u16);
    EXPECT_EQ(info.geometry.propagation, Propagation::far_field);
    EXPECT_NEAR(info.geometry.energy_eV(), mini_energy_eV, 1e-6);
    EXPECT_DOUBLE_EQ(info.geometry.distance_m, mini_distance_m);
    EXPECT_NEAR(info.pixel_size_m[0], mini_object_pixel_y_m(), 1e-18);
    EXPECT_NEAR(info.pixel_size_m[1], mini_object_pixel_x_m(), 1e-18);
    EXPECT_FALSE(info.background.has_value());
    EXPECT_FALSE(info.probe.has_value());
    for (const float used : info.mask) EXPECT_EQ(used, 1);
    expect_positions(info, mini_positions_px());

    const auto counts = read_all(reader);
    std::size_t next = 0;
    for (int i = 0; i < mini_frames; ++i) {
        for (int y = 0; y < mini_height; ++y) {
            for (int x = 0; x < mini_width; ++x) {
                EXPECT_EQ(counts[next++], count_at(i, unshifted(y, mini_height), unshifted(x, mini_width)));
            }
        }
    }
    EXPECT_EQ(counts[0], count_at(0, mini_height / 2, mini_width / 2)) << "the centre must be at index 0";
}

TEST_F(ScanReaderTest, ReadsFramesInAnySubsetAndGap) {
    ScanReader reader(config_for(write_mini_cxi(folder_)), {});
    const std::vector<std::vector<std::ptrdiff_t>> subsets = {{0},       {3},    {0, 2}, {1, 3},
                                                              {0, 1, 3}, {2, 2}, {}};
    for (const auto& which : subsets) {
        std::vector<std::vector<std::uint16_t>> frames(which.size(),
                                                       std::vector<std::uint16_t>(mini_height * mini_width));
        std::vector<void*> destinations;
        for (auto& frame : frames) destinations.push_back(frame.data());
        reader.read_frames(which, destinations);
        for (std::size_t i = 0; i < which.size(); ++i) {
            EXPECT_EQ(frames[i][0], count_at(static_cast<int>(which[i]), mini_height / 2, mini_width / 2));
        }
    }
}

TEST_F(ScanReaderTest, RefusesIndicesOutsideTheSelection) {
    ScanReader reader(config_for(write_mini_cxi(folder_)), {});
    std::vector<std::uint16_t> frame(mini_height * mini_width);
    const std::vector<std::ptrdiff_t> which = {4};
    const std::vector<void*> destinations = {frame.data()};
    EXPECT_THROW(reader.read_frames(which, destinations), Error);
}

TEST_F(ScanReaderTest, SelectsFrames) {
    auto config = config_for(write_mini_cxi(folder_));
    config.frames = {1, std::nullopt, 2};
    ScanReader reader(config, {});
    EXPECT_EQ(reader.info().frames, (std::vector<std::ptrdiff_t>{1, 3}));
    expect_positions(reader.info(), {mini_positions_px()[1], mini_positions_px()[3]});
    const auto counts = read_all(reader);
    EXPECT_EQ(counts[0], count_at(1, 3, 4));
    EXPECT_EQ(counts[mini_height * mini_width], count_at(3, 3, 4));
}

template <class T>
class StorageTest : public ScanReaderTest {};

template <class Stored, PatternType type>
struct Case {
    using stored = Stored;
    static constexpr PatternType kept = type;
};
using Cases = testing::Types<Case<std::uint8_t, PatternType::u8>, Case<std::int8_t, PatternType::u8>,
                             Case<std::uint16_t, PatternType::u16>, Case<std::int16_t, PatternType::u16>,
                             Case<std::int32_t, PatternType::i32>, Case<std::uint32_t, PatternType::i32>,
                             Case<std::int64_t, PatternType::i32>, Case<std::uint64_t, PatternType::i32>,
                             Case<float, PatternType::f32>, Case<double, PatternType::f32>>;
TYPED_TEST_SUITE(StorageTest, Cases);

TYPED_TEST(StorageTest, KeepsWhatTheFileHas) {
    using Stored = typename TypeParam::stored;
    std::vector<Stored> counts(2 * 3 * 5);
    std::iota(counts.begin(), counts.end(), Stored{1});
    const auto path = write_mini_cxi(this->folder_, [&](FileBuilder& file) {
        file.put(detector + "/data", {2, 3, 5}, counts);
        file.put<double>("/entry_1/sample_1/geometry_1/translation", {2, 3}, {0, 0, 0, 1e-7, 0, 0});
    });
    ScanReader reader(config_for(path), {});
    EXPECT_EQ(reader.info().pattern_type, TypeParam::kept);
    const auto read = read_all(reader);
    for (int i = 0; i < 2; ++i) {
        for (int y = 0; y < 3; ++y) {
            for (int x = 0; x < 5; ++x) {
                EXPECT_EQ(read[static_cast<std::size_t>(15 * i + 5 * y + x)],
                          1 + 15 * i + 5 * unshifted(y, 3) + unshifted(x, 5));
            }
        }
    }
}

TEST_F(ScanReaderTest, CropsAboutTheCentre) {
    auto config = config_for(write_mini_cxi(folder_));
    config.crop.size = {4, 5};
    ScanReader reader(config, {});
    EXPECT_EQ(reader.info().frame_shape, (std::array<int, 2>{4, 5}));
    // Fewer detector pixels: larger object pixels.
    EXPECT_NEAR(reader.info().pixel_size_m[0], mini_object_pixel_y_m() * mini_height / 4, 1e-18);
    EXPECT_NEAR(reader.info().pixel_size_m[1], mini_object_pixel_x_m() * mini_width / 5, 1e-18);
    const auto counts = read_all(reader);
    EXPECT_EQ(counts[0], count_at(0, 3, 4));
    EXPECT_EQ(counts[1], count_at(0, 3, 5));
    EXPECT_EQ(counts[4], count_at(0, 3, 3));
    EXPECT_EQ(counts[5], count_at(0, 4, 4));
    EXPECT_EQ(counts[2 * 5], count_at(0, 1, 4));
}

TEST_F(ScanReaderTest, CropsAboutAGivenPixel) {
    auto config = config_for(write_mini_cxi(folder_));
    config.crop.size = {3, 3};
    config.crop.center = {1, 6};
    ScanReader reader(config, {});
    EXPECT_EQ(read_all(reader)[0], count_at(0, 1, 6));
    config.crop.center = {0, 6};
    expect_refused(config, {"scan.crop", "pixel 0 along y"});
    config.crop.center = {1, 7};
    expect_refused(config, {"scan.crop", "along x"});
    config.crop = {{{7, 8}}, std::nullopt};
    expect_refused(config, {"scan.crop", "7 pixels"});
}

// Far field: flips turn about the centre, so the beam stays at index 0 for even and odd sizes.
TEST_F(ScanReaderTest, FlipsKeepTheBeamAtIndexZero) {
    auto config = config_for(write_mini_cxi(folder_));
    config.orientation.flip_x = true;
    ScanReader flipped_x(config, {});
    const auto x = read_all(flipped_x);
    EXPECT_EQ(x[0], count_at(0, 3, 4));
    EXPECT_EQ(x[1], count_at(0, 3, 3));
    EXPECT_EQ(x[mini_width - 1], count_at(0, 3, 5));
    config.orientation = {false, true, false};
    ScanReader flipped_y(config, {});
    EXPECT_EQ(read_all(flipped_y)[mini_width], count_at(0, 2, 4));
}

TEST_F(ScanReaderTest, TransposesBeforeFlipping) {
    auto config = config_for(
        write_mini_cxi(folder_, [](FileBuilder& file) { file.put(detector + "/y_pixel_size", 50e-6); }));
    config.orientation = {true, true, false};
    ScanReader reader(config, {});
    EXPECT_EQ(reader.info().frame_shape, (std::array<int, 2>{mini_width, mini_height}));
    EXPECT_EQ(reader.info().geometry.detector_pixel_size_m, (std::array<double, 2>{75e-6, 50e-6}));
    const auto counts = read_all(reader);
    EXPECT_EQ(counts[0], count_at(0, 3, 4));
    EXPECT_EQ(counts[1], count_at(0, 4, 4)) << "pattern x runs along detector y";
    EXPECT_EQ(counts[mini_height], count_at(0, 3, 3)) << "pattern y runs along detector x, reversed";
}

TEST_F(ScanReaderTest, NearFieldIsNotShifted) {
    auto config = config_for(write_mini_cxi(folder_));
    config.geometry.focus_to_sample_m = 0.01;
    ScanReader reader(config, {});
    EXPECT_EQ(reader.info().geometry.propagation, Propagation::near_field);
    EXPECT_NEAR(reader.info().pixel_size_m[0], mini_pixel_m / 201, 1e-15);
    EXPECT_EQ(read_all(reader)[0], count_at(0, 0, 0));
    config.orientation.flip_y = true;
    ScanReader flipped(config, {});
    EXPECT_EQ(read_all(flipped)[0], count_at(0, mini_height - 1, 0));

    ScanConfig parallel = config_for(config.file);
    parallel.geometry.propagation = Propagation::near_field;
    ScanReader unmagnified(parallel, {});
    EXPECT_DOUBLE_EQ(unmagnified.info().pixel_size_m[0], mini_pixel_m);
}

TEST_F(ScanReaderTest, FindsFramesWithTheCentreAtTheCorner) {
    std::vector<std::uint16_t> shifted;
    for (int i = 0; i < mini_frames; ++i) {
        for (int y = 0; y < mini_height; ++y) {
            for (int x = 0; x < mini_width; ++x) {
                shifted.push_back(static_cast<std::uint16_t>(
                    count_at(i, unshifted(y, mini_height), unshifted(x, mini_width))));
            }
        }
    }
    auto config = config_for(write_mini_cxi(folder_, [&](FileBuilder& file) {
        file.put(detector + "/data", {mini_frames, mini_height, mini_width}, shifted);
    }));
    ScanReader reader(config, {});
    EXPECT_TRUE(has_note(reader.info(), "already shifted"));
    const auto counts = read_all(reader);
    for (std::size_t i = 0; i < counts.size(); ++i) EXPECT_EQ(counts[i], shifted[i]);

    config.crop.size = {4, 4};  // about the centre, which is in the corners
    ScanReader cropped(config, {});
    const auto few = read_all(cropped);
    EXPECT_EQ(few[0], count_at(0, 3, 4));
    EXPECT_EQ(few[3], count_at(0, 3, 3));
    EXPECT_EQ(few[2 * 4], count_at(0, 1, 4));
}

TEST_F(ScanReaderTest, TheRunFileCanSayThatTheCentreIsAtTheCorner) {
    auto config = config_for(write_mini_cxi(folder_));
    config.keys.frames_dc_at_corner = true;
    ScanReader reader(config, {});
    EXPECT_EQ(read_all(reader)[0], count_at(0, 0, 0));
}

TEST_F(ScanReaderTest, ScalesAndSwapsPositions) {
    auto config = config_for(write_mini_cxi(folder_));
    config.positions.scale = {-2, 0.5};
    ScanReader scaled(config, {});
    std::vector<std::array<double, 2>> expected;
    for (const auto& [y, x] : mini_positions_px()) expected.push_back({-2 * y, 0.5 * x});
    expect_positions(scaled.info(), expected);

    // Swapped first, in metres: pixels are not square here.
    config.positions.swap_xy = true;
    ScanReader swapped(config, {});
    const double ratio = mini_object_pixel_y_m() / mini_object_pixel_x_m();
    expected.clear();
    for (const auto& [y, x] : mini_positions_px()) expected.push_back({-2 * x / ratio, 0.5 * y * ratio});
    expect_positions(swapped.info(), expected);
}

// Cropping the detector in the far field keeps the probe's wave at the detector pixels that are left.
TEST_F(ScanReaderTest, CropsTheProbeInFourierSpace) {
    std::vector<float> pairs;
    Array<cdouble, 2> stored({mini_height, mini_width});
    for (int i = 0; i < mini_height * mini_width; ++i) {
        stored[i] = {std::cos(0.3 * i), std::sin(0.7 * i * i)};
        pairs.push_back(static_cast<float>(stored[i].re));
        pairs.push_back(static_cast<float>(stored[i].im));
    }
    auto config = config_for(write_mini_cxi(folder_, [&](FileBuilder& file) {
        file.put_complex("/entry_1/instrument_1/source_1/illumination", {mini_height, mini_width}, pairs, {});
    }));
    config.crop.size = {4, 5};
    ScanReader reader(config, {});
    ASSERT_TRUE(reader.info().probe.has_value());
    ASSERT_EQ(reader.info().probe->extents(), (Extents<3>{1, 4, 5}));

    const auto far_field = [](const Array<cdouble, 2>& wave, int q_y,
                              int q_x) {  // plain sum, centres at floor(n/2)
        const auto n_y = wave.extent(0), n_x = wave.extent(1);
        cdouble sum{0, 0};
        for (std::ptrdiff_t y = 0; y < n_y; ++y) {
            for (std::ptrdiff_t x = 0; x < n_x; ++x) {
                const double turn = -2 * M_PI *
                                    (static_cast<double>(q_y * (y - n_y / 2)) / static_cast<double>(n_y) +
                                     static_cast<double>(q_x * (x - n_x / 2)) / static_cast<double>(n_x));
                sum = sum + wave(y, x) * cdouble{std::cos(turn), std::sin(turn)};
            }
        }
        return (1 / std::sqrt(static_cast<double>(n_y * n_x))) * sum;
    };
    const auto cropped = convert<double, float>(reader.info().probe->view().slice(0));
    for (int q_y = -2; q_y < 2; ++q_y) {
        for (int q_x = -2; q_x <= 2; ++q_x) {
            const cdouble a = far_field(stored, q_y, q_x), b = far_field(cropped, q_y, q_x);
            EXPECT_NEAR(a.re, b.re, 1e-5);
            EXPECT_NEAR(a.im, b.im, 1e-5);
        }
    }
}

TEST_F(ScanReaderTest, ReadsMoreThanOnePieceOfCompressedFrames) {
    // 3 pieces of 32 MiB: 1300 frames of 200 by 160 pixels, two bytes each, in chunks across frames.
    constexpr std::size_t num_frames = 1300, height = 200, width = 160;
    std::vector<std::uint16_t> counts(num_frames * height * width);
    std::vector<double> translations;
    for (std::size_t i = 0; i < num_frames; ++i) {
        for (std::size_t pixel = 0; pixel < height * width; ++pixel) {
            counts[i * height * width + pixel] = static_cast<std::uint16_t>((i * 7 + pixel / 97) % 50021);
        }
        translations.insert(translations.end(), {1e-7 * static_cast<double>(i), 0, 0});
    }
    auto config = config_for(write_mini_cxi(folder_, [&](FileBuilder& file) {
        file.put_chunked(detector + "/data", {num_frames, height, width}, counts, {16, 50, 160});
        file.put("/entry_1/sample_1/geometry_1/translation", {num_frames, 3}, translations);
    }));
    config.geometry.propagation = Propagation::near_field;  // as stored
    ScanReader reader(config, {});
    const auto read = read_all(reader);
    ASSERT_EQ(read.size(), counts.size());
    std::size_t num_wrong = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) num_wrong += read[i] == counts[i] ? 0 : 1;
    EXPECT_EQ(num_wrong, 0U);
}

}  // namespace
}  // namespace tessera::test
