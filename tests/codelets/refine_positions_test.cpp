// Derivatives by positions against finite differences of the oracle, and what is made of them.
#include "codelets/refine_positions.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "codelets/position_rules.hpp"
#include "support/filled_data.hpp"
#include "support/one_batch.hpp"

namespace tessera::test {
namespace {

using reference::Problem;
using reference::ProblemShape;
using reference::RealImage;
using Field = ProblemShape::Field;

// ---- Derivatives

Problem with_frame_moved(const Problem& problem, std::ptrdiff_t frame, int axis, double by) {
    Problem moved = problem;
    // At whole pixels that is the slope of what lies between them.
    if (moved.interpolation == reference::Interpolation::nearest)
        moved.interpolation = reference::Interpolation::fourier;
    reference::Window& window = moved.windows[static_cast<std::size_t>(frame)];
    (axis == 0 ? window.frac_y : window.frac_x) += by;
    return moved;
}

// d/dr of what `value` says of the problem, of fourth order.
template <class Value>
auto difference_quotient(const Value& value) {
    constexpr double h = 2e-3;
    return (8.0 * (value(h) - value(-h)) - (value(2 * h) - value(-2 * h))) / (12 * h);
}

double gradient_by_differences(const Problem& problem, std::ptrdiff_t frame, int axis) {
    return difference_quotient([&](double by) {
        const Problem moved = with_frame_moved(problem, frame, axis, by);
        return reference::cost(moved).per_frame[static_cast<std::size_t>(frame)];
    });
}

std::vector<double> intensity_slope(const Problem& problem, std::ptrdiff_t frame, int axis) {
    const auto at = [&](double by) {
        return reference::intensity(with_frame_moved(problem, frame, axis, by), frame);
    };
    constexpr double h = 2e-3;
    const RealImage a = at(h), b = at(-h), c = at(2 * h), d = at(-2 * h);
    std::vector<double> slope;
    for (std::ptrdiff_t i = 0; i < a.size(); ++i)
        slope.push_back((8 * (a[i] - b[i]) - (c[i] - d[i])) / (12 * h));
    return slope;
}

// sum w dI_a dI_b with the weights of the noise models written out.
double curvature_by_differences(const Problem& problem, std::ptrdiff_t frame, int a, int b) {
    const RealImage intensity = reference::intensity(problem, frame);
    const auto slope_a = intensity_slope(problem, frame, a), slope_b = intensity_slope(problem, frame, b);
    double sum = 0;
    for (std::ptrdiff_t i = 0; i < intensity.size(); ++i) {
        const double counts = problem.patterns.slice(frame)[i];
        if (counts < 0 || problem.mask[i] == 0) continue;
        const double regular = intensity[i] + problem.epsilon;
        const double weight = problem.noise_model == reference::NoiseModel::amplitude ? 1 / (2 * regular)
                              : problem.noise_model == reference::NoiseModel::poisson ? 1 / regular
                                                                                      : 1 / (counts + 1);
        sum += weight * slope_a[static_cast<std::size_t>(i)] * slope_b[static_cast<std::size_t>(i)];
    }
    return sum;
}

// Saturated counts that the model exceeds as pixels that their frame does not use: the same here, but not
// where a difference quotient steps over the edge, at which the poisson cost jumps by its epsilon.
Problem without_saturated(const Problem& problem) {
    Problem same = problem;
    same.saturated_from = std::numeric_limits<double>::infinity();
    for (std::ptrdiff_t j = 0; j < problem.num_frames(); ++j) {
        const RealImage intensity = reference::intensity(with_frame_moved(problem, j, 0, 0), j);
        for (std::ptrdiff_t i = 0; i < intensity.size(); ++i) {
            double& counts = same.patterns.slice(j)[i];
            if (counts >= problem.saturated_from && intensity[i] >= counts) counts = -1;
        }
    }
    return same;
}

std::vector<PositionDerivatives> found_derivatives(const Problem& problem) {
    OneBatch batch(problem, PatternType::i32);
    const Data out(position_derivatives_bytes(batch.shape.num_frames));
    find_position_derivatives.submit({batch.shape}, {&batch.patterns, &batch.frames, &batch.detector,
                                                     &batch.probe, &batch.object, &batch.state, &out});
    const HostAccess access(out, Access::read);
    throw_task_failure();
    const PositionDerivatives* found = position_derivatives(access.as<const std::byte>());
    return {found, found + batch.shape.num_frames};
}

void expect_the_oracles_derivatives(const ProblemShape& shape) {
    const Problem asked = as_held(reference::random_problem(shape), PatternType::i32);
    const auto found = found_derivatives(asked);
    const Problem problem = without_saturated(asked);
    for (std::ptrdiff_t j = 0; j < problem.num_frames(); ++j) {
        const PositionDerivatives& d = found[static_cast<std::size_t>(j)];
        double scale = 0;  // of the gradient: what moves the intensity, not what is left after cancelling
        for (int axis = 0; axis < 2; ++axis) scale += curvature_by_differences(problem, j, axis, axis);
        for (int axis = 0; axis < 2; ++axis) {
            EXPECT_NEAR(d.gradient[axis], gradient_by_differences(problem, j, axis), 2e-5 * scale)
                << "frame " << j << ", axis " << axis;
        }
        for (int i = 0; i < 3; ++i) {
            EXPECT_NEAR(d.curvature[i], curvature_by_differences(problem, j, i / 2, (i + 1) / 2),
                        2e-5 * scale)
                << "frame " << j << ", curvature " << i;
        }
    }
}

struct DerivativesCase {
    ProblemShape shape;
    const char* name;
};

class PositionDerivativesOf : public testing::TestWithParam<DerivativesCase> {};

TEST_P(PositionDerivativesOf, AreTheOraclesFiniteDifferences) {
    ProblemShape shape = GetParam().shape;
    for (const reference::NoiseModel noise : all_noise_models) {
        SCOPED_TRACE(test::name(noise));
        shape.noise_model = noise;
        expect_the_oracles_derivatives(shape);
    }
}

constexpr auto fourier = reference::Interpolation::fourier;
constexpr auto bilinear = reference::Interpolation::bilinear;
constexpr auto nearest = reference::Interpolation::nearest;
INSTANTIATE_TEST_SUITE_P(
    Models, PositionDerivativesOf,
    testing::Values(
        DerivativesCase{{.interpolation = fourier}, "fourier"},
        DerivativesCase{{.interpolation = bilinear}, "bilinear"},
        DerivativesCase{{.interpolation = nearest}, "nearest"},
        DerivativesCase{{.interpolation = fourier, .field = Field::near}, "fourier_near_field"},
        DerivativesCase{{.interpolation = bilinear, .field = Field::near}, "bilinear_near_field"},
        DerivativesCase{{.interpolation = nearest, .field = Field::near}, "nearest_near_field"},
        DerivativesCase{{.frame = {9, 8}, .probe = {9, 8}, .num_modes = 1, .num_frames = 3, .seed = 2},
                        "one_mode"},
        DerivativesCase{{.blur_sigma = 0.8, .seed = 4}, "point_spread"},
        DerivativesCase{{.interpolation = fourier, .field = Field::near, .blur_sigma = 0.8},
                        "point_spread_near_field"},
        DerivativesCase{{.upsampling = 2, .seed = 5}, "upsampled"},
        DerivativesCase{{.saturated_from = 12, .seed = 3}, "saturated"},
        DerivativesCase{{.num_slices = 3, .num_frames = 2}, "slices"},
        DerivativesCase{{.num_object_modes = 2, .num_frames = 2}, "object_modes"},
        DerivativesCase{
            {.num_object_modes = 2, .num_frames = 2, .interpolation = bilinear, .field = Field::near},
            "object_modes_bilinear_near_field"}),
    [](const auto& chosen) { return std::string(chosen.param.name); });

// ---- Plans

FramePlace place_at(double y, double x, double from_y = 0, double from_x = 0) {
    FramePlace place;
    place.origin[0] = y;
    place.origin[1] = x;
    place.from_centre[0] = from_y;
    place.from_centre[1] = from_x;
    return place;
}

Data derivatives_of(const std::vector<PositionDerivatives>& derivatives) {
    Data out(position_derivatives_bytes(static_cast<std::int32_t>(derivatives.size())));
    std::copy(derivatives.begin(), derivatives.end(), position_derivatives(out.before_tasks<std::byte>()));
    return out;
}

TEST(PlanMoves, SolvesTheDampedEquations) {
    // (yy + r) s_y + yx s_x = -g_y and so on, r a tenth of the mean curvature.
    const PositionDerivatives d = {{3, -2}, {10, 4, 6}};
    const double r = 0.1 * 8;
    const Data out = derivatives_of({{}, d}), sums = data_of_one(BatchSums()),
               state = data_of_one(IterationState());
    const Data places = data_of(std::vector<FramePlace>{{}, place_at(5, 6), place_at(2.25, 3, -7, 11)});
    PlanMovesArgs args = {.num_frames = 2, .first = 1, .max_step_px = 5};
    plan_moves.submit(args, {&out, &places, &sums, &state});
    const auto planned = content<FramePlace>(places, 3);
    const double* s = planned[2].velocity;
    EXPECT_NEAR((10 + r) * s[0] + 4 * s[1], -3, 1e-14);
    EXPECT_NEAR(4 * s[0] + (6 + r) * s[1], 2, 1e-14);
    EXPECT_EQ(planned[1].velocity[0], 0);  // no curvature, no step
    EXPECT_EQ(planned[0].velocity[0], 0);  // not of this batch
    const double expected[6] = {s[0], s[1], -7 * s[0], 11 * s[0], -7 * s[1], 11 * s[1]};
    const BatchSums added = content_of_one<BatchSums>(sums);
    for (int i = 0; i < 6; ++i) EXPECT_NEAR(added.position_moments[i], expected[i], 1e-14) << i;
}

// kappa is a share of what the last round noted.
TEST(PlanMoves, PullsFramesToTheModel) {
    const PositionDerivatives d = {{3, -2}, {10, 4, 6}};
    IterationState noted;
    noted.position_curvature = 50;
    const Data out = derivatives_of({d}), sums = data_of_one(BatchSums()), state = data_of_one(noted);
    FramePlace place = place_at(1, 2);
    place.shift[0] = 0.75;
    place.explained[0] = 0.25;
    place.explained[1] = 0.5;
    const Data places = data_of_one(place);
    plan_moves.submit({.num_frames = 1, .max_step_px = 50, .model_weight = 0.1},
                      {&out, &places, &sums, &state});
    const auto planned = content_of_one<FramePlace>(places);
    const double *s = planned.velocity, raised = 0.1 * 8 + 5;
    EXPECT_NEAR((10 + raised) * s[0] + 4 * s[1], -(3 + 5 * 0.5), 1e-13);
    EXPECT_NEAR(4 * s[0] + (6 + raised) * s[1], -(-2 - 5 * 0.5), 1e-13);
    EXPECT_EQ(content_of_one<BatchSums>(sums).position_curvature, 8);
    BatchSums total;
    total.position_curvature = 30;
    const Data totals = data_of_one(total);
    note_position_curvature.submit({4}, {&totals, &state});
    EXPECT_EQ(content_of_one<IterationState>(state).position_curvature, 7.5);
}

TEST(PlanMoves, KeepsMomentumAndLimitsTheWhole) {
    const Data out = derivatives_of({{{-8.8, 0}, {8, 0, 8}}}), sums = data_of_one(BatchSums()),
               state = data_of_one(IterationState());
    FramePlace place = place_at(4, 4);
    place.velocity[0] = 2;
    const Data places = data_of_one(place);
    PlanMovesArgs args = {.num_frames = 1, .step_size = 0.5, .momentum = 0.25, .max_step_px = 10};
    plan_moves.submit(args, {&out, &places, &sums, &state});
    EXPECT_NEAR(content_of_one<FramePlace>(places).velocity[0], 0.25 * 2 + 0.5 * 1, 1e-14);
    args.max_step_px = 0.125;
    plan_moves.submit(args, {&out, &places, &sums, &state});
    EXPECT_NEAR(content_of_one<FramePlace>(places).velocity[0], 0.125, 1e-15);
}

// With `nearest` derivatives are those of the whole pixel, and lead from there.
TEST(PlanMoves, OfWholePixelsBeginsWhereTheWindowWasRead) {
    const Data out = derivatives_of({{{-2.2, 0}, {10, 0, 10}}}), sums = data_of_one(BatchSums()),
               state = data_of_one(IterationState());
    FramePlace place = place_at(4, 4);
    place.shift[0] = 0.3;
    const Data places = data_of_one(place);
    plan_moves.submit({.num_frames = 1, .interpolation = Interpolation::nearest, .max_step_px = 10},
                      {&out, &places, &sums, &state});
    EXPECT_NEAR(content_of_one<FramePlace>(places).velocity[0], 0.2 - 0.3, 1e-14);
}

// ---- Moves

// Frames on a grid with a linear map of their places and jitter for shifts; `matrix` in rows (y, x).
struct MovedScan {
    std::vector<FramePlace> places;
    BatchSums sums;
    MoveFramesArgs args;

