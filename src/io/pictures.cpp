#include "io/pictures.hpp"

#include <algorithm>
#include <bit>
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

// One plane of the object, read from the result's file a few rows at a time, in order: a sweep over an object
// of any size takes little memory.
class Slice {
  public:
    Slice(const ResultReader& result, std::ptrdiff_t index) : result_(&result), index_(index) {}

    std::ptrdiff_t height() const { return result_->object_shape()[1]; }
    std::ptrdiff_t width() const { return result_->object_shape()[2]; }

    using Row = View<const cfloat, 1>;
    // visit(y, row, row below or the last one again)
    template <class Visit>
    void for_each_row(const Visit& visit) const {
        const std::ptrdiff_t at_once = std::clamp<std::ptrdiff_t>(row_pixels / width(), 1, height());
        Array<cfloat, 2> rows({at_once + 1, width()});
        const Extents<1> extent = {width()};
        for (std::ptrdiff_t first = 0; first < height(); first += at_once) {
            const std::ptrdiff_t count = std::min(at_once, height() - first);
            const std::ptrdiff_t with_next = std::min(count + 1, height() - first);
            result_->read_object(index_, first, 0, {rows.data(), {with_next, width()}});
            for (std::ptrdiff_t i = 0; i < count; ++i) {
                visit(first + i, Row(rows.data() + i * width(), extent),
                      Row(rows.data() + std::min(i + 1, with_next - 1) * width(), extent));
            }
        }
    }

  private:
    static constexpr std::ptrdiff_t row_pixels = std::ptrdiff_t{1} << 19;

    const ResultReader* result_;
    std::ptrdiff_t index_;
};

// Object pixels inside the central half of some probe window, where the probe has its power; all of them
// where there are none. Found row by row: `above` counts the windows that each column of a row is in, as
// differences between neighbours, so the cost does not grow with their size.
class Region {
  public:
    Region(const Result& result, const Extents<3>& object_shape)
        : height_(object_shape[1]), width_(object_shape[2]) {
        const std::ptrdiff_t probe_height = result.probe.extent(1), probe_width = result.probe.extent(2);
        for (std::ptrdiff_t i = 0; i < result.positions_px.extent(0); ++i) {
            const double y = result.positions_px(i, 0), x = result.positions_px(i, 1);
            if (!(std::abs(y) < 1e9 && std::abs(x) < 1e9)) continue;
            const auto first_y = std::clamp<std::ptrdiff_t>(std::lround(y) + probe_height / 4, 0, height_);
            const auto first_x = std::clamp<std::ptrdiff_t>(std::lround(x) + probe_width / 4, 0, width_);
            const auto end_y = std::clamp<std::ptrdiff_t>(first_y + (probe_height + 1) / 2, 0, height_);
            const auto end_x = std::clamp<std::ptrdiff_t>(first_x + (probe_width + 1) / 2, 0, width_);
            if (first_y == end_y || first_x == end_x) continue;
            begins_.push_back({first_y, first_x, end_x});
            ends_.push_back({end_y, first_x, end_x});
        }
        std::ranges::sort(begins_, {}, &Edge::y);
        std::ranges::sort(ends_, {}, &Edge::y);
    }

    // Rows from the first on.
    class Sweep {
      public:
        explicit Sweep(const Region& region)
            : region_(region),
              differences_(static_cast<std::size_t>(region.width_) + 1),
              row_(static_cast<std::size_t>(region.width_)) {}

        // 1: scanned
        const std::vector<std::uint8_t>& next() {
            const auto take = [&](const std::vector<Edge>& edges, std::size_t& taken, int sign) {
                for (; taken < edges.size() && edges[taken].y == y_; ++taken) {
                    differences_[static_cast<std::size_t>(edges[taken].first_x)] += sign;
                    differences_[static_cast<std::size_t>(edges[taken].end_x)] -= sign;
                }
            };
            take(region_.begins_, num_begun_, 1);
            take(region_.ends_, num_ended_, -1);
            ++y_;
            std::int64_t windows = 0;
            for (std::size_t x = 0; x < row_.size(); ++x) {
                windows += differences_[x];
                row_[x] = windows > 0 || region_.begins_.empty() ? 1 : 0;
            }
            return row_;
        }

      private:
        const Region& region_;
        std::vector<std::int32_t> differences_;
        std::vector<std::uint8_t> row_;
        std::size_t num_begun_ = 0, num_ended_ = 0;
        std::ptrdiff_t y_ = 0;
    };

