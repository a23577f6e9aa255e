// The coupling of slices against a transform over all three axes in double precision, written for this test.
#include "codelets/couple_slices.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>

#include "base/array.hpp"
#include "codelets/slice_coupling.hpp"
#include "support/filled_data.hpp"

namespace tessera::test {
namespace {

using Value = std::complex<double>;
using Volume = Array<Value, 3>;  // (slice, y, x)
constexpr double pi = std::numbers::pi;

// Along one axis, by its definition; `sign` of the exponent.
Volume transform(const Volume& in, std::size_t axis, double sign) {
    Volume out(in.extents());
    const std::ptrdiff_t n = in.extent(axis);
    std::vector<Value> roots;
    for (std::ptrdiff_t i = 0; i < n; ++i)
        roots.push_back(std::polar(1.0, sign * 2 * pi * static_cast<double>(i) / static_cast<double>(n)));
    std::array<std::ptrdiff_t, 3> at{};
    for (at[0] = 0; at[0] < in.extent(0); ++at[0]) {
        for (at[1] = 0; at[1] < in.extent(1); ++at[1]) {
            for (at[2] = 0; at[2] < in.extent(2); ++at[2]) {
                Value sum = 0;
                for (std::ptrdiff_t i = 0; i < n; ++i) {
                    auto from = at;
                    from[axis] = i;
                    sum += in(from[0], from[1], from[2]) * roots[static_cast<std::size_t>(at[axis] * i % n)];
                }
                out(at[0], at[1], at[2]) = sum;
            }
        }
    }
    return out;
}

double frequency(std::ptrdiff_t i, std::ptrdiff_t n) {
    return static_cast<double>(2 * i < n ? i : i - n) / static_cast<double>(n);
}

// W = 1 - (2 / pi) atan((R q_z)^2 / (q_y^2 + q_x^2 + 1e-3)) over the transform of all axes.
Volume filtered(Volume volume, double strength) {
    for (const std::size_t axis : {0, 1, 2}) volume = transform(volume, axis, -1);
    const auto [num_z, num_y, num_x] = volume.extents();
    for (std::ptrdiff_t z = 0; z < num_z; ++z) {
        for (std::ptrdiff_t y = 0; y < num_y; ++y) {
            for (std::ptrdiff_t x = 0; x < num_x; ++x) {
                const double q_z = frequency(z, num_z), q_y = frequency(y, num_y), q_x = frequency(x, num_x);
                const double w =
                    1 - std::atan(std::pow(strength * q_z, 2) / (q_y * q_y + q_x * q_x + 1e-3)) / (pi / 2);
                volume(z, y, x) *= w / static_cast<double>(num_z * num_y * num_x);
            }
        }
    }
    for (const std::size_t axis : {0, 1, 2}) volume = transform(volume, axis, +1);
    return volume;
}

// Amplitude and phase each on its own, slices followed by their mirror images, pixels beyond the tile as at
// its nearer edge.
Volume expected_of(const Volume& object, double strength) {
    const auto [num_slices, num_y, num_x] = object.extents();
    const Shape2 padded =
        coupling::padded_shape({static_cast<std::int32_t>(num_y), static_cast<std::int32_t>(num_x)});
    const auto edge = [](std::ptrdiff_t i, std::ptrdiff_t n, std::ptrdiff_t all) {
        return i < n ? i : all - i <= i - n ? 0 : n - 1;
    };
    Volume amplitude({2 * num_slices, padded.y, padded.x}), phase(amplitude.extents());
    for (std::ptrdiff_t z = 0; z < 2 * num_slices; ++z) {
        const std::ptrdiff_t slice = z < num_slices ? z : 2 * num_slices - 1 - z;
        for (std::ptrdiff_t y = 0; y < padded.y; ++y) {
            for (std::ptrdiff_t x = 0; x < padded.x; ++x) {
                const std::ptrdiff_t v = edge(y, num_y, padded.y), u = edge(x, num_x, padded.x);
                Value sum = 0;
                for (std::ptrdiff_t l = 0; l < num_slices; ++l) sum += object(l, v, u);
                amplitude(z, y, x) = std::log(std::abs(object(slice, v, u)));
                phase(z, y, x) = std::arg(object(slice, v, u) / sum) + std::arg(sum);
            }
        }
    }
    // Phases are known to a common part of all slices, which the filter must not see: it wraps.
    Volume common(phase.extents());
    for (std::ptrdiff_t i = 0; i < phase.size(); ++i) {
        const std::ptrdiff_t plane = static_cast<std::ptrdiff_t>(padded.area());
        Value mean = 0;
        for (std::ptrdiff_t z = 0; z < 2 * num_slices; ++z)
            mean += phase[z * plane + i % plane] / static_cast<double>(2 * num_slices);
        common[i] = mean;
    }
    for (std::ptrdiff_t i = 0; i < phase.size(); ++i) phase[i] -= common[i];
    amplitude = filtered(amplitude, strength);
    phase = filtered(phase, strength);
    Volume result(object.extents());
    for (std::ptrdiff_t l = 0; l < num_slices; ++l) {
        for (std::ptrdiff_t y = 0; y < num_y; ++y) {
            for (std::ptrdiff_t x = 0; x < num_x; ++x) {
                result(l, y, x) = std::polar(std::exp(amplitude(l, y, x).real()),
                                             phase(l, y, x).real() + common(l, y, x).real());
            }
        }
    }
    return result;
}

// Slices of transmissions near 1, all turned by `turn`.
std::vector<cfloat> random_object(std::size_t size, double turn = 0) {
    Random random(4, 0);
    std::vector<cfloat> pixels(size);
    for (cfloat& pixel : pixels) {
        const Value value = std::polar(1 + 0.2 * random.uniform(-1, 1), turn + 0.8 * random.uniform(-1, 1));
        pixel = {static_cast<float>(value.real()), static_cast<float>(value.imag())};
    }
    return pixels;
}

std::vector<cfloat> coupled(const CoupleSlicesArgs& args, const std::vector<cfloat>& object,
                            StopReason stopped = StopReason::none) {
    const std::vector<cfloat> direction = random_pixels(object.size(), 9);
    const Data field = moving_field_of(object, direction);
    IterationState state;
    state.stopped = static_cast<std::int32_t>(stopped);
    const Data state_data = data_of_one(state);
    couple_slices.submit(args, {&field, &state_data});
    const HostAccess access(field, Access::read);
    throw_task_failure();
    const auto found = moving_field(access.as<const std::byte>(), object.size());
    EXPECT_TRUE(std::equal(direction.begin(), direction.end(), found.direction,
                           [](cfloat a, cfloat b) { return a.re == b.re && a.im == b.im; }));
    return {found.value, found.value + object.size()};
}

bool is_inside(const Strip& strip, std::ptrdiff_t y, std::ptrdiff_t x) {
    return y >= strip.y && y < strip.y + strip.shape.y && x >= strip.x && x < strip.x + strip.shape.x;
}

TEST(CoupleSlices, FiltersInteriorsAsTheTransformOfAllAxesDoes) {
    for (const std::int32_t num_slices : {2, 3, 5}) {
        for (const float strength : {0.01f, 0.3f, 1.0f}) {
            SCOPED_TRACE(testing::Message() << num_slices << " slices, strength " << strength);
            const CoupleSlicesArgs args = {{9, 14}, {2, 3, {5, 8}}, num_slices, strength};
            const std::vector<cfloat> before = random_object(volume(args.tile, num_slices), 3.0);
            const std::vector<cfloat> found = coupled(args, before);
            Volume object({num_slices, args.tile.y, args.tile.x});
            for (std::ptrdiff_t i = 0; i < object.size(); ++i)
                object[i] = value_of(before[static_cast<std::size_t>(i)]);
            const Volume expected = expected_of(object, static_cast<double>(strength));
            double largest_change = 0;
            for (std::ptrdiff_t i = 0; i < object.size(); ++i) {
                const auto index = static_cast<std::size_t>(i);
                const std::ptrdiff_t in_plane = i % (args.tile.y * args.tile.x);
                if (is_inside(args.interior, in_plane / args.tile.x, in_plane % args.tile.x)) {
                    EXPECT_LT(std::abs(value_of(found[index]) - expected[i]), 2e-6);
                    largest_change = std::max(largest_change, std::abs(expected[i] - object[i]));
                } else {
                    EXPECT_EQ(found[index].re, before[index].re);
                    EXPECT_EQ(found[index].im, before[index].im);
                }
            }
            EXPECT_GT(largest_change, strength > 0.1f ? 0.02 : 2e-5);
        }
    }
}

// What a thin object is: the slices of a pixel multiplied.
TEST(CoupleSlices, LeavesTheProductOfSlicesAsItIs) {
    const CoupleSlicesArgs args = {{11, 10}, {0, 0, {11, 10}}, 4, 1.0f};
    const std::vector<cfloat> before = random_object(volume(args.tile, 4)), found = coupled(args, before);
    for (std::size_t i = 0; i < args.tile.area(); ++i) {
        Value product = 1, expected = 1;
        for (std::size_t slice = 0; slice < 4; ++slice) {
            product *= value_of(found[slice * args.tile.area() + i]);
            expected *= value_of(before[slice * args.tile.area() + i]);
        }
        EXPECT_LT(std::abs(product - expected), 2e-6);
    }
}

// Whatever the phase that all slices share: there is nothing to unwrap.
TEST(CoupleSlices, DoesNotSeeACommonPhase) {
    const CoupleSlicesArgs args = {{10, 12}, {1, 1, {8, 9}}, 3, 0.5f};
    const std::vector<cfloat> found = coupled(args, random_object(volume(args.tile, 3)));
    for (const double turn : {1.0, 3.0, -3.0}) {
        const std::vector<cfloat> turned = coupled(args, random_object(volume(args.tile, 3), turn));
        for (std::size_t i = 0; i < found.size(); ++i)
            EXPECT_LT(std::abs(value_of(turned[i]) - std::polar(1.0, turn) * value_of(found[i])), 2e-6);
    }
}

TEST(CoupleSlices, PullsCoarseDifferencesTogetherAndLeavesFineOnes) {
    const CoupleSlicesArgs args = {{40, 40}, {0, 0, {40, 40}}, 2, 0.3f};
    for (const bool is_coarse : {true, false}) {
        std::vector<cfloat> before(volume(args.tile, 2));
        for (std::size_t i = 0; i < before.size(); ++i) {
            const std::size_t slice = i / args.tile.area(), x = i % 40;
            const double sign = (slice == 0 ? 1 : -1) * (is_coarse || x % 2 == 0 ? 1 : -1);
            const Value value = std::polar(1.0, 0.2 * sign);
            before[i] = {static_cast<float>(value.real()), static_cast<float>(value.imag())};
        }
        const std::vector<cfloat> found = coupled(args, before);
        const std::size_t middle = 20 * 40 + 20;
        const double left = std::arg(value_of(found[middle])) / std::arg(value_of(before[middle]));
        if (is_coarse) {
            EXPECT_LT(left, 0.25);
        } else {
            EXPECT_GT(left, 0.98);
        }
    }
}

TEST(CoupleSlices, DoesNothingOnceStopped) {
    const CoupleSlicesArgs args = {{6, 7}, {0, 0, {6, 7}}, 2, 1.0f};
    const std::vector<cfloat> before = random_object(volume(args.tile, 2));
    const std::vector<cfloat> found = coupled(args, before, StopReason::requested);
    for (std::size_t i = 0; i < before.size(); ++i) EXPECT_EQ(found[i].re, before[i].re);
}

// A pixel without transmission has no phase and no logarithm: it must not spread.
TEST(CoupleSlices, StaysFiniteWhereNothingPasses) {
    const CoupleSlicesArgs args = {{8, 8}, {0, 0, {8, 8}}, 3, 0.5f};
    std::vector<cfloat> before = random_object(volume(args.tile, 3));
    for (std::size_t slice = 0; slice < 3; ++slice) before[slice * 64 + 20] = {0, 0};
    for (const cfloat value : coupled(args, before)) {
        EXPECT_TRUE(std::isfinite(value.re));
        EXPECT_TRUE(std::isfinite(value.im));
    }
}

}  // namespace
}  // namespace tessera::test
