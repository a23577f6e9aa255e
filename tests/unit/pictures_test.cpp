#include "io/pictures.hpp"

#include <gtest/gtest.h>
#include <png.h>

#include <cmath>
#include <fstream>

#include "base/error.hpp"
#include "io/curve_plot.hpp"
#include "io/png_image.hpp"
#include "unit/io_test_files.hpp"

namespace tessera::test {
namespace {

Picture read_png(const std::filesystem::path& path) {
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    EXPECT_NE(png_image_begin_read_from_file(&image, path.c_str()), 0) << path << image.message;
    image.format = PNG_FORMAT_RGB;
    Picture picture({static_cast<std::ptrdiff_t>(image.height), static_cast<std::ptrdiff_t>(image.width)});
    EXPECT_NE(png_image_finish_read(&image, nullptr, picture.data(), 0, nullptr), 0);
    return picture;
}

double lightness(const Colour& colour) {  // CIE L*
    const auto linear = [](std::uint8_t byte) {
        const double value = byte / 255.0;
        return value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4);
    };
    const double y = 0.2126 * linear(colour[0]) + 0.7152 * linear(colour[1]) + 0.0722 * linear(colour[2]);
    return 116 * std::cbrt(y) - 16;
}

// A flat phase of +-0.5 left and right of the middle, under a steep ramp and an offset; scanned everywhere
// inside.
Result two_halves(std::ptrdiff_t extent) {
    Result result;
    result.object = Array<cfloat, 3>({1, extent, extent});
    for (std::ptrdiff_t y = 0; y < extent; ++y) {
        for (std::ptrdiff_t x = 0; x < extent; ++x) {
            const bool odd = (y / 8 + x / 8) % 2 != 0;
            const double phase =
                (odd ? 0.5 : -0.5) + 0.21 * static_cast<double>(y) - 0.13 * static_cast<double>(x) + 2;
            const double amplitude = x < extent / 2 ? 0.5 : 1;
            result.object(0, y, x) = {static_cast<float>(amplitude * std::cos(phase)),
                                      static_cast<float>(amplitude * std::sin(phase))};
        }
    }
    result.probe = Array<cfloat, 3>({2, 16, 16}, cfloat{1, 0});
    const std::ptrdiff_t steps = (extent - 16) / 4 + 1;
    result.positions_px = Array<double, 2>({steps * steps, 2});
    for (std::ptrdiff_t i = 0; i < steps * steps; ++i) {
        result.positions_px(i, 0) = 4.0 * static_cast<double>(i / steps);
        result.positions_px(i, 1) = 4.0 * static_cast<double>(i % steps);
    }
    result.data_error = {0.9, 0.3, 0.1, 0.05};
    return result;
}

// The result's file is elsewhere.
void draw(const std::filesystem::path& folder, const Result& result) {
    const TemporaryFolder results;
    write_result(results / "result.h5", result);
    write_pictures(folder, results / "result.h5");
}

TEST(Pictures, FourFilesOfTheRightSize) {
    const TemporaryFolder folder;
    draw(folder / "pictures", two_halves(64));
    const auto phase = read_png(folder / "pictures/object_phase.png");
    EXPECT_EQ(phase.extents(), (Extents<2>{64, 64}));
    EXPECT_EQ(read_png(folder / "pictures/object_amplitude.png").extents(), (Extents<2>{64, 64}));
    EXPECT_EQ(read_png(folder / "pictures/probe.png").extents(), (Extents<2>{16, 16 + 4 + 16}));
    EXPECT_EQ(read_png(folder / "pictures/error.png").extents(), (Extents<2>{500, 800}));
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder / "pictures"))
        ++count;
    EXPECT_EQ(count, 4U);
}