  private:
    // The upper or, exclusively, the lower edge of a window.
    struct Edge {
        std::ptrdiff_t y, first_x, end_x;
    };
    std::ptrdiff_t height_, width_;
    std::vector<Edge> begins_, ends_;
};

// visit(y, x, pixel) of the scanned pixels.
template <class Visit>
void for_each_scanned(const Slice& slice, const Region& region, const Visit& visit) {
    Region::Sweep scanned(region);
    slice.for_each_row([&](std::ptrdiff_t y, const Slice::Row& row, const Slice::Row&) {
        const auto& here = scanned.next();
        for (std::ptrdiff_t x = 0; x < row.size(); ++x)
            if (here[static_cast<std::size_t>(x)] != 0) visit(y, x, row[x]);
    });
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

// Mean phase steps between scanned neighbours: immune to wrapping.
Ramp mean_steps(const Slice& slice, const Region& region) {
    cdouble step_y{0, 0}, step_x{0, 0};
    Region::Sweep scanned(region);
    std::vector<std::uint8_t> here, below = scanned.next();
    slice.for_each_row([&](std::ptrdiff_t y, const Slice::Row& row, const Slice::Row& next) {
        here.swap(below);
        const bool is_last = y + 1 == slice.height();
        if (!is_last) below = scanned.next();
        for (std::ptrdiff_t x = 0; x < row.size(); ++x) {
            const auto i = static_cast<std::size_t>(x);
            if (here[i] == 0) continue;
            const cdouble pixel = to_double(row[x]);
            if (!is_last && below[i] != 0) step_y = step_y + conj_mul(pixel, to_double(next[x]));
            if (i + 1 < here.size() && here[i + 1] != 0)
                step_x = step_x + conj_mul(pixel, to_double(row[x + 1]));
        }
    });
    return {phase(step_y), phase(step_x), 0};
}

// Mean steps first, then a linear fit of what is left.
Ramp phase_ramp(const Slice& slice, const Region& region) {
    Ramp ramp = mean_steps(slice, region);
    cdouble mean{0, 0};
    double count = 0, centre_y = 0, centre_x = 0;
    for_each_scanned(slice, region, [&](std::ptrdiff_t y, std::ptrdiff_t x, const cfloat& pixel) {
        mean = mean + turned(to_double(pixel), -ramp.at(y, x));
        centre_y += static_cast<double>(y);
        centre_x += static_cast<double>(x);
        ++count;
    });
    ramp.constant = phase(mean);
    centre_y /= count;
    centre_x /= count;
    double yy = 0, yx = 0, xx = 0, y_rest = 0, x_rest = 0;
    for_each_scanned(slice, region, [&](std::ptrdiff_t y, std::ptrdiff_t x, const cfloat& pixel) {
        const double rest = phase(turned(to_double(pixel), -ramp.at(y, x)));
        const double from_y = static_cast<double>(y) - centre_y, from_x = static_cast<double>(x) - centre_x;
        yy += from_y * from_y;
        yx += from_y * from_x;
        xx += from_x * from_x;
        y_rest += from_y * rest;
        x_rest += from_x * rest;
    });
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

// `value_of(y, x, pixel)` of every scanned pixel, summed over blocks; `shown(sum, count)` makes the block's
// value.
template <class Value, class Shown>
Values over_blocks(const Slice& slice, const Region& region, std::ptrdiff_t most_extent,
                   const Value& value_of, const Shown& shown) {
    const std::ptrdiff_t height = slice.height(), width = slice.width();
    const std::ptrdiff_t block = (std::max(height, width) + most_extent - 1) / most_extent;
    Values values({(height + block - 1) / block, (width + block - 1) / block}, std::nan(""));
    const auto num_columns = static_cast<std::size_t>(values.extent(1));
    std::vector<cdouble> sums(num_columns);
    std::vector<double> counts(num_columns);
    const auto end_of_blocks = [&](std::ptrdiff_t y) {
        for (std::size_t i = 0; i < num_columns; ++i) {
            if (counts[i] > 0) values(y, static_cast<std::ptrdiff_t>(i)) = shown(sums[i], counts[i]);
            sums[i] = {0, 0};
            counts[i] = 0;
        }
    };
    Region::Sweep scanned(region);
    slice.for_each_row([&](std::ptrdiff_t y, const Slice::Row& row, const Slice::Row&) {
        const auto& here = scanned.next();
        for (std::ptrdiff_t x = 0; x < width; ++x) {
            if (here[static_cast<std::size_t>(x)] == 0) continue;
            const auto i = static_cast<std::size_t>(x / block);
            sums[i] = sums[i] + value_of(y, x, row[x]);
            ++counts[i];
        }
        if ((y + 1) % block == 0 || y + 1 == height) end_of_blocks(y / block);
    });
    return values;
}

Values phase_values(const Slice& slice, const Ramp& ramp, const Region& region, std::ptrdiff_t most_extent) {
    return over_blocks(
        slice, region, most_extent,
        [&](std::ptrdiff_t y, std::ptrdiff_t x, const cfloat& pixel) {
            return turned(to_double(pixel), -ramp.at(y, x));
        },
        [](cdouble sum, double) { return phase(sum); });
}

Values amplitude_values(const Slice& slice, const Region& region, std::ptrdiff_t most_extent) {
    return over_blocks(
        slice, region, most_extent,
        [](std::ptrdiff_t, std::ptrdiff_t, const cfloat& pixel) {
            return cdouble{std::sqrt(norm(to_double(pixel))), 0};
        },
        [](cdouble sum, double count) { return sum.re / count; });
}

// Unsigned integers in the order of the values, and back.
constexpr std::uint64_t sign_bit = std::uint64_t{1} << 63;
std::uint64_t ordered_bits(double value) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    return (bits & sign_bit) != 0 ? ~bits : bits | sign_bit;
}
double value_of_bits(std::uint64_t ordered) {
    return std::bit_cast<double>((ordered & sign_bit) != 0 ? ordered & ~sign_bit : ~ordered);
}

// The finite value that `rank` others go before, found 16 bits at a time: to sort, they would have to be
// there twice.
double value_at(const std::vector<Values>& images, std::size_t rank) {
    std::uint64_t found = 0;
    for (int shift = 48; shift >= 0; shift -= 16) {
        std::vector<std::size_t> counts(std::size_t{1} << 16);
        for (const Values& values : images) {
            for (const double value : values) {
                const std::uint64_t bits = ordered_bits(value);
                const bool goes_with_found = shift == 48 || bits >> (shift + 16) == found;
                if (goes_with_found && std::isfinite(value)) ++counts[bits >> shift & 0xffff];
            }
        }
        std::uint64_t next = 0;
        for (; rank >= counts[next]; ++next) rank -= counts[next];
        found = found << 16 | next;
    }
    return value_of_bits(found);
}

// Values at 0.5 % and 99.5 %, so that single pixels do not set the contrast; one range for all images.
std::array<double, 2> shown_range(const std::vector<Values>& images) {
    std::size_t count = 0;
    for (const Values& values : images) {
        count += static_cast<std::size_t>(
            std::ranges::count_if(values, [](double value) { return std::isfinite(value); }));
    }
    if (count == 0) return {0, 1};
    const auto at = [&](double fraction) {
        return value_at(images, static_cast<std::size_t>(fraction * static_cast<double>(count - 1)));
    };
    return {at(0.005), at(0.995)};
}

// Rows of `num_columns` images of one size each; colour_of(image, pixel).
template <class ColourOf>
Picture in_rows(std::ptrdiff_t count, const Extents<2>& size, std::ptrdiff_t num_columns,
                const ColourOf& colour_of) {
    const std::ptrdiff_t num_rows = (count + num_columns - 1) / num_columns;
    const auto [height, width] = size;
    Picture all({num_rows * (height + gap) - gap, num_columns * (width + gap) - gap}, Colour{255, 255, 255});
    for (std::ptrdiff_t i = 0; i < count; ++i) {
        const std::ptrdiff_t top = i / num_columns * (height + gap), left = i % num_columns * (width + gap);
        for (std::ptrdiff_t y = 0; y < height; ++y)
            for (std::ptrdiff_t x = 0; x < width; ++x)
                all(top + y, left + x) = colour_of(static_cast<std::size_t>(i), y * width + x);
    }
    return all;
}

template <class Map>
Picture coloured(const std::vector<Values>& images, std::ptrdiff_t num_columns, const Map& map) {
    const auto [least, most] = shown_range(images);
    const double from = least, span = most > least ? most - least : 1;
    return in_rows(std::ssize(images), images.front().extents(), num_columns,
                   [&](std::size_t image, std::ptrdiff_t pixel) {
                       const double value = images[image][pixel];
                       return std::isnan(value) ? unseen : map((value - from) / span);
                   });
}

// What is drawn of the object: a result and what was found out about it.
struct Drawn {
    const ResultReader& result;
    Region region;
    bool has_modes;           // in place of slices
    std::vector<Ramp> ramps;  // of the slices; one for all modes

    std::ptrdiff_t num_planes() const { return result.object_shape()[0]; }
    // That are seen one behind the other.
    std::ptrdiff_t num_slices() const { return has_modes ? 1 : num_planes(); }
    Values phases(std::ptrdiff_t plane, std::ptrdiff_t most_extent) const {
        const Ramp& ramp = ramps[has_modes ? 0 : static_cast<std::size_t>(plane)];
        return phase_values({result, plane}, ramp, region, most_extent);
    }
    Values amplitudes(std::ptrdiff_t plane, std::ptrdiff_t most_extent) const {
        return amplitude_values({result, plane}, region, most_extent);
    }
};

// Seen through all slices: phases added up, amplitudes multiplied; of modes the first. Each slice's phase is
// without its own ramp, and small enough not to wrap where their sum would.
void write_projection(const std::filesystem::path& folder, const Drawn& drawn) {
    std::vector<Values> images(1);
    images[0] = drawn.phases(0, max_picture_extent);
    for (std::ptrdiff_t slice = 1; slice < drawn.num_slices(); ++slice) {
        const Values here = drawn.phases(slice, max_picture_extent);
        for (std::ptrdiff_t i = 0; i < here.size(); ++i) images[0][i] = here[i] + images[0][i];
    }
    write_png(folder / "object_phase.png", coloured(images, 1, ordered_colour));
    images[0] = Values();
    images[0] = drawn.amplitudes(0, max_picture_extent);
    for (std::ptrdiff_t slice = 1; slice < drawn.num_slices(); ++slice) {
        const Values here = drawn.amplitudes(slice, max_picture_extent);
        for (std::ptrdiff_t i = 0; i < here.size(); ++i) images[0][i] = here[i] * images[0][i];
    }
    write_png(folder / "object_amplitude.png", coloured(images, 1, grey));
}

// All planes in rows, the first at the top left, small enough that the picture is not too large.
void write_planes(const std::filesystem::path& folder, const Drawn& drawn) {
    const auto num_columns =
        static_cast<std::ptrdiff_t>(std::ceil(std::sqrt(static_cast<double>(drawn.num_planes()))));
    const std::ptrdiff_t most_extent = max_picture_extent / num_columns;
    const std::string name = drawn.has_modes ? "modes" : "slices";
    std::vector<Values> images;
    for (std::ptrdiff_t plane = 0; plane < drawn.num_planes(); ++plane)
        images.push_back(drawn.phases(plane, most_extent));
    write_png(folder / (name + "_phase.png"), coloured(images, num_columns, ordered_colour));
    images.clear();
    for (std::ptrdiff_t plane = 0; plane < drawn.num_planes(); ++plane)
        images.push_back(drawn.amplitudes(plane, most_extent));
    write_png(folder / (name + "_amplitude.png"), coloured(images, num_columns, grey));
}

// Modes side by side: phase as hue, amplitude relative to the mode's largest as brightness.
Picture probe_modes(const Array<cfloat, 3>& probe) {
    std::vector<double> most;
    for (std::ptrdiff_t mode = 0; mode < probe.extent(0); ++mode) {
        double here = 0;
        for (const cfloat value : probe.slice(mode)) here = std::max(here, std::sqrt(norm(to_double(value))));
        most.push_back(here);
    }
    return in_rows(probe.extent(0), {probe.extent(1), probe.extent(2)}, probe.extent(0),
                   [&](std::size_t mode, std::ptrdiff_t pixel) {
                       const cdouble value = to_double(probe.slice(static_cast<std::ptrdiff_t>(mode))[pixel]);
                       return phase_colour(phase(value),
                                           most[mode] > 0 ? std::sqrt(norm(value)) / most[mode] : 0);
                   });
}

}  // namespace

void write_pictures(const std::filesystem::path& folder, const std::filesystem::path& file) {
    const ResultReader reader(file);
    const Result result = reader.without_object();
    TESSERA_EXPECT(num_elements(reader.object_shape()) > 0 && !result.probe.empty());
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) throw runtime_failure("{}: the folder cannot be made ({})", folder.string(), error.message());

    Drawn drawn{reader, Region(result, reader.object_shape()), result.num_object_modes > 1, {}};
    for (std::ptrdiff_t plane = 0; plane < drawn.num_slices(); ++plane)
        drawn.ramps.push_back(phase_ramp({reader, plane}, drawn.region));
    write_projection(folder, drawn);
    if (drawn.num_planes() > 1) write_planes(folder, drawn);
    write_png(folder / "probe.png", probe_modes(result.probe));
    write_png(folder / "error.png", plot_data_error(result.data_error));
}

}  // namespace tessera
