#include "io/result_file.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>

#include "base/error.hpp"
#include "io/hdf5.hpp"
#include "io/inspect.hpp"
#include "unit/io_test_files.hpp"

namespace tessera::test {
namespace {

Result some_result(std::ptrdiff_t object_extent = 17) {
    Result result;
    result.object = Array<cfloat, 3>({1, object_extent, object_extent + 3});
    for (std::ptrdiff_t i = 0; i < result.object.size(); ++i) {
        result.object[i] = {static_cast<float>(i), -static_cast<float>(i % 7)};
    }
    result.probe = Array<cfloat, 3>({2, 4, 5}, cfloat{1, 2});
    result.probe(1, 3, 4) = {-5, 6};
    result.pixel_size_m = {7e-9, 8e-9};
    result.origin_m = {-1e-6, 2.5e-6};
    result.positions_px = Array<double, 2>({3, 2});
    for (std::ptrdiff_t i = 0; i < 6; ++i) result.positions_px[i] = 1.125 * static_cast<double>(i);
    result.frames = {0, 2, 4};
    result.cost = {100, 50};
    result.data_error = {0.5, 0.25};
    result.step = {1, 0.5};
    result.time_s = {0.1, 0.2};
    result.final_cost = 40;
    result.final_data_error = 0.2;
    result.data_error_per_frame = {0.1, 0.3, 0.2};
    result.timings_s = {{"load", 0.5}, {"reconstruct", 1.5}};
    result.run = "scan:\n  file: scan.cxi\n";
    result.about = {{"commit", ""}, {"host", "here"}, {"version", "0.1.0"}};
    return result;
}

void expect_equal(const Result& a, const Result& b) {
    const auto same = [](const auto& x, const auto& y) {
        ASSERT_EQ(x.extents(), y.extents());
        for (std::ptrdiff_t i = 0; i < x.size(); ++i) {
            EXPECT_EQ(x[i].re, y[i].re);
            EXPECT_EQ(x[i].im, y[i].im);
        }
    };
    same(a.object, b.object);
    same(a.probe, b.probe);
    same(a.opr_modes, b.opr_modes);
    same(a.opr_weights, b.opr_weights);
    EXPECT_EQ(a.intensity_scale, b.intensity_scale);
    EXPECT_EQ(a.probe_amplitude, b.probe_amplitude);
    EXPECT_EQ(a.opr_mode_powers, b.opr_mode_powers);
    ASSERT_EQ(a.background.extents(), b.background.extents());
    EXPECT_TRUE(std::ranges::equal(a.background, b.background));
    EXPECT_EQ(a.pixel_size_m, b.pixel_size_m);
    EXPECT_EQ(a.origin_m, b.origin_m);
    EXPECT_EQ(a.slice_spacings_m, b.slice_spacings_m);
    EXPECT_EQ(a.num_object_modes, b.num_object_modes);
    EXPECT_EQ(a.object_mode_powers, b.object_mode_powers);
    ASSERT_EQ(a.positions_px.extents(), b.positions_px.extents());
    for (std::ptrdiff_t i = 0; i < a.positions_px.size(); ++i)
        EXPECT_EQ(a.positions_px[i], b.positions_px[i]);
    EXPECT_EQ(a.frames, b.frames);
    EXPECT_EQ(a.cost, b.cost);
    EXPECT_EQ(a.data_error, b.data_error);
    EXPECT_EQ(a.step, b.step);
    EXPECT_EQ(a.time_s, b.time_s);
    EXPECT_EQ(a.final_cost, b.final_cost);
    EXPECT_EQ(a.final_data_error, b.final_data_error);
    EXPECT_EQ(a.data_error_per_frame, b.data_error_per_frame);
    EXPECT_EQ(a.timings_s, b.timings_s);
    EXPECT_EQ(a.run, b.run);
    EXPECT_EQ(a.about, b.about);
}

std::string bytes_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream bytes;
    bytes << file.rdbuf();
    return bytes.str();
}

std::size_t num_files(const std::filesystem::path& folder) {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
    return count;
}

class ResultFileTest : public testing::Test {
  protected:
    TemporaryFolder folder_;
};

TEST_F(ResultFileTest, SaysWhatWasTakenOff) {
    Result result = some_result();
    write_result(folder_ / "plain.h5", result);
    EXPECT_FALSE(read_result(folder_ / "plain.h5").removed_ramp.has_value());
    result.removed_ramp = RemovedRamp{{0.25, -0.5}, {0.75, 1.5}};
    write_result(folder_ / "flat.h5", result);
    const auto found = read_result(folder_ / "flat.h5").removed_ramp;
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->rad_per_px, result.removed_ramp->rad_per_px);
    EXPECT_EQ(found->mean, result.removed_ramp->mean);
}