    explicit MovedScan(const double (&matrix)[2][2], double jitter) {
        Random random(3, 1);
        for (int y = -3; y <= 3; ++y) {
            for (int x = -4; x <= 4; ++x) {
                FramePlace place = place_at(100 + 7.5 * y, 100 + 5.25 * x, 7.5 * y, 5.25 * x);
                for (int axis = 0; axis < 2; ++axis) {
                    place.velocity[axis] = 0.5 * axis + matrix[axis][0] * place.from_centre[0] +
                                           matrix[axis][1] * place.from_centre[1] +
                                           random.uniform(-jitter, jitter);
                }
                places.push_back(place);
                rules::add_plan({}, place, sums);
                args.scan.yy += place.from_centre[0] * place.from_centre[0];
                args.scan.xx += place.from_centre[1] * place.from_centre[1];
            }
        }
        args.num_frames = static_cast<std::int32_t>(places.size());
        args.scan.num_frames = static_cast<double>(places.size());
        args.max_shift_px = 50;
    }

    rules::PositionModel model() const { return rules::model_of(args, sums); }
    struct Moved {
        std::vector<FramePlace> places;
        std::vector<FramePosition> frames;
    };
    Moved move() const {
        const Data total = data_of_one(sums), state = data_of_one(IterationState()), at = data_of(places);
        const Data frames(places.size() * sizeof(FramePosition));
        move_frames.submit(args, {&total, &state, &at, &frames});
        return {content<FramePlace>(at, places.size()), content<FramePosition>(frames, places.size())};
    }
};

TEST(PositionModelFit, FindsEachParameterOfALinearMap) {
    // scale 1 %, asymmetry 2 %, rotation 3 mrad, shear 4 mrad.
    const double matrix[2][2] = {{0.01 + 0.01, 0.003 + 0.002}, {-0.003 + 0.002, 0.01 - 0.01}};
    const rules::PositionModel model = MovedScan(matrix, 0).model();
    const double expected[4] = {0.01, 0.02, 0.003, 0.004};
    for (int i = 0; i < 4; ++i) EXPECT_NEAR(model.parameters[i], expected[i], 1e-9) << i;
    EXPECT_NEAR(model.mean[0], 0, 1e-12);
    EXPECT_NEAR(model.mean[1], 0.5, 1e-12);
}

TEST(PositionModelFit, LeavesOutWhatItIsNotToLookFor) {
    const double matrix[2][2] = {{0.02, 0.003}, {-0.003, 0.02}};
    MovedScan scan(matrix, 0);
    scan.args.has_rotation = 0;
    const rules::PositionModel model = scan.model();
    EXPECT_NEAR(model.parameters[0], 0.02, 1e-9);
    EXPECT_EQ(model.parameters[2], 0);
}

// A line along y: scale and asymmetry cannot be told apart, nor rotation and shear.
TEST(PositionModelFit, OfALineIsFinite) {
    const double matrix[2][2] = {{0.02, 0}, {0, 0}};
    MovedScan scan(matrix, 0);
    BatchSums sums;
    scan.args.scan = {7, 0, 0, 0};
    for (int y = -3; y <= 3; ++y) {
        FramePlace place = place_at(10 * y, 0, 10 * y, 0);
        place.velocity[0] = 0.02 * 10 * y;
        rules::add_plan({}, place, sums);
        scan.args.scan.yy += 100 * y * y;
    }
    const rules::PositionModel model = rules::model_of(scan.args, sums);
    EXPECT_NEAR(model.matrix[0][0], 0.02, 1e-6);
    EXPECT_TRUE(std::isfinite(model.matrix[1][1]));
}

TEST(MoveFrames, LeavesNoDrift) {
    const double matrix[2][2] = {{0.01, 0}, {0, 0.01}};
    const MovedScan scan(matrix, 1);
    const auto [places, frames] = scan.move();
    double sum[2] = {0, 0};
    for (const FramePlace& place : places) {
        for (int axis = 0; axis < 2; ++axis) sum[axis] += place.shift[axis];
    }
    EXPECT_NEAR(sum[0], 0, 1e-12);
    EXPECT_NEAR(sum[1], 0, 1e-12);
    for (std::size_t j = 0; j < places.size(); ++j) {
        const double y = frames[j].y + static_cast<double>(frames[j].frac_y);
        EXPECT_NEAR(y, places[j].origin[0] + places[j].shift[0], 1e-6);
        EXPECT_LE(std::abs(frames[j].frac_y), 0.5F);
    }
}

TEST(MoveFrames, KeepsAShareOfTheJitter) {
    const double matrix[2][2] = {{0.01, 0.002}, {0.002, 0.03}};
    MovedScan scan(matrix, 1);
    const rules::PositionModel model = scan.model();
    for (const double share : {0.0, 0.25, 1.0}) {
        scan.args.keep_jitter = share;
        const auto places = scan.move().places;
        for (std::size_t j = 0; j < places.size(); ++j) {
            const double explained =
                model.matrix[1][0] * places[j].from_centre[0] + model.matrix[1][1] * places[j].from_centre[1];
            const double jitter = scan.places[j].velocity[1] - model.mean[1] - explained;
            EXPECT_NEAR(places[j].shift[1], explained + share * jitter, 1e-13);
        }
    }
}

TEST(MoveFrames, StaysWithinTheLargestShift) {
    const double matrix[2][2] = {{0, 0}, {0, 0}};
    MovedScan scan(matrix, 3);
    scan.args.max_shift_px = 2;
    double largest = 0;
    for (const FramePlace& place : scan.move().places) largest = std::max(largest, std::abs(place.shift[0]));
    EXPECT_EQ(largest, 2);
}

TEST(MoveFrames, DoesNothingOnceStopped) {
    const double matrix[2][2] = {{0.01, 0}, {0, 0.01}};
    const MovedScan scan(matrix, 1);
    IterationState stopped;
    stopped.stopped = 1;
    const Data total = data_of_one(scan.sums), state = data_of_one(stopped), at = data_of(scan.places);
    const Data frames = data_of(std::vector<FramePosition>(scan.places.size(), {1, 2, 0.25F, -0.25F}));
    move_frames.submit(scan.args, {&total, &state, &at, &frames});
    EXPECT_EQ(content<FramePlace>(at, 1).front().shift[0], 0);
    EXPECT_EQ(content<FramePosition>(frames, 1).front().y, 1);
    EXPECT_EQ(content<FramePlace>(at, 1).front().velocity[0], scan.places.front().velocity[0]);
}

}  // namespace
}  // namespace tessera::test
