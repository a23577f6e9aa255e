#pragma once

#include <cmath>

#include "codelets/layout.hpp"
#include "codelets/refine_positions.hpp"
#include "codelets/search_positions.hpp"
#include "scan/positions.hpp"

// How positions move: one text for all devices, in double.
namespace tessera::rules {

// What the shifts of all frames have in common, u = mean + sum_i parameter_i E_i c of a frame c away from the
// middle of the scan. E, rows and columns (y, x):
//   scale [[1, 0], [0, 1]]        asymmetry [[1/2, 0], [0, -1/2]]
//   rotation [[0, 1], [-1, 0]]    shear [[0, 1/2], [1/2, 0]]
// Together they are every linear map.
struct PositionModel {
    double mean[2] = {0, 0};
    double parameters[4] = {0, 0, 0, 0};  // scale, asymmetry, rotation (rad), shear (rad)
    double matrix[2][2] = {{0, 0}, {0, 0}};
};

TESSERA_HD void position_basis(int i, double (&e)[2][2]) {
    const double diagonal = i == 0 ? 1 : i == 1 ? 0.5 : 0, other = i == 2 ? 1 : i == 3 ? 0.5 : 0;
    e[0][0] = diagonal;
    e[1][1] = i == 1 ? -diagonal : diagonal;
    e[0][1] = other;
    e[1][0] = i == 2 ? -other : other;
}

// x = A^-1 b in place of b, of a positive definite A; by elimination, which needs no pivots then.
TESSERA_HD void solve(double (&a)[4][4], double (&b)[4]) {
    for (int i = 0; i < 4; ++i) {
        for (int j = i + 1; j < 4; ++j) {
            const double factor = a[j][i] / a[i][i];
            for (int k = i; k < 4; ++k) a[j][k] -= factor * a[i][k];
            b[j] -= factor * b[i];
        }
    }
    for (int i = 3; i >= 0; --i) {
        for (int k = i + 1; k < 4; ++k) b[i] -= a[i][k] * b[k];
        b[i] /= a[i][i];
    }
}

// Least squares. A line of frames does not tell all parameters apart: then the smallest that fit.
TESSERA_HD PositionModel fit_positions(const double (&moments)[6], const ScanMoments& scan,
                                       const bool (&has)[4]) {
    PositionModel model;
    for (int axis = 0; axis < 2; ++axis) model.mean[axis] = moments[axis] / scan.num_frames;
    const double spread[2][2] = {{scan.yy, scan.yx}, {scan.yx, scan.xx}};
    const double ridge = 1e-9 * (scan.yy + scan.xx) + 1e-30;
    double normal[4][4], right[4];
    for (int i = 0; i < 4; ++i) {
        double ei[2][2];
        position_basis(i, ei);
        right[i] = 0;
        for (int a = 0; a < 2; ++a)
            for (int b = 0; b < 2; ++b) right[i] += ei[a][b] * moments[2 + 2 * a + b];
        for (int j = 0; j < 4; ++j) {
            double ej[2][2];
            position_basis(j, ej);
            normal[i][j] = i == j ? ridge : 0;
            for (int a = 0; a < 2; ++a)
                for (int b = 0; b < 2; ++b)
                    for (int c = 0; c < 2; ++c) normal[i][j] += ei[a][b] * ej[a][c] * spread[b][c];
            if (!has[i] || !has[j]) normal[i][j] = i == j ? 1 : 0;
        }
        if (!has[i]) right[i] = 0;
    }
    solve(normal, right);
    for (int i = 0; i < 4; ++i) {
        double e[2][2];
        position_basis(i, e);
        model.parameters[i] = right[i];
        for (int a = 0; a < 2; ++a)
            for (int b = 0; b < 2; ++b) model.matrix[a][b] += right[i] * e[a][b];
    }
    return model;
}

// Damped, so that a frame that hardly sees one direction does not run away along it; `beside`: of the shift
// from what the model explains. 0 where it is not finite.
TESSERA_HD void gauss_newton_step(const PositionDerivatives& d, double kappa, const double (&beside)[2],
                                  double (&step)[2]) {
    constexpr double damping = 0.1;
    const double raised = kappa + damping * 0.5 * (d.curvature[0] + d.curvature[2]);
    const double yy = d.curvature[0] + raised, xx = d.curvature[2] + raised, yx = d.curvature[1];
    const double g_y = d.gradient[0] + kappa * beside[0], g_x = d.gradient[1] + kappa * beside[1];
    const double determinant = yy * xx - yx * yx;
    step[0] = (yx * g_x - xx * g_y) / determinant;
    step[1] = (yx * g_y - yy * g_x) / determinant;
    const double sum = step[0] + step[1];
    if (determinant > 0 && sum - sum == 0) return;
    step[0] = 0;
    step[1] = 0;
}

TESSERA_HD void limit_length(double (&v)[2], double most) {
    const double length = ::sqrt(v[0] * v[0] + v[1] * v[1]);
    if (!(length > most)) return;
    v[0] *= most / length;
    v[1] *= most / length;
}

TESSERA_HD void plan_move(const PlanMovesArgs& args, double mean_curvature,
                          const PositionDerivatives& derivatives, FramePlace& place) {
    const double beside[2] = {place.shift[0] - place.explained[0], place.shift[1] - place.explained[1]};
    double step[2];
    gauss_newton_step(derivatives, args.model_weight * mean_curvature, beside, step);
    for (int axis = 0; axis < 2; ++axis) {
        // The derivatives are those of where the window was read, with `nearest` not quite where it is.
        const double here = place.origin[axis] + place.shift[axis];
        const WholeAndRest read = split_position(here, args.interpolation);
        const double from_here = read.whole + static_cast<double>(read.rest) - here;
        place.velocity[axis] = args.momentum * place.velocity[axis] + args.step_size * step[axis] + from_here;
    }
    limit_length(place.velocity, args.max_step_px);
}

// What a planned move adds to the sums.
TESSERA_HD void add_plan(const PositionDerivatives& derivatives, const FramePlace& place, BatchSums& sums) {
    sums.position_curvature += 0.5 * (derivatives.curvature[0] + derivatives.curvature[2]);
    for (int axis = 0; axis < 2; ++axis) {
        const double u = place.shift[axis] + place.velocity[axis];
        sums.position_moments[axis] += u;
        sums.position_moments[2 + 2 * axis] += u * place.from_centre[0];
        sums.position_moments[3 + 2 * axis] += u * place.from_centre[1];
    }
}

TESSERA_HD void note_position_curvature(const NotePositionCurvatureArgs& args, const BatchSums& sums,
                                        IterationState& state) {
    if (state.stopped == 0) state.position_curvature = sums.position_curvature / args.num_frames;
}

TESSERA_HD PositionModel model_of(const MoveFramesArgs& args, const BatchSums& sums) {
    const bool has[4] = {args.has_scale != 0, args.has_asymmetry != 0, args.has_rotation != 0,
                         args.has_shear != 0};
    return fit_positions(sums.position_moments, args.scan, has);
}

TESSERA_HD FramePosition position_of(const FramePlace& place, Interpolation interpolation) {
    const WholeAndRest y = split_position(place.origin[0] + place.shift[0], interpolation),
                       x = split_position(place.origin[1] + place.shift[1], interpolation);
    return {static_cast<std::int32_t>(y.whole), static_cast<std::int32_t>(x.whole), y.rest, x.rest};
}

TESSERA_HD void move_frame(const MoveFramesArgs& args, const PositionModel& model, FramePlace& place,
                           FramePosition& position) {
    for (int axis = 0; axis < 2; ++axis) {
        const double u = place.shift[axis] + place.velocity[axis] - model.mean[axis];
        place.explained[axis] =
            model.matrix[axis][0] * place.from_centre[0] + model.matrix[axis][1] * place.from_centre[1];
        const double jitter = u - place.explained[axis];
        const double wanted = u - (1 - args.keep_jitter) * jitter;
        place.shift[axis] = ::fmin(::fmax(wanted, -args.max_shift_px), args.max_shift_px);
    }
    position = position_of(place, args.interpolation);
}

// ---- search_positions

// The places that a frame is tried at: 0 is where the model has it, the others around that.
TESSERA_HD void tried_shift(const SearchPositionsArgs& args, const FramePlace& place, int number,
                            double (&shift)[2]) {
    for (int axis = 0; axis < 2; ++axis) {
        const double offset = number == 0 ? 0 : args.offsets_px[number - 1][axis];
        shift[axis] = ::fmin(::fmax(place.explained[axis] + offset, -args.max_shift_px), args.max_shift_px);
    }
}

TESSERA_HD FoundPlace begin_search(const SearchPositionsArgs& args, double squared_error,
                                   const IterationState& state) {
    FoundPlace found;
    found.squared_error = squared_error;
    const bool is_suspicious =
        squared_error * args.num_frames_in_scan > args.suspicious_error * state.squared_error;
    found.is_suspicious = state.stopped == 0 && is_suspicious ? 1 : 0;
    return found;
}

TESSERA_HD void keep_better(const SearchPositionsArgs& args, const FramePlace& place, int number,
                            double squared_error, FoundPlace& found) {
    if (found.is_suspicious == 0 || !(squared_error < found.squared_error)) return;
    found.squared_error = squared_error;
    found.is_elsewhere = 1;
    tried_shift(args, place, number, found.shift);
}

TESSERA_HD FramePosition tried_position(const SearchPositionsArgs& args, const FramePlace& place,
                                        int number) {
    FramePlace there = place;
    tried_shift(args, place, number, there.shift);
    return position_of(there, args.shape.interpolation);
}

TESSERA_HD void put_frame(const FoundPlace& found, Interpolation interpolation, FramePlace& place,
                          FramePosition& position) {
    if (found.is_elsewhere == 0) return;
    for (int axis = 0; axis < 2; ++axis) {
        place.shift[axis] = found.shift[axis];
        place.velocity[axis] = 0;
    }
    position = position_of(place, interpolation);
}

}  // namespace tessera::rules
