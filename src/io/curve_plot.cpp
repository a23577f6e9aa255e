#include "io/curve_plot.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>

#include "base/error.hpp"

namespace tessera {

namespace {

constexpr Colour white = {255, 255, 255}, black = {20, 20, 20}, light = {222, 222, 222}, blue = {30, 90, 190};
constexpr std::ptrdiff_t width = 800, height = 500;
constexpr std::ptrdiff_t left = 110, right = 780, top = 25, bottom = 440;  // the axes' box
constexpr std::ptrdiff_t glyph_width = 5, glyph_height = 7, glyph_scale = 2, glyph_step = 6 * glyph_scale;

// The characters that labels need, five bits a row.
using Glyph = std::array<std::uint8_t, glyph_height>;
const std::map<char, Glyph>& glyphs() {
    static const std::map<char, Glyph> all = {
        {'0', {0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110}},
        {'1', {0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110}},
        {'2', {0b01110, 0b10001, 0b00001, 0b00110, 0b01000, 0b10000, 0b11111}},
        {'3', {0b01110, 0b10001, 0b00001, 0b00110, 0b00001, 0b10001, 0b01110}},
        {'4', {0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010}},
        {'5', {0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110}},
        {'6', {0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110}},
        {'7', {0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b01000, 0b01000}},
        {'8', {0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110}},
        {'9', {0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100}},
        {'.', {0, 0, 0, 0, 0, 0b01100, 0b01100}},
        {'-', {0, 0, 0, 0b11111, 0, 0, 0}},
        {'+', {0, 0b00100, 0b00100, 0b11111, 0b00100, 0b00100, 0}},
        {'a', {0, 0, 0b01110, 0b00001, 0b01111, 0b10001, 0b01111}},
        {'d', {0b00001, 0b00001, 0b01101, 0b10011, 0b10001, 0b10001, 0b01111}},
        {'e', {0, 0, 0b01110, 0b10001, 0b11111, 0b10000, 0b01110}},
        {'i', {0b00100, 0, 0b01100, 0b00100, 0b00100, 0b00100, 0b01110}},
        {'n', {0, 0, 0b10110, 0b11001, 0b10001, 0b10001, 0b10001}},
        {'o', {0, 0, 0b01110, 0b10001, 0b10001, 0b10001, 0b01110}},
        {'r', {0, 0, 0b10110, 0b11001, 0b10000, 0b10000, 0b10000}},
        {'t', {0b01000, 0b01000, 0b11100, 0b01000, 0b01000, 0b01001, 0b00110}},
    };
    return all;
}

void dot(Picture& picture, std::ptrdiff_t y, std::ptrdiff_t x, const Colour& colour) {
    if (y >= 0 && y < picture.extent(0) && x >= 0 && x < picture.extent(1)) picture(y, x) = colour;
}

void line(Picture& picture, std::array<double, 2> from, std::array<double, 2> to, const Colour& colour) {
    const double length = std::max({std::abs(to[0] - from[0]), std::abs(to[1] - from[1]), 1.0});
    const auto steps = static_cast<std::ptrdiff_t>(std::ceil(length));
    for (std::ptrdiff_t i = 0; i <= steps; ++i) {
        const double fraction = static_cast<double>(i) / static_cast<double>(steps);
        dot(picture, std::lround(from[0] + fraction * (to[0] - from[0])),
            std::lround(from[1] + fraction * (to[1] - from[1])), colour);
    }
}

std::ptrdiff_t text_width(const std::string& text) {
    return static_cast<std::ptrdiff_t>(text.size()) * glyph_step - glyph_scale;
}

// `y`, `x`: the text's top-left corner.
void write(Picture& picture, std::ptrdiff_t y, std::ptrdiff_t x, const std::string& text) {
    for (const char letter : text) {
        const auto glyph = glyphs().find(letter);
        for (std::ptrdiff_t pixel = 0; glyph != glyphs().end() && pixel < glyph_height * glyph_width;
             ++pixel) {
            const std::ptrdiff_t row = pixel / glyph_width, column = pixel % glyph_width;
            const unsigned bits = glyph->second[static_cast<std::size_t>(row)];
            if (((bits >> (glyph_width - 1 - column)) & 1U) == 0) continue;
            for (std::ptrdiff_t i = 0; i < glyph_scale * glyph_scale; ++i) {
                dot(picture, y + row * glyph_scale + i / glyph_scale,
                    x + column * glyph_scale + i % glyph_scale, black);
            }
        }
        x += glyph_step;
    }
}

// 1, 2 and 5 times powers of ten, few enough to be read.
std::ptrdiff_t tick_step(std::ptrdiff_t extent) {
    constexpr std::ptrdiff_t most_ticks = 8;
    std::ptrdiff_t decade = 1;
    while (true) {
        for (const std::ptrdiff_t factor : {1, 2, 5}) {
            if (extent / (factor * decade) <= most_ticks) return factor * decade;
        }
        decade *= 10;
    }
}

struct LogAxis {
    double least, most;  // log10 of the shown range
    double row(double value) const {
        return bottom - (std::log10(value) - least) / (most - least) * (bottom - top);
    }
};

LogAxis log_axis(const std::vector<double>& values) {
    double least = INFINITY, most = -INFINITY;
    for (const double value : values) {
        if (!(value > 0) || !std::isfinite(value)) continue;
        least = std::min(least, std::log10(value));
        most = std::max(most, std::log10(value));
    }
    if (!(least <= most)) return {-1, 0};
    const double margin = std::max(0.05, 0.05 * (most - least));
    return {least - margin, most + margin};
}

// Round numbers (1, 2, 5) while the range has some; else five even steps.
std::vector<double> log_ticks(const LogAxis& axis) {
    const double decades = axis.most - axis.least;
    std::vector<double> ticks;
    if (decades < 0.8) {
        for (int i = 0; i < 5; ++i) ticks.push_back(std::pow(10, axis.least + (i + 0.5) / 5 * decades));
        return ticks;
    }
    const int stride = std::max(1, static_cast<int>(decades / 8));
    for (int decade = static_cast<int>(std::floor(axis.least)); decade <= axis.most; decade += stride) {
        for (const int factor : {1, 2, 5}) {
            const double value = factor * std::pow(10, decade);
            const bool inside = std::log10(value) >= axis.least && std::log10(value) <= axis.most;
            if (inside && (factor == 1 || decades < 3)) ticks.push_back(value);
        }
    }
    return ticks;
}

void draw_axes(Picture& picture, const LogAxis& axis, std::ptrdiff_t num_iter) {
    for (const double value : log_ticks(axis)) {
        const double y = axis.row(value);
        line(picture, {y, left}, {y, right}, light);
        const std::string label = fmt::format("{:.3g}", value);
        write(picture, std::lround(y) - glyph_height, left - 8 - text_width(label), label);
    }
    const std::ptrdiff_t step = tick_step(std::max<std::ptrdiff_t>(num_iter - 1, 1));
    for (std::ptrdiff_t i = 0; i < std::max<std::ptrdiff_t>(num_iter, 2); i += step) {
        const double x = left + static_cast<double>((right - left) * i) /
                                    static_cast<double>(std::max<std::ptrdiff_t>(num_iter - 1, 1));
        line(picture, {top, x}, {bottom, x}, light);
        const std::string label = fmt::format("{}", i);
        write(picture, bottom + 8, std::lround(x) - text_width(label) / 2, label);
    }
    line(picture, {top, left}, {bottom, left}, black);
    line(picture, {bottom, left}, {bottom, right}, black);
    write(picture, 5, left, "data error");
    write(picture, height - 25, (left + right - text_width("iteration")) / 2, "iteration");
}

}  // namespace

Picture plot_data_error(const std::vector<double>& data_error) {
    Picture picture({height, width}, white);
    const auto num_iter = static_cast<std::ptrdiff_t>(data_error.size());
    const LogAxis axis = log_axis(data_error);
    draw_axes(picture, axis, num_iter);
    bool has_last = false;
    std::array<double, 2> last{};
    for (std::ptrdiff_t i = 0; i < num_iter; ++i) {
        const double value = data_error[static_cast<std::size_t>(i)];
        if (!(value > 0) || !std::isfinite(value)) {
            has_last = false;
            continue;
        }
        const std::array<double, 2> point = {
            axis.row(value), left + static_cast<double>((right - left) * i) /
                                        static_cast<double>(std::max<std::ptrdiff_t>(num_iter - 1, 1))};
        for (const double offset : {0.0, 1.0}) {  // two pixels thick
            const std::array<double, 2> from = has_last ? last : point;
            line(picture, {from[0] + offset, from[1]}, {point[0] + offset, point[1]}, blue);
        }
        last = point;
        has_last = true;
    }
    return picture;
}

}  // namespace tessera