TEST(Pictures, SlicesAreShownInRowsAndTogether) {
    const TemporaryFolder folder;
    Result result = two_halves(64);
    const Array<cfloat, 3> object = result.object;
    result.object = Array<cfloat, 3>({3, 64, 64}, cfloat{1, 0});
    for (std::ptrdiff_t i = 0; i < object.size(); ++i) {
        result.object[i] = object[i];
        result.object.slice(2)[i] = {object[i].re, -object[i].im};  // takes the first's phase off again
    }
    draw(folder.path(), result);
    EXPECT_EQ(read_png(folder / "object_phase.png").extents(), (Extents<2>{64, 64}));
    const auto slices = read_png(folder / "slices_phase.png");
    EXPECT_EQ(slices.extents(), (Extents<2>{64 + 4 + 64, 64 + 4 + 64}));
    EXPECT_EQ(read_png(folder / "slices_amplitude.png").extents(), slices.extents());
    // The first slice, the second to its right without contrast, the third below the first, its phases turned
    // over.
    EXPECT_LT(lightness(slices(20, 20)), 30);
    EXPECT_GT(lightness(slices(20, 28)), 80);
    EXPECT_EQ(slices(20, 68 + 20), slices(20, 68 + 28));
    EXPECT_GT(lightness(slices(68 + 20, 20)), 80);
    EXPECT_LT(lightness(slices(68 + 20, 28)), 30);
    EXPECT_EQ(slices(100, 100), (Colour{255, 255, 255})) << "no fourth slice";
    const auto projected = read_png(folder / "object_amplitude.png");  // a quarter and one
    EXPECT_EQ(projected(30, 20), (Colour{0, 0, 0}));
    EXPECT_EQ(projected(30, 45), (Colour{255, 255, 255}));
}

TEST(Pictures, ModesAreShownInRowsAndTheFirstAlone) {
    const TemporaryFolder folder;
    Result result = two_halves(64);
    draw(folder / "thin", result);
    const Array<cfloat, 3> object = result.object;
    result.object = Array<cfloat, 3>({2, 64, 64}, cfloat{0.1f, 0});
    std::copy(object.begin(), object.end(), result.object.begin());
    result.num_object_modes = 2;
    draw(folder / "mixed", result);
    for (const char* name : {"object_phase.png", "object_amplitude.png"}) {
        const auto thin = read_png(folder / "thin" / name), mixed = read_png(folder / "mixed" / name);
        for (std::ptrdiff_t i = 0; i < thin.size(); ++i) ASSERT_EQ(mixed[i], thin[i]) << name;
    }
    EXPECT_EQ(read_png(folder / "mixed/modes_amplitude.png").extents(), (Extents<2>{64, 64 + 4 + 64}));
    EXPECT_TRUE(std::filesystem::exists(folder / "mixed/modes_phase.png"));
    EXPECT_FALSE(std::filesystem::exists(folder / "mixed/slices_phase.png"));
}

TEST(Pictures, ManyLargeSlicesMakeAPictureThatIsNotTooLarge) {
    const TemporaryFolder folder;
    Result result = two_halves(64);
    result.object = Array<cfloat, 3>({5, 500, 3000}, cfloat{1, 0});  // 3 columns of at most 1365
    draw(folder.path(), result);
    EXPECT_EQ(read_png(folder / "slices_phase.png").extents(),
              (Extents<2>{2 * (167 + 4) - 4, 3 * (1000 + 4) - 4}));
}

TEST(Pictures, TheRampIsTakenOutOfThePhase) {
    const TemporaryFolder folder;
    draw(folder.path(), two_halves(64));
    const auto phase = read_png(folder / "object_phase.png");
    // Squares of one phase have one colour all over the object: dark where it is -0.5, bright where it is
    // +0.5.
    for (std::ptrdiff_t y = 8; y < 56; ++y) {
        for (std::ptrdiff_t x = 8; x < 56; ++x) {
            const bool odd = (y / 8 + x / 8) % 2 != 0;
            const double light = lightness(phase(y, x));
            EXPECT_TRUE(odd ? light > 80 : light < 30) << light << " at " << y << ", " << x;
        }
    }
    const auto amplitude = read_png(folder / "object_amplitude.png");
    EXPECT_EQ(amplitude(30, 20), (Colour{0, 0, 0}));
    EXPECT_EQ(amplitude(30, 40), (Colour{255, 255, 255}));
    EXPECT_EQ(amplitude(0, 0), (Colour{48, 48, 48})) << "nothing was scanned in the corner";
}

TEST(Pictures, LargeObjectsAreReduced) {
    const TemporaryFolder folder;
    Result result = two_halves(32);
    result.object = Array<cfloat, 3>({1, 3, 9000}, cfloat{1, 1});
    draw(folder.path(), result);
    EXPECT_EQ(read_png(folder / "object_phase.png").extents(), (Extents<2>{1, 3000}));
}