TEST_F(ResultFileTest, ComesBackAsWritten) {
    write_result(folder_ / "result.h5", some_result());
    expect_equal(read_result(folder_ / "result.h5"), some_result());
    EXPECT_EQ(num_files(folder_.path()), 1U) << "nothing else is left behind";
}

TEST_F(ResultFileTest, AProbeThatVariesComesBack) {
    Result result = some_result();
    result.intensity_scale = {0.75, 1, 1.25};
    result.probe_amplitude = {0.875, 1, 1.125};
    write_result(folder_ / "result.h5", result);
    expect_equal(read_result(folder_ / "result.h5"), result);
    result.opr_modes = Array<cfloat, 3>({2, 4, 5}, cfloat{0.5, -1});
    result.opr_weights = Array<cfloat, 2>({3, 2}, cfloat{2, 3});
    result.opr_weights(2, 1) = {-4, 5};
    result.opr_mode_powers = {13, 12};
    write_result(folder_ / "result.h5", result);
    expect_equal(read_result(folder_ / "result.h5"), result);
    const std::string seen = inspect_file(folder_ / "result.h5");
    for (const char* said :
         {"intensity_scale 0.75 to 1.25", "2 eigen-probe(s), opr_mode_powers 13 12 counts"})
        EXPECT_NE(seen.find(said), std::string::npos) << seen;
}

TEST_F(ResultFileTest, ABackgroundComesBack) {
    Result result = some_result();
    result.background = Array<float, 2>({6, 5}, 0.25F);
    result.background(2, 3) = 7;
    write_result(folder_ / "result.h5", result);
    expect_equal(read_result(folder_ / "result.h5"), result);
    const std::string seen = inspect_file(folder_ / "result.h5");
    EXPECT_NE(seen.find("background 14.25 counts a frame"), std::string::npos) << seen;
}

TEST_F(ResultFileTest, SlicesComeBackWithTheirPlaces) {
    Result result = some_result();
    result.object = Array<cfloat, 3>({3, 4, 5});
    for (std::ptrdiff_t i = 0; i < result.object.size(); ++i) result.object[i] = {static_cast<float>(i), 1};
    result.slice_spacings_m = {1e-9, 2.5e-9};
    write_result(folder_ / "result.h5", result);
    expect_equal(read_result(folder_ / "result.h5"), result);
    const hdf5::File file(folder_ / "result.h5");
    const auto z_m = file.dataset("/entry_1/image_1/z").read_vector<double>();
    EXPECT_EQ(z_m, (std::vector<double>{0, 1e-9, 3.5e-9}));
    EXPECT_FALSE(file.has_dataset("/entry_1/image_2/z")) << "modes have no place";
    EXPECT_NE(inspect_file(folder_ / "result.h5").find("3 slices of 4 by 5 pixels"), std::string::npos);
}

TEST_F(ResultFileTest, ModesOfTheObjectComeBackWithTheirPowers) {
    Result result = some_result();
    result.object = Array<cfloat, 3>({2, 4, 5});
    for (std::ptrdiff_t i = 0; i < result.object.size(); ++i) result.object[i] = {static_cast<float>(i), 1};
    result.num_object_modes = 2;
    result.object_mode_powers = {1250, 17};
    write_result(folder_ / "result.h5", result);
    expect_equal(read_result(folder_ / "result.h5"), result);
    EXPECT_FALSE(hdf5::File(folder_ / "result.h5").has_dataset("/entry_1/image_1/z"));
    const std::string seen = inspect_file(folder_ / "result.h5");
    for (const char* said : {"2 modes of 4 by 5 pixels", "object_mode_powers 1250 17 counts a frame"})
        EXPECT_NE(seen.find(said), std::string::npos) << seen;
}

