// What objects and probes are known to be, against formulas in double precision written for this test.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>

#include "base/array.hpp"
#include "codelets/limit_object.hpp"
#include "codelets/smooth_object.hpp"
#include "codelets/support_probe.hpp"
#include "support/filled_data.hpp"

namespace tessera::test {
namespace {

using Value = std::complex<double>;
using Image = Array<Value, 2>;
constexpr double pi = std::numbers::pi;

struct Pixels {
    std::vector<cfloat> value, direction;
};
Pixels pixels_of(const Data& field, std::size_t size) {
    const HostAccess access(field, Access::read);
    throw_task_failure();
    const auto view = moving_field(access.as<const std::byte>(), size);
    return {{view.value, view.value + size}, {view.direction, view.direction + size}};
}

void expect_same_bits(const std::vector<cfloat>& a, const std::vector<cfloat>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
        EXPECT_EQ(a[i].re, b[i].re) << i;
        EXPECT_EQ(a[i].im, b[i].im) << i;
    }
}

// ---- limit_object

std::vector<cfloat> limited(const LimitObjectArgs& args, const std::vector<cfloat>& object,
                            StopReason stopped = StopReason::none) {
    const std::vector<cfloat> direction = random_pixels(object.size(), 2);
    const Data field = moving_field_of(object, direction);
    IterationState state;
    state.stopped = static_cast<std::int32_t>(stopped);
    const Data states = data_of_one(state);
    limit_object.submit(args, {&field, &states});
    const Pixels found = pixels_of(field, object.size());
    expect_same_bits(found.direction, direction);
    return found.value;
}

// The phase in [from, from + 2 pi) of the circle.
double turned_up(double phase, double from) {
    while (phase < from) phase += 2 * pi;
    while (phase >= from + 2 * pi) phase -= 2 * pi;
    return phase;
}

Value expected_limited(const LimitObjectArgs& args, Value z) {
    const double turn = args.last_phase - args.first_phase;
    double phase = turned_up(std::arg(z), args.first_phase) - args.first_phase;
    if (phase > turn) phase = phase - turn < 2 * pi - phase ? turn : 0;
    return std::polar(std::clamp(std::abs(z), args.least_amplitude, args.most_amplitude),
                      args.first_phase + phase);
}

struct Limits {
    double least, most, first, last;
};

TEST(LimitObject, PutsPhaseAndAmplitudeBetweenTheirLimits) {
    for (const Limits& limits : {Limits{0.5, 1.2, -pi, pi},
                                 {0, 10, -0.5, 0.3},
                                 {0.7, 1, -2.5, 2.8},
                                 {0, 1, 0.1, 3.0},
                                 {1, 1, -3, -2.9},
                                 {0, 100, -pi / 2, pi / 2}}) {
        SCOPED_TRACE(testing::Message() << limits.least << " " << limits.most << " " << limits.first);
        const std::vector<cfloat> before = random_pixels(371, 5);
        const LimitObjectArgs args = {before.size(), limits.least, limits.most, limits.first, limits.last};
        const std::vector<cfloat> found = limited(args, before);
        int num_changed = 0;
        for (std::size_t i = 0; i < before.size(); ++i) {
            const Value z = value_of(before[i]), expected = expected_limited(args, z);
            EXPECT_LT(std::abs(value_of(found[i]) - expected), 2e-6 * (1 + std::abs(z))) << z;
            if (std::abs(expected - z) < 1e-12) {
                EXPECT_EQ(found[i].re, before[i].re);
                EXPECT_EQ(found[i].im, before[i].im);
            } else {
                ++num_changed;
            }
        }
        EXPECT_GT(num_changed, 20);
    }
}

TEST(LimitObject, LeavesNothingAsNothing) {
    const std::vector<cfloat> found = limited({3, 0.5, 1, -0.5, 0.5}, {{0, 0}, {0.25f, 0}, {0, 3}});
    EXPECT_EQ(found[0].re, 0);
    EXPECT_EQ(found[0].im, 0);
    EXPECT_NEAR(found[1].re, 0.5, 1e-6);
    EXPECT_NEAR(found[2].im, std::sin(0.5), 1e-6);
}

// Tiles that overlap hold the same pixels at other places of their memory.
TEST(LimitObject, DoesNotSeeWhereAPixelLies) {
    const std::vector<cfloat> before = random_pixels(101, 7);
    const std::vector<cfloat> found = limited({101, 0.8, 1.1, -0.4, 0.7}, before);
    for (const std::size_t first : {1u, 5u, 40u, 100u}) {
        const std::vector<cfloat> rest(before.begin() + static_cast<std::ptrdiff_t>(first), before.end());
        expect_same_bits(limited({rest.size(), 0.8, 1.1, -0.4, 0.7}, rest),
                         {found.begin() + static_cast<std::ptrdiff_t>(first), found.end()});
    }
}

TEST(LimitObject, DoesNothingOnceStopped) {
    const std::vector<cfloat> before = random_pixels(20, 3);
    expect_same_bits(limited({20, 0, 0.1, -0.1, 0.1}, before, StopReason::requested), before);
}

// ---- smooth_object

struct Dual {
    Image y, x;
};

// u = O + weight div p
Image primal(const Image& object, const Dual& p, double weight) {
    Image u(object.extents());
    for (std::ptrdiff_t y = 0; y < u.extent(0); ++y) {
        for (std::ptrdiff_t x = 0; x < u.extent(1); ++x) {
            const Value above = y > 0 ? p.y(y - 1, x) : 0, left = x > 0 ? p.x(y, x - 1) : 0;
            u(y, x) = object(y, x) + weight * (p.y(y, x) - above + p.x(y, x) - left);
        }
    }
    return u;
}

Image with_less_variation(const Image& object, double weight, int num_steps = num_variation_steps) {
    Dual p = {Image(object.extents()), Image(object.extents())};
    const auto [height, width] = object.extents();
    for (int step = 0; step < num_steps; ++step) {
        const Image u = primal(object, p, weight);
        for (std::ptrdiff_t y = 0; y < height; ++y) {
            for (std::ptrdiff_t x = 0; x < width; ++x) {
                const Value down = y + 1 < height ? u(y + 1, x) - u(y, x) : 0;
                const Value right = x + 1 < width ? u(y, x + 1) - u(y, x) : 0;
                p.y(y, x) += down / (8 * weight);
                p.x(y, x) += right / (8 * weight);
                const double length = std::hypot(std::abs(p.y(y, x)), std::abs(p.x(y, x)));
                if (length <= 1) continue;
                p.y(y, x) /= length;
                p.x(y, x) /= length;
            }
        }
    }
    return primal(object, p, weight);
}

Image smoothed_by(const Image& object, double share) {
    Image result(object.extents());
    const auto [height, width] = object.extents();
    for (std::ptrdiff_t y = 0; y < height; ++y) {
        for (std::ptrdiff_t x = 0; x < width; ++x) {
            Value sum = 0;
            for (std::ptrdiff_t v = y - 1; v <= y + 1; ++v)
                for (std::ptrdiff_t u = x - 1; u <= x + 1; ++u)
                    sum += object(std::clamp<std::ptrdiff_t>(v, 0, height - 1),
                                  std::clamp<std::ptrdiff_t>(u, 0, width - 1));
            result(y, x) = (1 - share) * object(y, x) + share / 8 * (sum - object(y, x));
        }
    }
    return result;
}

// What the proximal step makes as small as it can.
double objective(const Image& u, const Image& object, double weight) {
    double sum = 0;
    const auto [height, width] = object.extents();
    for (std::ptrdiff_t y = 0; y < height; ++y) {
        for (std::ptrdiff_t x = 0; x < width; ++x) {
            const Value down = y + 1 < height ? u(y + 1, x) - u(y, x) : 0;
            const Value right = x + 1 < width ? u(y, x + 1) - u(y, x) : 0;
            sum += std::norm(u(y, x) - object(y, x)) / 2 +
                   weight * std::sqrt(std::norm(down) + std::norm(right));
        }
    }
    return sum;
}

// Transmissions near 1 with an edge through the middle.
Image object_with_edge(std::ptrdiff_t height, std::ptrdiff_t width, std::uint64_t seed = 8) {
    Random random(seed, 0);
    Image object({height, width});
    for (std::ptrdiff_t i = 0; i < object.size(); ++i) {
        const double phase = (i % width < width / 2 ? 0.4 : 0.0) + 0.05 * random.normal();
        object[i] = std::polar(1 + 0.05 * random.normal(), phase);
    }
    return object;
}

// All slices of a rectangle, smoothed with its interior as told.
std::vector<Image> smoothed(const SmoothObjectArgs& args, const std::vector<Image>& slices,
                            StopReason stopped = StopReason::none) {
    std::vector<cfloat> value;
    for (const Image& slice : slices) {
        for (std::ptrdiff_t i = 0; i < slice.size(); ++i)
            value.push_back({static_cast<float>(slice[i].real()), static_cast<float>(slice[i].imag())});
    }
    const std::vector<cfloat> direction = random_pixels(value.size(), 4);
    const Data field = moving_field_of(value, direction);
    IterationState state;
    state.stopped = static_cast<std::int32_t>(stopped);
    const Data states = data_of_one(state);
    smooth_object.submit(args, {&field, &states});
    const Pixels found = pixels_of(field, value.size());
    expect_same_bits(found.direction, direction);
    std::vector<Image> result;
    for (std::size_t slice = 0; slice < slices.size(); ++slice) {
        Image& image = result.emplace_back(slices[slice].extents());
        for (std::ptrdiff_t i = 0; i < image.size(); ++i)
            image[i] = value_of(found.value[slice * args.tile.area() + static_cast<std::size_t>(i)]);
    }
    return result;
}

Image cropped(const Image& image, std::ptrdiff_t y0, std::ptrdiff_t x0, Shape2 shape) {
    Image part({shape.y, shape.x});
    for (std::ptrdiff_t y = 0; y < shape.y; ++y)
        for (std::ptrdiff_t x = 0; x < shape.x; ++x) part(y, x) = image(y0 + y, x0 + x);
    return part;
}

struct SmoothingCase {
    float variation, share;
};

class Smoothing : public testing::TestWithParam<SmoothingCase> {};

// A whole object, and tiles of it that reach just as far as they must.
TEST_P(Smoothing, OfAnyTileIsThatOfTheWholeObject) {
    const auto [variation, share] = GetParam();
    const std::vector<Image> object = {object_with_edge(47, 53), object_with_edge(47, 53, 9)};
    std::vector<Image> expected;
    for (const Image& slice : object) {
        Image changed = slice;
        if (variation > 0) changed = with_less_variation(changed, static_cast<double>(variation));
        if (share > 0) changed = smoothed_by(changed, static_cast<double>(share));
        expected.push_back(changed);
    }
    const auto whole = smoothed({{47, 53}, {0, 0, {47, 53}}, 2, variation, share}, object);
    const std::int32_t reach = smoothing_reach(variation > 0, share > 0);
    for (const Strip& interior :
         {Strip{0, 0, {47, 53}}, Strip{0, 0, {20, 17}}, Strip{reach, reach + 2, {9, 8}},
          Strip{47 - 12, 53 - 9, {12, 9}}, Strip{3, 17, {13, 36}}, Strip{20, 30, {1, 1}}}) {
        SCOPED_TRACE(testing::Message() << interior.y << " " << interior.x);
        const std::int32_t y0 = std::max(interior.y - reach, 0), x0 = std::max(interior.x - reach, 0);
        const Shape2 tile = {std::min(interior.y + interior.shape.y + reach, 47) - y0,
                             std::min(interior.x + interior.shape.x + reach, 53) - x0};
        std::vector<Image> parts;
        for (const Image& slice : object) parts.push_back(cropped(slice, y0, x0, tile));
        const auto found =
            smoothed({tile, {interior.y - y0, interior.x - x0, interior.shape}, 2, variation, share}, parts);
        for (std::size_t slice = 0; slice < 2; ++slice) {
            for (std::ptrdiff_t y = 0; y < tile.y; ++y) {
                for (std::ptrdiff_t x = 0; x < tile.x; ++x) {
                    const std::ptrdiff_t v = y0 + y, u = x0 + x;
                    const bool is_inside = v >= interior.y && v < interior.y + interior.shape.y &&
                                           u >= interior.x && u < interior.x + interior.shape.x;
                    if (is_inside) {
                        EXPECT_LT(std::abs(found[slice](y, x) - expected[slice](v, u)), 2e-6);
                        EXPECT_EQ(found[slice](y, x), whole[slice](v, u));  // to the last bit
                    } else {
                        EXPECT_LT(std::abs(found[slice](y, x) - object[slice](v, u)), 1e-6);
                    }
                }
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(All, Smoothing,
                         testing::Values(SmoothingCase{0.05f, 0}, SmoothingCase{0, 0.6f},
                                         SmoothingCase{0.3f, 0.2f}, SmoothingCase{1e-4f, 1}),
                         [](const auto& chosen) { return fmt::format("case_{}", chosen.index); });

// The steps that are taken come most of the way, and what is left of noise is little where the edge stays.
TEST(TotalVariation, TakesNoiseAndLeavesEdges) {
    constexpr double weight = 0.1;
    const Image object = object_with_edge(40, 40);
    const Image found = smoothed({{40, 40}, {0, 0, {40, 40}}, 1, static_cast<float>(weight), 0}, {object})[0];
    const Image best = with_less_variation(object, weight, 5000);
    const double before = objective(object, object, weight), after = objective(found, object, weight),
                 least = objective(best, object, weight);
    EXPECT_LT(after - least, 0.05 * (before - least));
    Value left = 0, right = 0;
    double noise_before = 0, noise_after = 0;
    for (std::ptrdiff_t y = 0; y < 40; ++y) {
        for (std::ptrdiff_t x = 0; x < 40; ++x) {
            const Value truth = std::polar(1.0, x < 20 ? 0.4 : 0.0);
            noise_before += std::norm(object(y, x) - truth);
            noise_after += std::norm(found(y, x) - truth);
        }
        left += found(y, 18) / 40.0;
        right += found(y, 21) / 40.0;
    }
    EXPECT_LT(noise_after, 0.2 * noise_before);
    EXPECT_NEAR(std::arg(left / right), 0.4, 0.08);  // weight takes a little of its height
}

TEST(TotalVariation, DoesNothingOnceStopped) {
    const Image object = object_with_edge(12, 13);
    const Image found =
        smoothed({{12, 13}, {0, 0, {12, 13}}, 1, 0.1f, 0.5f}, {object}, StopReason::requested)[0];
    for (std::ptrdiff_t i = 0; i < object.size(); ++i) EXPECT_LT(std::abs(found[i] - object[i]), 1e-6);
}

// ---- support_probe

constexpr Shape2 window = {8, 11};

Image transformed(const Image& in, double sign) {
    Image out(in.extents());
    const auto [height, width] = in.extents();
    for (std::ptrdiff_t q = 0; q < height; ++q) {
        for (std::ptrdiff_t p = 0; p < width; ++p) {
            for (std::ptrdiff_t y = 0; y < height; ++y) {
                for (std::ptrdiff_t x = 0; x < width; ++x) {
                    const double turns = static_cast<double>(q * y) / static_cast<double>(height) +
                                         static_cast<double>(p * x) / static_cast<double>(width);
                    out(q, p) += in(y, x) * std::polar(1.0, sign * 2 * pi * turns);
                }
            }
        }
    }
    return out;
}

Image expected_in_support(const ProbeSupport& support, Image mode) {
    const auto [height, width] = mode.extents();
    const auto clear = [&](const SemiAxes& axes, bool is_spectrum) {
        for (std::ptrdiff_t y = 0; y < height; ++y) {
            for (std::ptrdiff_t x = 0; x < width; ++x) {
                const auto from = [&](std::ptrdiff_t i, std::ptrdiff_t n) {
                    return static_cast<double>(is_spectrum ? (2 * i < n ? i : i - n) : i - n / 2);
                };
                const double v = from(y, height) / static_cast<double>(axes.y),
                             u = from(x, width) / static_cast<double>(axes.x);
                if (v * v + u * u > 1 + 1e-6) mode(y, x) = 0;
            }
        }
    };
    if (support.spectrum.are_set()) {
        mode = transformed(mode, -1);
        clear(support.spectrum, true);
        mode = transformed(mode, +1);
        for (std::ptrdiff_t i = 0; i < mode.size(); ++i) mode[i] /= static_cast<double>(mode.size());
    }
    if (support.window.are_set()) clear(support.window, false);
    return mode;
}

void expect_in_support(const ProbeSupport& support, const std::vector<cfloat>& found,
                       const std::vector<cfloat>& before) {
    for (std::size_t k = 0; k < before.size() / window.area(); ++k) {
        Image mode({window.y, window.x});
        for (std::ptrdiff_t i = 0; i < mode.size(); ++i)
            mode[i] = value_of(before[k * window.area() + static_cast<std::size_t>(i)]);
        const Image expected = expected_in_support(support, mode);
        for (std::ptrdiff_t i = 0; i < mode.size(); ++i)
            EXPECT_LT(
                std::abs(value_of(found[k * window.area() + static_cast<std::size_t>(i)]) - expected[i]),
                5e-6)
                << k << " " << i;
    }
}

const ProbeSupport supports[] = {{{3.1f, 4.2f}, {}}, {{}, {2.5f, 4.f}}, {{3.5f, 3.5f}, {3.f, 2.5f}}};

TEST(SupportProbe, ClearsAllThatIsOutside) {
    for (const ProbeSupport& support : supports) {
        const std::size_t size = 3 * window.area();
        const auto value = random_pixels(size, 1), direction = random_pixels(size, 2),
                   gradient = random_pixels(size, 3);
        for (const SupportedPart part : {SupportedPart::all, SupportedPart::direction}) {
            const Data probe = moving_field_of(value, direction), gradients = data_of(gradient),
                       states = data_of_one(IterationState());
            support_probe.submit({support, 3, window, part}, {&probe, &gradients, &states});
            const Pixels found = pixels_of(probe, size);
            expect_in_support(support, found.direction, direction);
            if (part == SupportedPart::all) {
                expect_in_support(support, found.value, value);
                expect_in_support(support, content<cfloat>(gradients, size), gradient);
            } else {
                expect_same_bits(found.value, value);
                expect_same_bits(content<cfloat>(gradients, size), gradient);
            }
        }
    }
}

TEST(SupportProbe, ClearsTheGradientInTheSums) {
    for (const ProbeSupport& support : supports) {
        const std::size_t size = 2 * window.area();
        const auto gradient = random_pixels(size, 3);
        Data sums(sums_bytes(size));
        std::copy(gradient.begin(), gradient.end(), probe_part(sums.before_tasks<std::byte>()));
        batch_sums(sums.before_tasks<std::byte>())->cost = 7;
        const Data states = data_of_one(IterationState());
        support_gradient.submit({support, 2, window}, {&sums, &states});
        const HostAccess access(sums, Access::read);
        throw_task_failure();
        const cfloat* found = probe_part(access.as<const std::byte>());
        expect_in_support(support, {found, found + size}, gradient);
        EXPECT_EQ(batch_sums(access.as<const std::byte>())->cost, 7);
    }
}

TEST(SupportProbe, DoesNothingOnceStopped) {
    IterationState state;
    state.stopped = static_cast<std::int32_t>(StopReason::requested);
    const auto value = random_pixels(window.area(), 1);
    const Data probe = moving_field_of(value, value), gradients = data_of(value), states = data_of_one(state);
    support_probe.submit({supports[2], 1, window, SupportedPart::all}, {&probe, &gradients, &states});
    expect_same_bits(pixels_of(probe, value.size()).value, value);
    expect_same_bits(content<cfloat>(gradients, value.size()), value);
}

}  // namespace
}  // namespace tessera::test