// The region and the ramp go from one piece of rows to the next.
TEST(Pictures, ObjectsOfManyPiecesAreShownAsOne) {
    const TemporaryFolder folder;
    Result result = two_halves(64);
    result.object = Array<cfloat, 3>({1, 1000, 4096});  // 128 rows at a time
    for (std::ptrdiff_t y = 0; y < 1000; ++y) {
        for (std::ptrdiff_t x = 0; x < 4096; ++x) {
            const double phase = ((y / 100 + x / 100) % 2 == 0 ? 0.5 : -0.5) + 0.01 * static_cast<double>(y) -
                                 0.02 * static_cast<double>(x);
            result.object(0, y, x) = {static_cast<float>(std::cos(phase)),
                                      static_cast<float>(std::sin(phase))};
        }
    }
    result.probe = Array<cfloat, 3>({1, 400, 400}, cfloat{1, 0});
    result.positions_px = Array<double, 2>({4 * 20, 2});
    for (std::ptrdiff_t i = 0; i < 4 * 20; ++i) {
        result.positions_px(i, 0) = 200.0 * static_cast<double>(i / 20);
        result.positions_px(i, 1) = 190.0 * static_cast<double>(i % 20);
    }
    draw(folder.path(), result);
    const auto phase = read_png(folder / "object_phase.png");
    ASSERT_EQ(phase.extents(), (Extents<2>{1000, 4096}));
    for (std::ptrdiff_t y = 0; y < 1000; y += 7) {
        for (std::ptrdiff_t x = 0; x < 4096; x += 13) {
            const bool is_scanned = y >= 100 && y < 900 && x >= 100 && x < 3910;
            const double light = lightness(phase(y, x));
            ASSERT_EQ(phase(y, x) != (Colour{48, 48, 48}), is_scanned) << y << ", " << x;
            const bool is_right = (y / 100 + x / 100) % 2 == 0 ? light > 80 : light < 30;
            ASSERT_TRUE(!is_scanned || is_right) << light << " at " << y << ", " << x;
        }
    }
}

TEST(Pictures, EmptyOrBrokenNumbersDoNotMatter) {
    const TemporaryFolder folder;
    Result result = two_halves(32);
    result.data_error.clear();
    result.positions_px = Array<double, 2>({1, 2}, std::nan(""));
    result.object(0, 3, 3) = {NAN, 0};
    result.probe = Array<cfloat, 3>({1, 1, 1}, cfloat{0, 0});
    EXPECT_NO_THROW(draw(folder.path(), result));
}

TEST(Pictures, AnUnwritableFolderIsARuntimeError) {
    const TemporaryFolder folder;
    std::ofstream(folder / "file") << "x";
    try {
        draw(folder / "file/pictures", two_halves(32));
        ADD_FAILURE();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::runtime);
    }
}

TEST(Colours, TheOrderedMapGrowsEvenlyLighter) {
    double least = 1e9, most = 0;
    for (int i = 0; i < 20; ++i) {
        const double step = lightness(ordered_colour((i + 1) / 20.0)) - lightness(ordered_colour(i / 20.0));
        least = std::min(least, step);
        most = std::max(most, step);
    }
    EXPECT_GT(least, 2);
    EXPECT_LT(most, 7);
    EXPECT_EQ(ordered_colour(-1), ordered_colour(0));
    EXPECT_EQ(ordered_colour(NAN), ordered_colour(0));
}

TEST(Colours, PhaseIsHue) {
    const double third = 2 * M_PI / 3;
    EXPECT_EQ(phase_colour(0, 1), (Colour{255, 0, 0}));
    EXPECT_EQ(phase_colour(third, 1), (Colour{0, 255, 0}));
    EXPECT_EQ(phase_colour(-third, 1), (Colour{0, 0, 255}));
    EXPECT_EQ(phase_colour(M_PI, 0.5), (Colour{0, 128, 128}));
    EXPECT_EQ(phase_colour(1, 0), (Colour{0, 0, 0}));
}

TEST(CurvePlot, FallingErrorsFallFromLeftToRight) {
    const auto picture = plot_data_error({1, 0.1, 0.01});
    const auto row_of_curve = [&](std::ptrdiff_t x) {
        for (std::ptrdiff_t y = 0; y < picture.extent(0); ++y) {
            if (picture(y, x) == Colour{30, 90, 190}) return y;
        }
        return std::ptrdiff_t{-1};
    };
    const auto left = row_of_curve(112), middle = row_of_curve(445), right = row_of_curve(778);
    EXPECT_GT(left, 0);
    EXPECT_NEAR(static_cast<double>(middle - left), static_cast<double>(right - middle), 4)
        << "decades are equal";
    for (const auto& values : {std::vector<double>{}, std::vector<double>{0.5},
                               std::vector<double>{0, -1, NAN}, std::vector<double>(100000, 1.0)}) {
        EXPECT_EQ(plot_data_error(values).extents(), (Extents<2>{500, 800}));
    }
}

}  // namespace
}  // namespace tessera::test
