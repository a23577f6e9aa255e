#include "scan/positions.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/error.hpp"

namespace tessera {
namespace {

Array<double, 2> positions(const std::vector<std::array<double, 2>>& points) {
    Array<double, 2> array({static_cast<std::ptrdiff_t>(points.size()), 2});
    for (std::size_t i = 0; i < points.size(); ++i) {
        array(i, 0) = points[i][0];
        array(i, 1) = points[i][1];
    }
    return array;
}

TEST(PlaceWindows, FitsTheObjectAroundAllWindows) {
    const auto placement =
        place_windows(positions({{-3.25, 10.5}, {4.75, 2.0}}), {16, 20}, 8, Interpolation::fourier);
    // Nearest pixels: y -3 and 5, x 11 and 2.
    EXPECT_EQ(placement.shift_px, (std::array<double, 2>{11, 6}));
    EXPECT_EQ(placement.window_shape, (std::array<int, 2>{16, 20}));
    EXPECT_EQ(placement.object_shape, (std::array<int, 2>{8 + 16 + 16, 9 + 20 + 16}));
    ASSERT_EQ(placement.windows.size(), 2U);
    EXPECT_EQ(placement.windows[0].y, 8);
    EXPECT_EQ(placement.windows[0].x, 17);
    EXPECT_EQ(placement.windows[0].frac_y, -0.25F);
    EXPECT_EQ(placement.windows[0].frac_x, -0.5F);
    EXPECT_EQ(placement.windows[1].y, 16);
    EXPECT_EQ(placement.windows[1].x, 8);
    EXPECT_EQ(placement.windows[1].frac_y, -0.25F);
    EXPECT_EQ(placement.windows[1].frac_x, 0.0F);
}

TEST(PlaceWindows, NearestRoundsHalfUpAndKeepsNoRest) {
    const auto placement =
        place_windows(positions({{0.0, 0.0}, {2.5, 2.49}, {-0.5, -0.51}}), {4, 4}, 0, Interpolation::nearest);
    EXPECT_EQ(placement.shift_px, (std::array<double, 2>{0, 1}));
    EXPECT_EQ(placement.windows[1].y, 3);
    EXPECT_EQ(placement.windows[1].x, 3);
    EXPECT_EQ(placement.windows[2].y, 0);
    EXPECT_EQ(placement.windows[2].x, 0);
    for (const auto& window : placement.windows) {
        EXPECT_EQ(window.frac_y, 0.0F);
        EXPECT_EQ(window.frac_x, 0.0F);
    }
}

TEST(PlaceWindows, BilinearReadsOnePixelMore) {
    const auto placement = place_windows(positions({{0.75, 0.25}}), {4, 5}, 3, Interpolation::bilinear);
    EXPECT_EQ(placement.window_shape, (std::array<int, 2>{5, 6}));
    EXPECT_EQ(placement.object_shape, (std::array<int, 2>{11, 12}));
    EXPECT_EQ(placement.windows[0].y, 3);
    EXPECT_EQ(placement.windows[0].frac_y, 0.75F);
    EXPECT_EQ(placement.windows[0].frac_x, 0.25F);
}

TEST(PlaceWindows, RestIsBelowOneInSinglePrecision) {
    // Just below a whole number: the rest would round to 1.0f. (A position in metres divided by a pixel
    // size.)
    const double almost = 3 - 1e-12;
    const auto placement =
        place_windows(positions({{almost, -1e-18}, {0, 0}}), {2, 2}, 1, Interpolation::bilinear);
    EXPECT_EQ(placement.windows[0].y, 4);
    EXPECT_EQ(placement.windows[0].frac_y, 0.0F);
    EXPECT_EQ(placement.windows[0].x, placement.windows[1].x);
    EXPECT_EQ(placement.windows[0].frac_x, 0.0F);
}

TEST(PlaceWindows, FourierTakesTheNearestPixelHalfUp) {
    const double below = 1 - 0x1p-53;  // floor(below / 2 + 1/2) is 1 in double precision
    const auto placement =
        place_windows(positions({{0, 0}, {2.5, -0.5}, {2.5 - 1e-12, below / 2}, {1.25, 2.75}}), {4, 4}, 0,
                      Interpolation::fourier);
    EXPECT_EQ(placement.shift_px, (std::array<double, 2>{0, 0}));
    EXPECT_EQ(placement.object_shape, (std::array<int, 2>{7, 7}));
    const std::array<WindowPosition, 4> expected = {
        {{0, 0, 0, 0}, {3, 0, -0.5F, -0.5F}, {3, 1, -0.5F, -0.5F}, {1, 3, 0.25F, -0.25F}}};
    for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_EQ(placement.windows[i].y, expected[i].y) << i;
        EXPECT_EQ(placement.windows[i].x, expected[i].x) << i;
        EXPECT_EQ(placement.windows[i].frac_y, expected[i].frac_y) << i;
        EXPECT_EQ(placement.windows[i].frac_x, expected[i].frac_x) << i;
    }
}

// A result file holds base + frac; whoever reads it must find the same windows.
TEST(PlaceWindows, SumOfBaseAndFracLeadsBackToBoth) {
    std::vector<std::array<double, 2>> points = {{0, 0}};
    for (int i = 0; i < 45; ++i) {
        const double tiny = std::ldexp(1.0, -i);
        points.push_back({12.5 + tiny, 12.5 - tiny});
        points.push_back({9 + tiny, 9 - tiny});
    }
    for (const auto interpolation :
         {Interpolation::nearest, Interpolation::bilinear, Interpolation::fourier}) {
        const auto placement = place_windows(positions(points), {4, 4}, 8, interpolation);
        std::vector<std::array<double, 2>> sums;
        for (const auto& window : placement.windows)
            sums.push_back({window.y + static_cast<double>(window.frac_y),
                            window.x + static_cast<double>(window.frac_x)});
        const auto again = place_windows(positions(sums), {4, 4}, 8, interpolation);
        ASSERT_EQ(again.shift_px, (std::array<double, 2>{0, 0}));
        for (std::size_t i = 0; i < sums.size(); ++i) {
            EXPECT_EQ(again.windows[i].y, placement.windows[i].y) << points[i][0];
            EXPECT_EQ(again.windows[i].x, placement.windows[i].x) << points[i][1];
            EXPECT_EQ(again.windows[i].frac_y, placement.windows[i].frac_y) << points[i][0];
            EXPECT_EQ(again.windows[i].frac_x, placement.windows[i].frac_x) << points[i][1];
        }
    }
}

TEST(PlaceWindows, EveryWindowIsInsideTheObject) {
    for (const auto interpolation :
         {Interpolation::nearest, Interpolation::bilinear, Interpolation::fourier}) {
        std::vector<std::array<double, 2>> points;
        for (int i = 0; i < 200; ++i) points.push_back({50 * std::sin(i * 1.7), 30 * std::cos(i * i * 0.3)});
        const auto array = positions(points);
        const auto placement = place_windows(array, {7, 12}, 2, interpolation);
        int least_y = 1000, largest_y = 0;
        for (std::size_t i = 0; i < points.size(); ++i) {
            const auto& window = placement.windows[i];
            least_y = std::min(least_y, window.y);
            largest_y = std::max(largest_y, window.y + placement.window_shape[0]);
            EXPECT_GE(window.x, 2);
            EXPECT_LE(window.x + placement.window_shape[1], placement.object_shape[1] - 2);
            const double position = points[i][0] + placement.shift_px[0];
            EXPECT_NEAR(window.y + static_cast<double>(window.frac_y), position,
                        interpolation == Interpolation::nearest ? 0.5 : 1e-6);
            EXPECT_GE(window.frac_y, interpolation == Interpolation::fourier ? -0.5F : 0.0F);
            EXPECT_LT(window.frac_y, interpolation == Interpolation::fourier ? 0.5F : 1.0F);
        }
        EXPECT_EQ(least_y, 2);
        EXPECT_EQ(largest_y, placement.object_shape[0] - 2);
    }
}

TEST(PlaceWindows, RejectsWhatIsNoScan) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    EXPECT_THROW(place_windows(positions({{0, 0}, {1, nan}}), {4, 4}, 8, Interpolation::fourier), Error);
    try {
        place_windows(positions({{0, 0}, {0, 3e9}}), {4, 4}, 8, Interpolation::fourier);
        FAIL() << "positions in the wrong unit went through";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::data);
        EXPECT_NE(std::string(error.what()).find("unit"), std::string::npos) << error.what();
    }
}

}  // namespace
}  // namespace tessera