TEST_F(ResultFileTest, AnObjectInPiecesIsTheSameBytes) {
    Result result = some_result();
    result.object = Array<cfloat, 3>({3, 7, 5});
    for (std::ptrdiff_t i = 0; i < result.object.size(); ++i) result.object[i] = {static_cast<float>(i), 1};
    write_result(folder_ / "whole.h5", result);
    {
        const Array<cfloat, 3> object = std::exchange(result.object, {});
        ResultWriter writer(folder_ / "pieces.h5", result, object.extents());
        for (const auto& [y, x, height, width] : std::vector<std::array<std::ptrdiff_t, 4>>{
                 {4, 2, 3, 3}, {0, 0, 4, 2}, {0, 2, 4, 3}, {4, 0, 3, 2}}) {
            Array<cfloat, 3> piece({3, height, width});
            for (std::ptrdiff_t slice = 0; slice < 3; ++slice)
                for (std::ptrdiff_t i = 0; i < height; ++i)
                    for (std::ptrdiff_t j = 0; j < width; ++j)
                        piece(slice, i, j) = object(slice, y + i, x + j);
            writer.write_object(y, x, piece);
        }
        writer.finish();
    }
    EXPECT_EQ(bytes_of(folder_ / "pieces.h5"), bytes_of(folder_ / "whole.h5"));
    const ResultReader reader(folder_ / "whole.h5");
    EXPECT_TRUE(reader.without_object().object.empty());
    EXPECT_EQ(reader.object_shape(), (Extents<3>{3, 7, 5}));
    Array<cfloat, 2> part({2, 3});
    reader.read_object(1, 4, 2, part);
    EXPECT_EQ(part(0, 0).re, 35 + 4 * 5 + 2);
    EXPECT_EQ(part(1, 2).re, 35 + 5 * 5 + 4);
}

// Nothing of the object's size is in memory: the file may be larger than what the process may still allocate.
TEST_F(ResultFileTest, TakesTheMemoryOfAPiece) {
    constexpr std::ptrdiff_t extent = 4096, height = 64;  // 128 MiB, in pieces of 2 MiB
    const Result result = some_result();
    const Array<cfloat, 3> piece({1, height, extent}, cfloat{1, 2});
    std::ifstream status("/proc/self/statm");
    rlim_t pages = 0;
    status >> pages;
    rlimit earlier{};
    ASSERT_EQ(getrlimit(RLIMIT_AS, &earlier), 0);
    const rlimit tight = {pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + (rlim_t{32} << 20),
                          earlier.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_AS, &tight), 0);
    EXPECT_NO_THROW({
        ResultWriter writer(folder_ / "result.h5", result, {1, extent, extent});
        for (std::ptrdiff_t y = 0; y < extent; y += height) writer.write_object(y, 0, piece);
        writer.finish();
    });
    ASSERT_EQ(setrlimit(RLIMIT_AS, &earlier), 0);
    EXPECT_EQ(ResultReader(folder_ / "result.h5").object_shape(), (Extents<3>{1, extent, extent}));
}

TEST_F(ResultFileTest, WithoutIterationsOrFrames) {
    Result result = some_result();
    for (auto* list :
         {&result.cost, &result.data_error, &result.step, &result.time_s, &result.data_error_per_frame}) {
        list->clear();
    }
    result.timings_s.clear();
    result.run.clear();
    write_result(folder_ / "result.h5", result);
    expect_equal(read_result(folder_ / "result.h5"), result);
}

TEST_F(ResultFileTest, TheSameResultIsTheSameBytes) {
    write_result(folder_ / "a.h5", some_result());
    write_result(folder_ / "b.h5", some_result());
    EXPECT_EQ(bytes_of(folder_ / "a.h5"), bytes_of(folder_ / "b.h5"));
}

