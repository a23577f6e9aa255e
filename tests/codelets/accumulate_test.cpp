// Sums in a declared order: batches into tiles, strips between tiles, tiles into the total.
#include "codelets/accumulate.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "support/filled_data.hpp"

namespace tessera::test {
namespace {

constexpr Shape2 tile = {9, 13}, window = {4, 6};
constexpr std::size_t probe_size = 2 * 7 * 3;

BatchSums sums_of(double first) {
    BatchSums sums;
    sums.cost = first;
    sums.squared_error = first + 1;
    sums.gradient_norm = first + 2;
    sums.gradient_previous = -first - 3;
    sums.gradient_direction = first + 4;
    sums.weight_max = first + 5;
    for (std::size_t i = 0; i <= num_trials; ++i) sums.trial_cost[i] = first + 6 + static_cast<double>(i);
    sums.bad_frames = static_cast<std::int64_t>(first) + 20;
    return sums;
}

void expect_sum(const BatchSums& found, const BatchSums& a, const BatchSums& b) {
    EXPECT_EQ(found.cost, a.cost + b.cost);
    EXPECT_EQ(found.squared_error, a.squared_error + b.squared_error);
    EXPECT_EQ(found.gradient_norm, a.gradient_norm + b.gradient_norm);
    EXPECT_EQ(found.gradient_previous, a.gradient_previous + b.gradient_previous);
    EXPECT_EQ(found.gradient_direction, a.gradient_direction + b.gradient_direction);
    EXPECT_EQ(found.weight_max, std::max(a.weight_max, b.weight_max));
    for (std::size_t i = 0; i <= num_trials; ++i)
        EXPECT_EQ(found.trial_cost[i], a.trial_cost[i] + b.trial_cost[i]);
    EXPECT_EQ(found.bad_frames, a.bad_frames + b.bad_frames);
}

Data make_sums(const BatchSums& scalars, const std::vector<cfloat>& probe) {
    Data data(sums_bytes(probe.size()));
    *batch_sums(data.before_tasks<std::byte>()) = scalars;
    std::copy(probe.begin(), probe.end(), probe_part(data.before_tasks<std::byte>()));
    return data;
}

Data make_out(const BatchSums& scalars, const std::vector<cfloat>& probe, const std::vector<cfloat>& pixels) {
    Data data(out_bytes(window, probe.size()));
    *batch_sums(data.before_tasks<std::byte>()) = scalars;
    std::copy(probe.begin(), probe.end(), probe_part(data.before_tasks<std::byte>()));
    std::copy(pixels.begin(), pixels.end(), window_part(data.before_tasks<std::byte>(), probe.size()));
    return data;
}

void expect_equal(const std::vector<cfloat>& found, const std::vector<cfloat>& expected) {
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
        ASSERT_EQ(found[i].re, expected[i].re) << i;
        ASSERT_EQ(found[i].im, expected[i].im) << i;
    }
}

std::vector<cfloat> sum(std::vector<cfloat> a, const std::vector<cfloat>& b) {
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = a[i] + b[i];
    return a;
}

std::vector<cfloat> probe_in(const Data& sums) {
    const HostAccess access(sums, Access::read);
    const cfloat* part = probe_part(access.as<const std::byte>());
    return {part, part + probe_size};
}

AddBatchArgs add_batch_args() {
    AddBatchArgs args;
    args.window_y = 3;
    args.window_x = 5;
    args.window = window;
    args.tile = tile;
    args.probe_size = probe_size;
    return args;
}

TEST(Clear, SetsExactlyItsBytesToZero) {
    const Data data = data_of(random_pixels(20, 1));
    clear.submit({12 * sizeof(cfloat)}, {&data});
    const auto expected = random_pixels(20, 1);
    const auto found = content<cfloat>(data, 20);
    for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(found[i].re, i < 12 ? 0 : expected[i].re);
}

TEST(AddBatch, PutsTheWindowInItsPlace) {
    const auto before = random_pixels(tile.area(), 1), pixels = random_pixels(window.area(), 2);
    const auto probe = random_pixels(probe_size, 3), probe_before = random_pixels(probe_size, 4);
    const Data field = data_of(before);
    const Data out = make_out(sums_of(10), probe, pixels);
    const Data sums = make_sums(sums_of(300), probe_before);
    const AddBatchArgs args = add_batch_args();
    add_batch.submit(args, {&out, &field, &sums});

    auto expected = before;
    for (std::size_t y = 0; y < 4; ++y) {
        for (std::size_t x = 0; x < 6; ++x) {
            cfloat& pixel = expected[(3 + y) * 13 + 5 + x];
            pixel = pixel + pixels[y * 6 + x];
        }
    }
    expect_equal(content<cfloat>(field, tile.area()), expected);
    expect_sum(content_of_one<BatchSums>(sums), sums_of(300), sums_of(10));
    expect_equal(probe_in(sums), sum(probe_before, probe));
}

// For frames that another tile counts.
TEST(AddBatch, OfTheWindowIsThatOfAllParts) {
    const auto before = random_pixels(tile.area(), 1), pixels = random_pixels(window.area(), 2);
    const std::vector<cfloat> probe = random_pixels(probe_size, 3);
    const Data out = make_out(sums_of(10), probe, pixels), sums = make_sums(sums_of(300), probe);
    const Data all = data_of(before), only = data_of(before);
    AddBatchArgs args = add_batch_args();
    add_batch.submit(args, {&out, &all, &sums});
    args.parts = BatchParts::window;
    add_batch_window.submit(args, {&out, &only});
    expect_equal(content<cfloat>(only, tile.area()), content<cfloat>(all, tile.area()));
}

TEST(AddBatch, OfScalarsLeavesTheProbeAlone) {
    const auto probe = random_pixels(probe_size, 3), probe_before = random_pixels(probe_size, 4);
    const Data out = make_out(sums_of(10), probe, random_pixels(window.area(), 2));
    const Data sums = make_sums(sums_of(300), probe_before);
    AddBatchArgs args = add_batch_args();
    args.parts = BatchParts::scalars;
    add_batch_scalars.submit(args, {&out, &sums});
    expect_sum(content_of_one<BatchSums>(sums), sums_of(300), sums_of(10));
    expect_equal(probe_in(sums), probe_before);
}

TEST(AddSums, AddsAnEdgeOfTheTree) {
    const auto a = random_pixels(probe_size, 1), b = random_pixels(probe_size, 2);
    const Data target = make_sums(sums_of(1), a), source = make_sums(sums_of(40), b);
    add_sums.submit({probe_size}, {&target, &source});
    expect_sum(content_of_one<BatchSums>(target), sums_of(1), sums_of(40));
    expect_equal(probe_in(target), sum(a, b));
    expect_sum(content_of_one<BatchSums>(source), sums_of(40), BatchSums{});
}

TEST(Strips, CutAndLandWhereTheySay) {
    const Shape2 other_tile = {7, 8};
    const Strip cut = {5, 9, {4, 3}}, land = {0, 2, {4, 3}};
    const auto from = random_pixels(tile.area(), 1), to = random_pixels(other_tile.area(), 2);
    const Data source = data_of(from, field_bytes(tile)), target = data_of(to, field_bytes(other_tile));
    const Data strip(field_bytes(cut.shape));
    cut_strip.submit({tile, cut}, {&source, &strip});
    add_strip.submit({other_tile, land}, {&strip, &target});
    auto expected = to;
    std::vector<cfloat> dense;
    for (std::size_t y = 0; y < 4; ++y) {
        for (std::size_t x = 0; x < 3; ++x) {
            const cfloat pixel = from[(5 + y) * 13 + 9 + x];
            dense.push_back(pixel);
            expected[y * 8 + 2 + x] = expected[y * 8 + 2 + x] + pixel;
        }
    }
    expect_equal(content<cfloat>(strip, dense.size()), dense);
    expect_equal(content<cfloat>(target, other_tile.area()), expected);
    expect_equal(content<cfloat>(source, tile.area()), from);
}

TEST(Copy, IsTheSameBytes) {
    const auto from = random_pixels(33, 5);
    const Data source = data_of(from), target = data_of(random_pixels(40, 6));
    copy.submit({33 * sizeof(cfloat)}, {&source, &target});
    const auto found = content<cfloat>(target, 40), rest = random_pixels(40, 6);
    expect_equal({found.begin(), found.begin() + 33}, from);
    expect_equal({found.begin() + 33, found.end()}, {rest.begin() + 33, rest.end()});
}

}  // namespace
}  // namespace tessera::test
