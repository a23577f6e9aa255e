// Frames are read again and again while other threads read and write: the same counts however they are
// stored, and a clear error when they are no longer there.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "base/error.hpp"
#include "io/raw_frames.hpp"
#include "io/read_ahead.hpp"
#include "io/result_file.hpp"
#include "scan/checked_frames.hpp"
#include "unit/io_test_files.hpp"

namespace tessera::test {
namespace {

constexpr int num_frames = 40, height = 20, width = 24, crop_y = 14, crop_x = 9;
const std::string data_path = "/entry_1/instrument_1/detector_1/data";

int stored_count(int i, int y, int x) {
    const bool is_beam = std::abs(y - height / 2) < 2 && std::abs(x - width / 2) < 2;
    return (i * 7919 + y * 131 + x * 17) % 5003 + (is_beam ? 40000 : 0);
}

struct Storage {
    const char* name;
    Dims chunk;  // empty: contiguous
    bool shuffle = false, deflate = false, checksum = false;
    bool big_endian = false;
    bool is_raw = true;  // can be read beside HDF5
};

void store(const std::filesystem::path& path, const Storage& storage) {
    std::vector<std::uint16_t> counts;
    for (int i = 0; i < num_frames; ++i) {
        for (int y = 0; y < height; ++y) {
            for (int x = 0; x < width; ++x)
                counts.push_back(static_cast<std::uint16_t>(stored_count(i, y, x)));
        }
    }
    const Dims dims = {num_frames, height, width};
    const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    H5Ldelete(file, data_path.c_str(), H5P_DEFAULT);
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(3, dims.data(), nullptr);
    if (!storage.chunk.empty()) H5Pset_chunk(creation, 3, storage.chunk.data());
    if (storage.shuffle) H5Pset_shuffle(creation);
    if (storage.deflate) H5Pset_deflate(creation, 4);
    if (storage.checksum) H5Pset_fletcher32(creation);
    const hid_t type = storage.big_endian ? H5T_STD_U16BE : H5T_NATIVE_UINT16;
    const hid_t dataset =
        H5Dcreate2(file, data_path.c_str(), type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    ASSERT_GE(H5Dwrite(dataset, H5T_NATIVE_UINT16, H5S_ALL, H5S_ALL, H5P_DEFAULT, counts.data()), 0);
    H5Dclose(dataset);
    H5Sclose(space);
    H5Pclose(creation);
    H5Fclose(file);
}

class RepeatedReading : public testing::TestWithParam<Storage> {
  protected:
    RepeatedReading() {
        std::vector<double> translations;
        for (int i = 0; i < num_frames; ++i)
            translations.insert(translations.end(), {1e-6 * (i % 7), 1e-6 * (i / 7), 0.0});
        config_ = config_for(write_mini_cxi(folder_, [&](FileBuilder& file) {
            file.put("/entry_1/sample_1/geometry_1/translation", {num_frames, 3}, translations);
        }));
        config_.crop.size = {crop_y, crop_x};
        store(config_.file, GetParam());
    }

    static std::uint16_t expected(std::ptrdiff_t frame, int i_y, int i_x) {
        const int y = height / 2 - crop_y / 2 + (i_y + crop_y / 2) % crop_y;
        const int x = width / 2 - crop_x / 2 + (i_x + crop_x / 2) % crop_x;
        return static_cast<std::uint16_t>(stored_count(static_cast<int>(frame), y, x));
    }

    // Reads some of the frames and returns how many pixels are wrong.
    static int num_wrong(const ScanReader& reader, const std::vector<std::ptrdiff_t>& which) {
        std::vector<std::vector<std::uint16_t>> patterns(which.size(),
                                                         std::vector<std::uint16_t>(crop_y * crop_x, 12345));
        std::vector<void*> destinations;
        for (auto& pattern : patterns) destinations.push_back(pattern.data());
        reader.read_frames(which, destinations);
        int wrong = 0;
        for (std::size_t j = 0; j < which.size(); ++j) {
            for (int i_y = 0; i_y < crop_y; ++i_y) {
                for (int i_x = 0; i_x < crop_x; ++i_x) {
                    const auto pixel = static_cast<std::size_t>(i_y * crop_x + i_x);
                    if (patterns[j][pixel] != expected(which[j], i_y, i_x)) ++wrong;
                }
            }
        }
        return wrong;
    }

    TemporaryFolder folder_;
    ScanConfig config_;
};

TEST_P(RepeatedReading, GivesTheSameCountsToAllThreads) {
    const ScanReader reader(config_, {});
    std::atomic<int> wrong = 0;
    std::vector<std::thread> threads;
    for (int k = 0; k < 4; ++k) {
        threads.emplace_back([&, k] {
            for (int round = 0; round < 5; ++round) {
                std::vector<std::ptrdiff_t> which;
                for (std::ptrdiff_t i = k; i < num_frames; i += 1 + round) which.push_back(i);
                wrong += num_wrong(reader, which);
            }
        });
    }
    // Results are written meanwhile.
    Result result;
    result.object = Array<cfloat, 3>({1, 50, 50});
    result.probe = Array<cfloat, 3>({1, 20, 20});
    result.positions_px = Array<double, 2>({num_frames, 2});
    for (int i = 0; i < 5; ++i) write_result(folder_ / "result.h5", result);
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
}

TEST_P(RepeatedReading, NeedsHdf5OnlyWhereItMust) {
    const hdf5::File file(config_.file);
    const hdf5::Dataset frames = file.dataset(data_path);
    const RawFrames raw(frames);
    ASSERT_EQ(raw.is_possible(), GetParam().is_raw);
    if (!raw.is_possible()) return;
    RawFrames::Scratch scratch;
    for (const RawFrames::Window& window :
         {RawFrames::Window{{16, 13}, {3, 5}}, RawFrames::Window{{0, 0}, {height, width}},
          RawFrames::Window{{7, 10}, {7, 10}}}) {
        const std::byte* const read = raw.read(7, window, scratch);
        ASSERT_NE(read, nullptr);
        const auto [rows, columns] = window.shape;
        std::vector<std::uint16_t> pixels(static_cast<std::size_t>(rows * columns));
        std::memcpy(pixels.data(), read, pixels.size() * sizeof(std::uint16_t));
        for (int y = 0; y < rows; ++y) {
            for (int x = 0; x < columns; ++x) {
                EXPECT_EQ(pixels[static_cast<std::size_t>(columns * y + x)],
                          stored_count(7, window.first[0] + y, window.first[1] + x));
            }
        }
    }
}

// What is fetched ahead are the frames, not what else is in the file.
TEST_P(RepeatedReading, KnowsWhereTheFramesAre) {
    const hdf5::File file(config_.file);
    const hdf5::Dataset frames = file.dataset(data_path);
    const hdf5::StoredRange range = frames.stored_range();
    const std::int64_t all = std::int64_t{num_frames} * height * width * 2, stored = range.end - range.begin;
    if (stored == 0) {  // a file with more index than packed chunks
        EXPECT_LT(GetParam().chunk.at(1), height);
        return;
    }
    ASSERT_GT(range.begin, 0);
    ASSERT_LE(range.end, hdf5::file_bytes(range.descriptor));
    EXPECT_LE(stored, GetParam().deflate ? 2 * all : all + all / 10);
    const bool is_as_it_is = GetParam().is_raw && !GetParam().deflate && !GetParam().shuffle;
    if (!is_as_it_is) return;
    EXPECT_GE(stored, all);
    std::uint16_t first = 0, last = 0;
    ASSERT_EQ(pread(range.descriptor, &first, sizeof(first), range.begin), ssize_t{2});
    ASSERT_EQ(pread(range.descriptor, &last, sizeof(last), range.end - 2), ssize_t{2});
    EXPECT_EQ(first, stored_count(0, 0, 0));
    EXPECT_EQ(last, stored_count(num_frames - 1, height - 1, width - 1));
}

TEST_P(RepeatedReading, FetchesFramesAhead) {
    const hdf5::File file(config_.file);
    const hdf5::Dataset frames = file.dataset(data_path);
    const hdf5::StoredRange stored = frames.stored_range();
    const std::vector<std::ptrdiff_t> which = {3, 4, 38, 39};
    const ReadAhead whole(frames, 0, height);
    const auto ranges = whole.ranges(which);
    if (stored.end == stored.begin) {
        EXPECT_TRUE(ranges.empty());
        EXPECT_EQ(whole.frame_bytes(), 0U);
        return;
    }
    const std::int64_t bytes = stored.end - stored.begin;
    ASSERT_EQ(ranges.size(), 2U);
    EXPECT_EQ(ranges[0].begin, stored.begin + 3 * bytes / num_frames);
    EXPECT_NEAR(static_cast<double>(ranges[0].bytes), 2.0 * static_cast<double>(bytes) / num_frames, 1);
    EXPECT_EQ(ranges[1].begin + ranges[1].bytes, stored.end);
    EXPECT_EQ(whole.frame_bytes(), static_cast<std::size_t>(bytes / num_frames));
    // Of rows 8 and 9 only those, or the chunks that hold them.
    const auto row = static_cast<std::int64_t>(width * sizeof(std::uint16_t));
    const auto rows = ReadAhead(frames, 8, 2).ranges(which);
    if (GetParam().chunk.empty()) {
        ASSERT_EQ(rows.size(), which.size());
        EXPECT_EQ(rows[1], (ReadAhead::Range{stored.begin + (4 * height + 8) * row, 2 * row}));
    } else if (GetParam().chunk[1] == height) {
        EXPECT_EQ(rows, ranges);
    }
}

TEST_P(RepeatedReading, AfterFetchingAheadIsTheSame) {
    const ScanReader reader(config_, {});
    reader.will_need(std::vector<std::ptrdiff_t>{0, 1, 2, 30, 39});
    EXPECT_EQ(num_wrong(reader, {0, 1, 2, 30, 39}), 0);
    std::filesystem::resize_file(config_.file, 4096);
    reader.will_need(std::vector<std::ptrdiff_t>{38, 39});  // the reading tells
}

TEST_P(RepeatedReading, OfAFileThatWasUnlinkedGoesOn) {
    const ScanReader reader(config_, {});
    std::filesystem::remove(config_.file);
    EXPECT_EQ(num_wrong(reader, {0, 5, 6, 39}), 0);
}

TEST_P(RepeatedReading, OfAFileThatWasCutOffNamesTheFrame) {
    const ScanReader reader(config_, {});
    std::filesystem::resize_file(config_.file, 4096);
    try {
        num_wrong(reader, {38, 39});
        ADD_FAILURE() << "not refused";
    } catch (const Error& error) {
        const std::string message = error.what();
        EXPECT_EQ(error.code(), ExitCode::data);
        EXPECT_NE(message.find("scan.cxi:" + data_path), std::string::npos) << message;
        EXPECT_NE(message.find("frame"), std::string::npos) << message;
        EXPECT_NE(message.find("38"), std::string::npos) << message;
    }
}

// Twenty frames of 3 x 3 counts in memory, one of which changes.
class ChangingFrames : public FrameSource {
  public:
    mutable std::uint16_t extra = 0;
    void read_frames(std::span<const std::ptrdiff_t> which,
                     std::span<void* const> destinations) const override {
        for (std::size_t i = 0; i < which.size(); ++i) {
            auto* counts = static_cast<std::uint16_t*>(destinations[i]);
            for (int pixel = 0; pixel < 9; ++pixel)
                counts[pixel] = static_cast<std::uint16_t>(which[i] * 10 + pixel);
            if (which[i] == 7) counts[4] = static_cast<std::uint16_t>(counts[4] + extra);
        }
    }
};

TEST(CheckedFrames, AreTheSameEveryTime) {
    ScanInfo scan;
    scan.file = "scan.cxi";
    scan.num_frames = 20;
    for (std::ptrdiff_t i = 0; i < 20; ++i) scan.frames.push_back(100 + 2 * i);
    scan.mask = Array<float, 2>({3, 3}, 1.0F);
    const ChangingFrames source;
    const CheckedFrames frames(source, scan);
    std::array<std::uint16_t, 18> counts{};
    const std::array<void*, 2> destinations = {counts.data(), counts.data() + 9};
    const std::array<std::ptrdiff_t, 2> which = {6, 7};
    for (int i = 0; i < 3; ++i) EXPECT_NO_THROW(frames.read_frames(which, destinations));
    source.extra = 1;
    try {
        frames.read_frames(which, destinations);
        ADD_FAILURE() << "not noticed";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::data);
        EXPECT_EQ(std::string(error.what()).find("scan.cxi: frame 114 "), 0U) << error.what();
    }
}

INSTANTIATE_TEST_SUITE_P(
    Stored, RepeatedReading,
    testing::Values(
        Storage{.name = "contiguous", .chunk = {}},
        Storage{.name = "big_endian", .chunk = {}, .big_endian = true, .is_raw = false},
        Storage{.name = "chunk_per_frame", .chunk = {1, height, width}},
        Storage{.name = "deflated", .chunk = {1, height, width}, .deflate = true},
        Storage{.name = "shuffled_parts_of_frames", .chunk = {1, 7, 10}, .shuffle = true, .deflate = true},
        Storage{.name = "only_shuffled", .chunk = {1, height, width}, .shuffle = true},
        Storage{.name = "several_frames_a_chunk", .chunk = {3, 10, width}, .deflate = true, .is_raw = false},
        Storage{.name = "checksums", .chunk = {1, height, width}, .checksum = true, .is_raw = false}),
    [](const auto& chosen) { return chosen.param.name; });

}  // namespace
}  // namespace tessera::test
