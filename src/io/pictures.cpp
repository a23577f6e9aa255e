#include "io/pictures.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <system_error>
#include <vector>

#include "base/error.hpp"
#include "io/curve_plot.hpp"
#include "io/png_image.hpp"

namespace tessera {

namespace {

constexpr std::ptrdiff_t max_picture_extent = 4096;
constexpr std::ptrdiff_t gap = 4;  // between images side by side
constexpr Colour unseen = {48, 48, 48};

using Image = View<const cfloat, 2>;
using Region = Array<std::uint8_t, 2>;  // 1: scanned

// Object pixels inside the central half of some probe window, where the probe has its power. Windows are
// summed as differences at their corners, so the cost does not grow with their size.
Region scanned_region(const Result& result) {
    const std::ptrdiff_t height = result.object.extent(1), width = result.object.extent(2);
    const std::ptrdiff_t probe_height = result.probe.extent(1), probe_width = result.probe.extent(2);
    Array<std::int32_t, 2> differences({height + 1, width + 1});
    for (std::ptrdiff_t i = 0; i < result.positions_px.extent(0); ++i) {
        const double y = result.positions_px(i, 0), x = result.positions_px(i, 1);
        if (!(std::abs(y) < 1e9 && std::abs(x) < 1e9)) continue;
        const auto first_y = std::clamp<std::ptrdiff_t>(std::lround(y) + probe_height / 4, 0, height);
        const auto first_x = std::clamp<std::ptrdiff_t>(std::lround(x) + probe_width / 4, 0, width);
        const auto end_y = std::clamp<std::ptrdiff_t>(first_y + (probe_height + 1) / 2, 0, height);
        const auto end_x = std::clamp<std::ptrdiff_t>(first_x + (probe_width + 1) / 2, 0, width);
        ++differences(first_y, first_x);
        --differences(first_y, end_x);
        --differences(end_y, first_x);
        ++differences(end_y, end_x);
    }
    Region region({height, width});
    std::vector<std::int32_t> above(static_cast<std::size_t>(width), 0);
    bool any = false;
    for (std::ptrdiff_t y = 0; y < height; ++y) {
        std::int32_t along = 0;
        for (std::ptrdiff_t x = 0; x < width; ++x) {
            along += differences(y, x);
            above[static_cast<std::size_t>(x)] += along;
            region(y, x) = above[static_cast<std::size_t>(x)] > 0 ? 1 : 0;
            any = any || region(y, x) != 0;
        }
    }
    return any ? region : Region({height, width}, 1);
}

cdouble to_double(cfloat value) {
    return {static_cast<double>(value.re), static_cast<double>(value.im)};
}
double phase(cdouble value) {
    return std::atan2(value.im, value.re);
}
cdouble turned(cdouble value, double angle_rad) {
    return value * cdouble{std::cos(angle_rad), std::sin(angle_rad)};
}

// The phase ramp (y, x, constant) of the image inside the region: what no measurement determines.
struct Ramp {
    double y = 0, x = 0, constant = 0;
    double at(std::ptrdiff_t i_y, std::ptrdiff_t i_x) const {
        return y * static_cast<double>(i_y) + x * static_cast<double>(i_x) + constant;
    }
};

// Mean phase step between neighbours first (immune to wrapping), then a linear fit of what is left.
Ramp phase_ramp(const Image& image, const Region& region) {
    const std::ptrdiff_t height = image.extent(0), width = image.extent(1);
    cdouble step_y{0, 0}, step_x{0, 0}, mean{0, 0};
    for (std::ptrdiff_t y = 0; y < height; ++y) {
        for (std::ptrdiff_t x = 0; x < width; ++x) {
            if (region(y, x) == 0) continue;
            const cdouble here = to_double(image(y, x));
            if (y + 1 < height && region(y + 1, x) != 0)
                step_y = step_y + conj_mul(here, to_double(image(y + 1, x)));
            if (x + 1 < width && region(y, x + 1) != 0)
                step_x = step_x + conj_mul(here, to_double(image(y, x + 1)));
        }
    }
    Ramp ramp{phase(step_y), phase(step_x), 0};
    double count = 0, centre_y = 0, centre_x = 0;
    for (std::ptrdiff_t y = 0; y < height; ++y) {
        for (std::ptrdiff_t x = 0; x < width; ++x) {
            if (region(y, x) == 0) continue;
            mean = mean + turned(to_double(image(y, x)), -ramp.at(y, x));
            centre_y += static_cast<double>(y);
            centre_x += static_cast<double>(x);
            ++count;
        }
    }
    ramp.constant = phase(mean);
    centre_y /= count;
    centre_x /= count;
    double yy = 0, yx = 0, xx = 0, y_rest = 0, x_rest = 0;
    for (std::ptrdiff_t y = 0; y < height; ++y) {
        for (std::ptrdiff_t x = 0; x < width; ++x) {
            if (region(y, x) == 0) continue;
            const double rest = phase(turned(to_double(image(y, x)), -ramp.at(y, x)));
            const double from_y = static_cast<double>(y) - centre_y,
                         from_x = static_cast<double>(x) - centre_x;
            yy += from_y * from_y;
            yx += from_y * from_x;
            xx += from_x * from_x;
            y_rest += from_y * rest;
            x_rest += from_x * rest;
        }
    }
    const double determinant = yy * xx - yx * yx;
    if (determinant > 1e-9 * yy * xx) {
        const double more_y = (xx * y_rest - yx * x_rest) / determinant;
        const double more_x = (yy * x_rest - yx * y_rest) / determinant;
        ramp = {ramp.y + more_y, ramp.x + more_x, ramp.constant - more_y * centre_y - more_x * centre_x};
    }
    return ramp;
}

// What is drawn: real values on the picture's grid (blocks of object pixels averaged), NaN where nothing was
// scanned.
using Values = Array<double, 2>;

// `value_of(y, x)` of every scanned pixel, summed over blocks; `shown(sum, count)` makes the block's value.
template <class Value, class Shown>
Values over_blocks(const Image& image, const Region& region, const Value& value_of, const Shown& shown) {
    const std::ptrdiff_t height = image.extent(0), width = image.extent(1);
    const std::ptrdiff_t block = (std::max(height, width) + max_picture_extent - 1) / max_picture_extent;
    Values values({(height + block - 1) / block, (width + block - 1) / block}, std::nan(""));
    for (std::ptrdiff_t y = 0; y < values.extent(0); ++y) {
        for (std::ptrdiff_t x = 0; x < values.extent(1); ++x) {
            cdouble sum{0, 0};
            std::ptrdiff_t count = 0;
            for (std::ptrdiff_t i_y = y * block; i_y < std::min(height, (y + 1) * block); ++i_y) {
                for (std::ptrdiff_t i_x = x * block; i_x < std::min(width, (x + 1) * block); ++i_x) {
                    if (region(i_y, i_x) == 0) continue;
                    sum = sum + value_of(i_y, i_x);
                    ++count;
                }
            }
            if (count > 0) values(y, x) = shown(sum, static_cast<double>(count));
        }
    }
    return values;
}

Values phase_values(const Image& image, const Region& region) {
    const Ramp ramp = phase_ramp(image, region);
    return over_blocks(
        image, region,
        [&](std::ptrdiff_t y, std::ptrdiff_t x) { return turned(to_double(image(y, x)), -ramp.at(y, x)); },
        [](cdouble sum, double) { return phase(sum); });
}

Values amplitude_values(const Image& image, const Region& region) {
    return over_blocks(
        image, region,
        [&](std::ptrdiff_t y, std::ptrdiff_t x) {
            return cdouble{std::sqrt(norm(to_double(image(y, x)))), 0};
        },
        [](cdouble sum, double count) { return sum.re / count; });
}

// Values at 0.5 % and 99.5 %, so that single pixels do not set the contrast.
std::array<double, 2> shown_range(const Values& values) {
    std::vector<double> sorted;
    std::ranges::copy_if(values, std::back_inserter(sorted),
                         [](double value) { return std::isfinite(value); });
    if (sorted.empty()) return {0, 1};
    std::ranges::sort(sorted);
    const auto at = [&](double fraction) {
        return sorted[static_cast<std::size_t>(fraction * static_cast<double>(sorted.size() - 1))];
    };
    return {at(0.005), at(0.995)};
}

template <class Map>
Picture coloured(const Values& values, const Map& map) {
    const auto [least, most] = shown_range(values);
    const double span = most > least ? most - least : 1;
    Picture picture(values.extents(), unseen);
    for (std::ptrdiff_t i = 0; i < values.size(); ++i) {
        if (!std::isnan(values[i])) picture[i] = map((values[i] - least) / span);
    }
    return picture;
}

Picture side_by_side(const std::vector<Picture>& pictures) {
    std::ptrdiff_t height = 0, width = -gap;
    for (const auto& picture : pictures) {
        height = std::max(height, picture.extent(0));
        width += picture.extent(1) + gap;
    }
    Picture all({height, width}, Colour{255, 255, 255});
    std::ptrdiff_t left = 0;
    for (const auto& picture : pictures) {
        for (std::ptrdiff_t y = 0; y < picture.extent(0); ++y) {
            for (std::ptrdiff_t x = 0; x < picture.extent(1); ++x) all(y, left + x) = picture(y, x);
        }
        left += picture.extent(1) + gap;
    }
    return all;
}

// Phase as hue, amplitude relative to the mode's largest as brightness.
Picture probe_mode(const Image& mode) {
    double most = 0;
    for (const cfloat value : mode) most = std::max(most, std::sqrt(norm(to_double(value))));
    Picture picture(mode.extents());
    for (std::ptrdiff_t i = 0; i < mode.size(); ++i) {
        const cdouble value = to_double(mode[i]);
        picture[i] = phase_colour(phase(value), most > 0 ? std::sqrt(norm(value)) / most : 0);
    }
    return picture;
}

}  // namespace

void write_pictures(const std::filesystem::path& folder, const Result& result) {
    TESSERA_EXPECT(!result.object.empty() && !result.probe.empty());
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) throw runtime_failure("{}: the folder cannot be made ({})", folder.string(), error.message());

    const Region region = scanned_region(result);
    std::vector<Picture> phases, amplitudes, modes;
    for (std::ptrdiff_t slice = 0; slice < result.object.extent(0); ++slice) {
        const Image image = result.object.slice(slice);
        phases.push_back(coloured(phase_values(image, region), ordered_colour));
        amplitudes.push_back(coloured(amplitude_values(image, region), grey));
    }
    for (std::ptrdiff_t mode = 0; mode < result.probe.extent(0); ++mode) {
        modes.push_back(probe_mode(result.probe.slice(mode)));
    }
    write_png(folder / "object_phase.png", side_by_side(phases));
    write_png(folder / "object_amplitude.png", side_by_side(amplitudes));
    write_png(folder / "probe.png", side_by_side(modes));
    write_png(folder / "error.png", plot_data_error(result.data_error));
}

}  // namespace tessera
