// Frames in the wrong place, and the places that they are tried at.
#include "codelets/search_positions.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>

#include "support/filled_data.hpp"
#include "support/one_batch.hpp"

namespace tessera::test {
namespace {

using reference::Problem;
using reference::ProblemShape;
using Field = ProblemShape::Field;

// The frames' own intensities, so that every frame fits where its window is, and nowhere else.
Problem explained_problem(const ProblemShape& shape) {
    Problem problem = as_held(reference::random_problem(shape), PatternType::f32);
    for (std::ptrdiff_t j = 0; j < problem.num_frames(); ++j) {
        const reference::RealImage intensity = reference::intensity(problem, j);
        for (std::ptrdiff_t i = 0; i < intensity.size(); ++i)
            problem.patterns.slice(j)[i] = static_cast<double>(static_cast<float>(intensity[i]));
    }
    return problem;
}

// A batch whose frames are at `shift` from where their windows are, and what the search makes of it.
class SearchedBatch {
  public:
    explicit SearchedBatch(const Problem& problem) : batch(problem, PatternType::f32) {
        args.shape = batch.shape;
        args.first = 1;  // not the first batch of its tile
        args.max_shift_px = 50;
        args.num_frames_in_scan = 10;
        args.suspicious_error = 2;
        places.resize(1 + problem.windows.size());
        const auto at = content<FramePosition>(batch.frames, problem.windows.size());
        for (std::size_t j = 0; j < at.size(); ++j) {
            places[j + 1].origin[0] = at[j].y + static_cast<double>(at[j].frac_y);
            places[j + 1].origin[1] = at[j].x + static_cast<double>(at[j].frac_x);
            places[j + 1].velocity[0] = 0.25;
        }
        frames = at;
        state.squared_error = 1;  // a tenth of it is the frames' mean
    }

    void misplace(std::size_t frame, double y, double x) {
        FramePlace& place = places[frame + 1];
        place.shift[0] = y;
        place.shift[1] = x;
        place.explained[0] = y;  // the model agrees
        place.explained[1] = x;
        const auto to = [](double position) { return std::pair(std::floor(position + 0.5), position); };
        const auto [whole_y, here_y] = to(place.origin[0] + y);
        const auto [whole_x, here_x] = to(place.origin[1] + x);
        frames[frame] = {static_cast<std::int32_t>(whole_y), static_cast<std::int32_t>(whole_x),
                         static_cast<float>(here_y - whole_y), static_cast<float>(here_x - whole_x)};
    }

    void try_at(double y, double x) {
        args.offsets_px[args.num_tries][0] = y;
        args.offsets_px[args.num_tries][1] = x;
        ++args.num_tries;
    }

    void search() {
        const Data held = data_of(places), at = data_of(frames), said = data_of_one(state);
        const Data found(found_places_bytes(batch.shape.num_frames));
        search_positions.submit(
            args, {&batch.patterns, &at, &batch.detector, &batch.probe, &batch.object, &said, &held, &found});
        put_frames.submit({batch.shape.num_frames, args.first, batch.shape.interpolation},
                          {&found, &held, &at});
        places = content<FramePlace>(held, places.size());
        frames = content<FramePosition>(at, frames.size());
        throw_task_failure();
    }

