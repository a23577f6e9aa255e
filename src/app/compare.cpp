#include <algorithm>
#include <cmath>

#include "app/commands.hpp"
#include "io/result_file.hpp"
#include "io/truth_file.hpp"
#include "quality/alignment.hpp"
#include "quality/frc.hpp"
#include "scan/geometry.hpp"

namespace tessera::app {
namespace {

// Either side of the comparison in one form: an object, the windows that were scanned in it, the pixel size
// if known.
struct Side {
    Array<cfloat, 3> object;  // (slice, y, x), or (mode, y, x)
    int num_object_modes = 1;
    Array<double, 2> positions_px;
    std::ptrdiff_t first_frame = 0;  // index in the scan file of the first position
    std::array<int, 2> window = {0, 0};
    std::array<double, 2> pixel_size_m = {0, 0};
    std::array<double, 2> origin_m = {0, 0};
    bool is_truth = false;
};

Side side_of_result(const std::filesystem::path& file) {
    Result result = read_result(file);
    Side side;
    side.object = std::move(result.object);
    side.num_object_modes = result.num_object_modes;
    side.positions_px = std::move(result.positions_px);
    if (!result.frames.empty()) side.first_frame = result.frames.front();
    side.window = {static_cast<int>(result.probe.extent(1)), static_cast<int>(result.probe.extent(2))};
    side.pixel_size_m = result.pixel_size_m;
    side.origin_m = result.origin_m;
    return side;
}

Side side_of(const std::filesystem::path& file) {
    if (!has_truth(file)) return side_of_result(file);
    Truth truth = read_truth(file);
    Side side;
    side.window = {static_cast<int>(truth.probe.extent(1)), static_cast<int>(truth.probe.extent(2))};
    side.object = std::move(truth.object);
    side.num_object_modes = truth.num_object_modes;
    side.positions_px = std::move(truth.positions_px);
    side.is_truth = true;
    return side;
}

// By how many whole pixels b's array begins before a's: from the arrays' origins in the scan. A truth has
// none, but it has every frame of its scan, so also the other side's first one.
std::array<std::ptrdiff_t, 2> offset_between(const Side& a, const Side& b) {
    std::array<std::ptrdiff_t, 2> offset;
    const bool with_truth = a.is_truth || b.is_truth;
    const std::ptrdiff_t frame = std::max(a.first_frame, b.first_frame);
    const std::ptrdiff_t in_a = frame - a.first_frame, in_b = frame - b.first_frame;
    if (with_truth && (in_a >= a.positions_px.extent(0) || in_b >= b.positions_px.extent(0)))
        throw data_error("the truth does not have frame {} of the result: another scan's?", frame);
    for (std::size_t axis = 0; axis < 2; ++axis) {
        const auto i = static_cast<std::ptrdiff_t>(axis);
        offset[axis] = with_truth ? std::lround(b.positions_px(in_b, i) - a.positions_px(in_a, i))
                                  : std::lround((a.origin_m[axis] - b.origin_m[axis]) / a.pixel_size_m[axis]);
    }
    return offset;
}

// The product of all slices: what the object would be if it were thin.
Array<cfloat, 2> projection(const Array<cfloat, 3>& object) {
    Array<cfloat, 2> product({object.extent(1), object.extent(2)}, cfloat{1, 0});
    for (std::ptrdiff_t slice = 0; slice < object.extent(0); ++slice)
        for (std::ptrdiff_t i = 0; i < product.size(); ++i) product[i] = product[i] * object.slice(slice)[i];
    return product;
}

// The root of the summed |O|^2 of all modes, which is the same however they are mixed.
Array<cfloat, 2> summed_modes(const Array<cfloat, 3>& object) {
    Array<cfloat, 2> amplitude({object.extent(1), object.extent(2)});
    for (std::ptrdiff_t i = 0; i < amplitude.size(); ++i) {
        double sum = 0;
        for (std::ptrdiff_t mode = 0; mode < object.extent(0); ++mode)
            sum += static_cast<double>(norm(object.slice(mode)[i]));
        amplitude[i] = {static_cast<float>(std::sqrt(sum)), 0};
    }
    return amplitude;
}

bool have_modes(const Side& a, const Side& b) {
    return a.num_object_modes > 1 || b.num_object_modes > 1;
}

Array<cfloat, 2> copy_of_slice(const Array<cfloat, 3>& object, std::ptrdiff_t slice) {
    Array<cfloat, 2> image({object.extent(1), object.extent(2)});
    std::copy_n(object.slice(slice).begin(), image.size(), image.begin());
    return image;
}

// The part of b's image that lies on a's array; zero elsewhere.
Array<cfloat, 2> brought_onto(const Side& a, const Side& b, const Array<cfloat, 2>& image) {
    const auto offset = offset_between(a, b);
    Array<cfloat, 2> placed({a.object.extent(1), a.object.extent(2)});
    for (std::ptrdiff_t y = 0; y < placed.extent(0); ++y) {
        for (std::ptrdiff_t x = 0; x < placed.extent(1); ++x) {
            const auto v = y + offset[0], u = x + offset[1];
            if (v >= 0 && u >= 0 && v < image.extent(0) && u < image.extent(1)) placed(y, x) = image(v, u);
        }
    }
    return placed;
}

// The box of all window centres: where light was for sure, and b has pixels.
Array<float, 2> scanned_region(const Side& a, const Array<cfloat, 2>& b) {
    std::array<double, 2> first = {1e300, 1e300}, last = {-1e300, -1e300};
    for (std::ptrdiff_t i = 0; i < a.positions_px.extent(0); ++i) {
        for (std::size_t axis = 0; axis < 2; ++axis) {
            const double centre = a.positions_px(i, static_cast<std::ptrdiff_t>(axis)) + a.window[axis] / 2;
            first[axis] = std::min(first[axis], centre);
            last[axis] = std::max(last[axis], centre);
        }
    }
    Array<float, 2> region(b.extents());
    for (std::ptrdiff_t y = 0; y < region.extent(0); ++y) {
        for (std::ptrdiff_t x = 0; x < region.extent(1); ++x) {
            const bool inside = static_cast<double>(y) >= first[0] && static_cast<double>(y) <= last[0] &&
                                static_cast<double>(x) >= first[1] && static_cast<double>(x) <= last[1];
            region(y, x) = inside && norm(b(y, x)) > 0 ? 1.0f : 0.0f;
        }
    }
    return region;
}

void print_resolution(const RingCorrelation& rings, std::array<double, 2> pixel_size_m) {
    const auto resolution = [&](double frequency) {
        const double half_period_px = 0.5 / frequency;
        const double pixel_m = std::max(pixel_size_m[0], pixel_size_m[1]);
        return pixel_m > 0 ? fmt::format("half period {:.2f} px = {}", half_period_px,
                                         length_text(half_period_px * pixel_m))
                           : fmt::format("half period {:.2f} px", half_period_px);
    };
    fmt::print("ring correlation  1/2-bit at {:.3f} / px ({}), 1/7 at {:.3f} / px ({})\n",
               rings.crossing_half_bit, resolution(rings.crossing_half_bit), rings.crossing_one_seventh,
               resolution(rings.crossing_one_seventh));
}

// What is above this is of the projection through all slices. Each slice is aligned by itself: slices may
// trade factors and ramps with each other.
void print_slices(const Side& a, const Side& b, const Array<float, 2>& region) {
    const auto num_a = a.object.extent(0), num_b = b.object.extent(0);
    if (have_modes(a, b)) {
        fmt::print("modes             {} and {}: their summed intensities are compared\n", a.num_object_modes,
                   b.num_object_modes);
        return;
    }
    if (num_a == 1 && num_b == 1) return;
    if (num_a != num_b) {
        fmt::print("slices            {} and {}: their projections are compared\n", num_a, num_b);
        return;
    }
    for (std::ptrdiff_t slice = 0; slice < num_a; ++slice) {
        const Array<cfloat, 2> other = brought_onto(a, b, copy_of_slice(b.object, slice));
        const double error = compare_objects(copy_of_slice(a.object, slice), other, region, true).error;
        fmt::print("slice {:<4} error  {:.6f}\n", slice, error);
    }
}

}  // namespace

ExitCode compare(const CompareOptions& options) {
    const Side a = side_of(options.first), b = side_of(options.second);
    for (std::size_t axis = 0; axis < 2; ++axis) {
        const bool known = a.pixel_size_m[axis] > 0 && b.pixel_size_m[axis] > 0;
        if (known && std::abs(a.pixel_size_m[axis] / b.pixel_size_m[axis] - 1) > 1e-3) {
            throw data_error("{} and {}: object pixels of {:.6g} and {:.6g} m cannot be compared",
                             options.first.string(), options.second.string(), a.pixel_size_m[axis],
                             b.pixel_size_m[axis]);
        }
    }
    const auto seen = [&](const Side& side) {
        if (side.num_object_modes > 1) return summed_modes(side.object);
        Array<cfloat, 2> through = projection(side.object);
        if (have_modes(a, b))
            for (cfloat& value : through) value = {std::sqrt(norm(value)), 0};
        return through;
    };
    const Array<cfloat, 2> other = brought_onto(a, b, seen(b));
    const Array<float, 2> region = scanned_region(a, other);
    if (std::none_of(region.begin(), region.end(), [](float inside) { return inside > 0; })) {
        throw data_error("{} and {}: their scanned areas do not overlap", options.first.string(),
                         options.second.string());
    }
    const ObjectComparison comparison = compare_objects(seen(a), other, region, true);
    const RingCorrelation rings = ring_correlation(comparison.aligned, other, region);
    const Alignment& found = comparison.alignment;
    fmt::print("object error      {:.6f}  ({})\n", comparison.error,
               b.is_truth ? "||O - T|| / ||T|| in the scanned area, aligned"
                          : "||A - B|| / ||B|| in the scanned area, aligned");
    fmt::print("alignment         shift ({:.3f}, {:.3f}) px, ramp ({:.2e}, {:.2e}) rad/px, factor {:.5f}\n",
               found.shift_px[0], found.shift_px[1], found.ramp_rad_px[0], found.ramp_rad_px[1],
               std::sqrt(norm(found.factor)));
    print_resolution(rings, a.pixel_size_m);
    print_slices(a, b, region);
    return ExitCode::done;
}

}  // namespace tessera::app
