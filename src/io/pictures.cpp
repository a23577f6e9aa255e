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
constexpr std::ptrdiff_t gap = 4;  // between images
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
Values over_blocks(const Image& image, const Region& region, std::ptrdiff_t most_extent,
                   const Value& value_of, const Shown& shown) {
    const std::ptrdiff_t height = image.extent(0), width = image.extent(1);
    const std::ptrdiff_t block = (std::max(height, width) + most_extent - 1) / most_extent;
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

Values phase_values(const Image& image, const Region& region, std::ptrdiff_t most_extent) {
    const Ramp ramp = phase_ramp(image, region);
    return over_blocks(
        image, region, most_extent,
        [&](std::ptrdiff_t y, std::ptrdiff_t x) { return turned(to_double(image(y, x)), -ramp.at(y, x)); },
        [](cdouble sum, double) { return phase(sum); });
}

Values amplitude_values(const Image& image, const Region& region, std::ptrdiff_t most_extent) {
    return over_blocks(
        image, region, most_extent,
        [&](std::ptrdiff_t y, std::ptrdiff_t x) {
            return cdouble{std::sqrt(norm(to_double(image(y, x)))), 0};
        },
        [](cdouble sum, double count) { return sum.re / count; });
}

// Values at 0.5 % and 99.5 %, so that single pixels do not set the contrast; one range for all images.
std::array<double, 2> shown_range(const std::vector<Values>& images) {
    std::vector<double> sorted;
    for (const Values& values : images)
        std::ranges::copy_if(values, std::back_inserter(sorted),
                             [](double value) { return std::isfinite(value); });
    if (sorted.empty()) return {0, 1};
    std::ranges::sort(sorted);
    const auto at = [&](double fraction) {
        return sorted[static_cast<std::size_t>(fraction * static_cast<double>(sorted.size() - 1))];
    };
    return {at(0.005), at(0.995)};
}

// Rows of `num_columns` pictures of one size each.
Picture in_rows(const std::vector<Picture>& pictures, std::ptrdiff_t num_columns) {
    const auto count = std::ssize(pictures);
    const std::ptrdiff_t num_rows = (count + num_columns - 1) / num_columns;
    const std::ptrdiff_t height = pictures.front().extent(0), width = pictures.front().extent(1);
    Picture all({num_rows * (height + gap) - gap, num_columns * (width + gap) - gap}, Colour{255, 255, 255});
    for (std::ptrdiff_t i = 0; i < count; ++i) {
        const Picture& picture = pictures[static_cast<std::size_t>(i)];
        const std::ptrdiff_t top = i / num_columns * (height + gap), left = i % num_columns * (width + gap);
        for (std::ptrdiff_t y = 0; y < height; ++y)
            for (std::ptrdiff_t x = 0; x < width; ++x) all(top + y, left + x) = picture(y, x);
    }
    return all;
}

template <class Map>
Picture coloured(const std::vector<Values>& images, std::ptrdiff_t num_columns, const Map& map) {
    const auto [least, most] = shown_range(images);
    const double span = most > least ? most - least : 1;
    std::vector<Picture> pictures;
    for (const Values& values : images) {
        Picture picture(values.extents(), unseen);
        for (std::ptrdiff_t i = 0; i < values.size(); ++i)
            if (!std::isnan(values[i])) picture[i] = map((values[i] - least) / span);
        pictures.push_back(std::move(picture));
    }
    return in_rows(pictures, num_columns);
}

// Seen through all slices: phases added up, amplitudes multiplied. Each slice's phase is without its own
// ramp, and small enough not to wrap where their sum would.
void write_projection(const std::filesystem::path& folder, const Result& result, const Region& region) {
    std::vector<Values> phase(1), amplitude(1);
    for (std::ptrdiff_t slice = 0; slice < result.object.extent(0); ++slice) {
        const Image image = result.object.slice(slice);
        Values phase_here = phase_values(image, region, max_picture_extent);
        Values amplitude_here = amplitude_values(image, region, max_picture_extent);
        if (slice > 0) {
            for (std::ptrdiff_t i = 0; i < phase_here.size(); ++i) phase_here[i] += phase[0][i];
            for (std::ptrdiff_t i = 0; i < phase_here.size(); ++i) amplitude_here[i] *= amplitude[0][i];
        }
        phase[0] = std::move(phase_here);
        amplitude[0] = std::move(amplitude_here);
    }
    write_png(folder / "object_phase.png", coloured(phase, 1, ordered_colour));
    write_png(folder / "object_amplitude.png", coloured(amplitude, 1, grey));
}

// All slices in rows, the first at the top left, small enough that the picture is not too large.
void write_slices(const std::filesystem::path& folder, const Result& result, const Region& region) {
    const std::ptrdiff_t num_slices = result.object.extent(0);
    const auto num_columns =
        static_cast<std::ptrdiff_t>(std::ceil(std::sqrt(static_cast<double>(num_slices))));
    const std::ptrdiff_t most_extent = max_picture_extent / num_columns;
    std::vector<Values> phases, amplitudes;
    for (std::ptrdiff_t slice = 0; slice < num_slices; ++slice) {
        phases.push_back(phase_values(result.object.slice(slice), region, most_extent));
        amplitudes.push_back(amplitude_values(result.object.slice(slice), region, most_extent));
    }
    write_png(folder / "slices_phase.png", coloured(phases, num_columns, ordered_colour));
    write_png(folder / "slices_amplitude.png", coloured(amplitudes, num_columns, grey));
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
    write_projection(folder, result, region);
    if (result.object.extent(0) > 1) write_slices(folder, result, region);
    std::vector<Picture> modes;
    for (std::ptrdiff_t mode = 0; mode < result.probe.extent(0); ++mode)
        modes.push_back(probe_mode(result.probe.slice(mode)));
    write_png(folder / "probe.png", in_rows(modes, std::ssize(modes)));
    write_png(folder / "error.png", plot_data_error(result.data_error));
}

}  // namespace tessera