TEST_F(ResultFileTest, ReplacesAnEarlierResult) {
    write_result(folder_ / "result.h5", some_result(5));
    write_result(folder_ / "result.h5", some_result(9));
    EXPECT_EQ(read_result(folder_ / "result.h5").object.extent(1), 9);
}

TEST_F(ResultFileTest, UnwritablePlacesAreOneClearError) {
    std::ofstream(folder_ / "file") << "x";
    for (const auto& target : {folder_ / "absent/result.h5", folder_ / "file/result.h5", folder_.path()}) {
        try {
            write_result(target, some_result());
            ADD_FAILURE() << target;
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ExitCode::runtime);
            EXPECT_NE(std::string(error.what()).find(target.string()), std::string::npos) << error.what();
        }
    }
    EXPECT_EQ(num_files(folder_.path()), 1U);
}

// A limit on file sizes stands in for a full disk: writes fail in the same calls.
TEST_F(ResultFileTest, AFullDiskLeavesTheEarlierResult) {
    write_result(folder_ / "result.h5", some_result(5));
    const std::string before = bytes_of(folder_ / "result.h5");
    rlimit earlier{};
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &earlier), 0);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    for (const rlim_t bytes : {rlim_t{0}, rlim_t{1000}, rlim_t{5000}, rlim_t{30000}, rlim_t{200000}}) {
        const rlimit small = {bytes, earlier.rlim_max};
        ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
        std::string message;
        try {
            write_result(folder_ / "result.h5", some_result(200));
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ExitCode::runtime);
            message = error.what();
        }
        ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &earlier), 0);
        EXPECT_NE(message.find("result.h5: cannot be written (File too large)"), std::string::npos)
            << bytes << message;
        EXPECT_EQ(bytes_of(folder_ / "result.h5"), before);
        EXPECT_EQ(num_files(folder_.path()), 1U);
    }
    std::signal(SIGXFSZ, handler);
    write_result(folder_ / "result.h5", some_result(200));
    EXPECT_EQ(read_result(folder_ / "result.h5").object.extent(1), 200);
}

TEST_F(ResultFileTest, OtherFilesAreRefused) {
    EXPECT_THROW(read_result(folder_ / "absent.h5"), Error);
    const auto scan = write_mini_cxi(folder_);
    try {
        read_result(scan);
        ADD_FAILURE();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::data);
        EXPECT_NE(std::string(error.what()).find("not a result of tessera"), std::string::npos)
            << error.what();
    }
    write_result(folder_ / "result.h5", some_result());
    const std::string whole = bytes_of(folder_ / "result.h5");
    std::ofstream(folder_ / "half.h5", std::ios::binary) << whole.substr(0, whole.size() / 2);
    EXPECT_THROW(read_result(folder_ / "half.h5"), Error);
}

TEST_F(ResultFileTest, InspectSummarises) {
    write_result(folder_ / "result.h5", some_result());
    const std::string text = inspect_file(folder_ / "result.h5");
    for (const char* part :
         {"1 slice of 17 by 20", "2 mode(s) of 4 by 5", "data error 0.2", "frame 2", "host: here"}) {
        EXPECT_NE(text.find(part), std::string::npos) << part << " is not in\n" << text;
    }
}

TEST_F(ResultFileTest, InspectSaysWhyAFileIsNoScan) {
    {
        FileBuilder file(folder_ / "other.h5");
        file.put<std::uint8_t>("/measurement/eiger", {2, 3, 4}, std::vector<std::uint8_t>(24, 1));
    }
    const std::string text = inspect_file(folder_ / "other.h5");
    EXPECT_NE(text.find("not a CXI file"), std::string::npos) << text;
    EXPECT_NE(text.find("/measurement/eiger (2, 3, 4) uint8"), std::string::npos) << text;
    EXPECT_THROW(inspect_file(folder_ / "absent.h5"), Error);
}

}  // namespace
}  // namespace tessera::test