    OneBatch batch;
    SearchPositionsArgs args;
    IterationState state;
    std::vector<FramePlace> places;  // of the tile
    std::vector<FramePosition> frames;
};

struct SearchCase {
    const char* name;
    ProblemShape shape;
};
class Search : public testing::TestWithParam<SearchCase> {};

TEST_P(Search, PutsAFrameWhereItFitsAndLeavesTheOthers) {
    const Problem problem = explained_problem(GetParam().shape);
    SearchedBatch searched(problem);
    const auto right = searched.frames;
    // One pixel towards the middle: the window stays in the object.
    const double y = problem.windows[1].y > 0 ? -1 : 1, x = problem.windows[1].x > 0 ? -1 : 1;
    searched.misplace(1, y, x);
    searched.try_at(-0.25 * y, 0.125 * x);
    searched.try_at(-y, -x);
    searched.try_at(-0.5 * y, -x);
    searched.search();
    for (std::size_t j = 0; j < right.size(); ++j) {
        const FramePlace& place = searched.places[j + 1];
        EXPECT_EQ(searched.frames[j].y, right[j].y) << j;
        EXPECT_EQ(searched.frames[j].x, right[j].x) << j;
        EXPECT_NEAR(searched.frames[j].frac_y, right[j].frac_y, 1e-6) << j;
        EXPECT_NEAR(searched.frames[j].frac_x, right[j].frac_x, 1e-6) << j;
        EXPECT_EQ(place.shift[0], 0) << j;
        EXPECT_EQ(place.shift[1], 0) << j;
        EXPECT_EQ(place.velocity[0], j == 1 ? 0 : 0.25) << j;
    }
    EXPECT_EQ(searched.places[0].velocity[0], 0);  // not of this batch
}

INSTANTIATE_TEST_SUITE_P(
    Models, Search,
    testing::Values(SearchCase{"fourier", {}}, SearchCase{"near_field", {.field = Field::near}},
                    SearchCase{"slices", {.num_slices = 3}}, SearchCase{"point_spread", {.blur_sigma = 0.7}},
                    SearchCase{"upsampled", {.upsampling = 2}},
                    SearchCase{"poisson", {.noise_model = reference::NoiseModel::poisson}}),
    [](const auto& chosen) { return std::string(chosen.param.name); });

TEST(SearchPositions, TriesWhereTheModelHasAFrame) {
    const Problem problem = explained_problem({});
    SearchedBatch searched(problem);
    searched.misplace(2, problem.windows[2].y > 0 ? -1 : 1, 0);
    searched.places[3].explained[0] = 0;
    searched.search();  // no tries but that one
    EXPECT_EQ(searched.places[3].shift[0], 0);
}

TEST(SearchPositions, LeavesFramesThatFitNoWorseThanOthers) {
    const Problem problem = explained_problem({});
    SearchedBatch searched(problem);
    const double y = problem.windows[1].y > 0 ? -1 : 1;
    searched.misplace(1, y, 0);
    searched.try_at(-y, 0);
    searched.state.squared_error = 1e9;
    searched.search();
    EXPECT_EQ(searched.places[2].shift[0], y);
    searched.args.suspicious_error = 0;  // every frame is tried
    searched.search();
    EXPECT_EQ(searched.places[2].shift[0], 0);
}

TEST(SearchPositions, GoesNoFartherThanFramesMay) {
    const Problem problem = explained_problem({});
    SearchedBatch searched(problem);
    const double y = problem.windows[1].y > 0 ? -1 : 1;
    searched.misplace(1, y, 0);
    searched.args.max_shift_px = 0.5;
    searched.try_at(-4 * y, 0);
    searched.search();
    EXPECT_LE(std::abs(searched.places[2].shift[0]), 0.5);
}

TEST(SearchPositions, DoesNothingOnceTheRunHasStopped) {
    const Problem problem = explained_problem({});
    SearchedBatch searched(problem);
    searched.misplace(1, 1, 0);
    searched.try_at(-1, 0);
    searched.state.stopped = 1;
    searched.search();
    EXPECT_EQ(searched.places[2].shift[0], 1);
}

// Equal parts of the disc: as many within 1 / sqrt(2) of the radius as beyond, the centre of mass in the
// middle, no round like the last.
TEST(SpreadTries, CoversTheDiscEvenly) {
    SearchPositionsArgs args, later;
    spread_tries(24, 8, 0, args);
    spread_tries(24, 8, 1, later);
    EXPECT_EQ(args.num_tries, 24);
    int inside = 0;
    double sum[2] = {0, 0}, largest = 0, nearest_to_another = 100;
    for (int i = 0; i < 24; ++i) {
        const double y = args.offsets_px[i][0], x = args.offsets_px[i][1], radius = std::hypot(y, x);
        inside += radius < 8 / std::sqrt(2.0) ? 1 : 0;
        largest = std::max(largest, radius);
        sum[0] += y / 24;
        sum[1] += x / 24;
        for (int j = 0; j < i; ++j)
            nearest_to_another = std::min(nearest_to_another,
                                          std::hypot(y - args.offsets_px[j][0], x - args.offsets_px[j][1]));
        EXPECT_GT(std::hypot(y - later.offsets_px[i][0], x - later.offsets_px[i][1]), 0.1);
    }
    EXPECT_EQ(inside, 12);
    EXPECT_LE(largest, 8);
    EXPECT_LT(std::hypot(sum[0], sum[1]), 0.6);
    EXPECT_GT(nearest_to_another, 0.5 * 8 * std::sqrt(3.14159 / 24));
}

}  // namespace
}  // namespace tessera::test
