#pragma once

#include <cmath>

#include "codelets/iteration_rules.hpp"
#include "codelets/variable_probe.hpp"
#include "math/hermitian.hpp"

// What is decided about the lights of frames: one text for all devices, in double.
namespace tessera::rules {

TESSERA_HD cdouble in_double(cfloat z) {
    return {static_cast<double>(z.re), static_cast<double>(z.im)};
}
TESSERA_HD cfloat in_single(cdouble z) {
    return {static_cast<float>(z.re), static_cast<float>(z.im)};
}
TESSERA_HD cfloat weight_of(const float* light, int i) {
    return {light[1 + 2 * i], light[2 + 2 * i]};
}

// Of one frame's cost by its light.
struct LightEquations {
    double gradient[max_light_size] = {};
    double curvature[max_light_size][max_light_size] = {};  // the lower triangle
};

// A damped Gauss-Newton step of the first n numbers, by a Cholesky decomposition in place; 0 where it is not
// finite. Amplitudes are at most halved.
TESSERA_HD void light_step(LightEquations& e, int n, bool has_intensity, double amplitude, double* step) {
    constexpr double damping = 0.01;
    auto& c = e.curvature;
    for (int a = 0; a < n; ++a) {
        const bool is_fixed = a == 0 && !has_intensity;
        if (is_fixed) e.gradient[0] = 0;
        for (int b = 0; b < a; ++b) c[a][b] = b == 0 && !has_intensity ? 0 : c[a][b];
        c[a][a] = is_fixed ? 1 : c[a][a] * (1 + damping);
        if (!(c[a][a] > 0)) c[a][a] = 1;  // nothing depends on it
    }
    double sum = 0;
    for (int a = 0; a < n; ++a) {
        for (int b = 0; b <= a; ++b) {
            double value = c[a][b];
            for (int i = 0; i < b; ++i) value -= c[a][i] * c[b][i];
            c[a][b] = a == b ? ::sqrt(value) : value / c[b][b];
        }
        step[a] = -e.gradient[a];
        for (int i = 0; i < a; ++i) step[a] -= c[a][i] * step[i];
        step[a] /= c[a][a];
    }
    for (int a = n - 1; a >= 0; --a) {
        for (int i = a + 1; i < n; ++i) step[a] -= c[i][a] * step[i];
        step[a] /= c[a][a];
        sum += step[a];
    }
    const double most = 0.5 * amplitude, change = ::fabs(step[0]);
    const double factor = !is_finite(sum) ? 0 : change > most ? most / change : 1;
    for (int a = 0; a < n; ++a) step[a] = factor == 0 ? 0 : factor * step[a];
}

TESSERA_HD double light_slope(const double* gradient, const double* step, int n) {
    double slope = 0;
    for (int a = 0; a < n; ++a) slope += gradient[a] * step[a];
    return 0.5 * slope;  // accepted_step() is told half the derivative
}

// The steps tried are 1/128 ... 1 of the whole one.
inline constexpr double light_ladder_centre = 0.125;
TESSERA_HD float light_trial_step(int i) {
    return ::ldexpf(static_cast<float>(light_ladder_centre), i - static_cast<int>(num_trials) / 2);
}

// ---- update_opr_modes

// Sums over all frames of what update_opr_modes needs beside pixels.
struct LightMoments {
    cdouble mean[max_opr_modes];
    cdouble second[max_opr_modes * max_opr_modes];
};
TESSERA_HD LightMoments light_moments(const cfloat* sums, int n, double num_frames) {
    LightMoments m = {};
    for (int i = 0; i < n; ++i) m.mean[i] = (1 / num_frames) * in_double(sums[i]);
    for (int i = 0; i < n * n; ++i) m.second[i] = in_double(sums[n + i]);
    for (int i = 0; i < n; ++i) {  // Hermitian to the last bit
        m.second[i * n + i].im = 0;
        for (int l = 0; l < i; ++l) m.second[i * n + l] = conj(m.second[l * n + i]);
    }
    return m;
}

// num_frames W^-1, damped: how the gradients of all eigen-probes make the step of each. 0 of those that no
// frame has.
TESSERA_HD void opr_steps(const LightMoments& m, int n, double num_frames, cdouble* inverse) {
    constexpr double damping = 0.05;
    cdouble a[max_opr_modes * max_opr_modes];
    for (int i = 0; i < n; ++i) {
        const bool is_used = m.second[i * n + i].re > 0;
        for (int l = 0; l < n; ++l) {
            const bool both = is_used && m.second[l * n + l].re > 0;
            a[i * n + l] = both ? m.second[i * n + l] : cdouble{0, 0};
            inverse[i * n + l] = {i == l && is_used ? num_frames : 0.0, 0};
        }
        a[i * n + i] = {is_used ? (1 + damping) * m.second[i * n + i].re : 1.0, 0};
    }
    for (int p = 0; p < n; ++p) {  // Gauss and Jordan; positive definite: no pivots
        const double diagonal = 1 / a[p * n + p].re;
        for (int l = 0; l < n; ++l) {
            a[p * n + l] = diagonal * a[p * n + l];
            inverse[p * n + l] = diagonal * inverse[p * n + l];
        }
        for (int i = 0; i < n; ++i) {
            if (i == p) continue;
            const cdouble factor = a[i * n + p];
            for (int l = 0; l < n; ++l) {
                a[i * n + l] = a[i * n + l] - factor * a[p * n + l];
                inverse[i * n + l] = inverse[i * n + l] - factor * inverse[p * n + l];
            }
        }
    }
}

// Of a pixel where the object has so much of its largest power: bounded as a preconditioner is.
template <class Real>
TESSERA_HD Real opr_step_factor(Real step_size, Real power, Real largest) {
    constexpr Real regularisation = static_cast<Real>(0.1);
    const Real weight = (1 - regularisation) * power + regularisation * largest;
    return weight > 0 ? step_size / weight : Real{0};
}

inline constexpr int max_mixed = max_opr_modes + 1;
// What becomes of P_0 and the eigen-probes: (new, old), P_0 first; and of further modes.
struct OprMixing {
    cdouble matrix[max_mixed * max_mixed];
    double amplitude = 1;
};

// <u, v> of combinations of P_0 and eigen-probes, whose Gram matrix (n + 1, n + 1) is given.
TESSERA_HD cdouble product_of(const cdouble* u, const cdouble* v, const cdouble* gram, int n) {
    cdouble sum = {0, 0};
    for (int a = 0; a <= n; ++a)
        for (int b = 0; b <= n; ++b) sum = sum + conj(u[a]) * (v[b] * gram[a * (n + 1) + b]);
    return sum;
}

// Mean weights into P_0, and without what is along it: the rows of `mixing`.
TESSERA_HD void centre_modes(const LightMoments& m, const cdouble* gram, int n, bool has_intensity,
                             cdouble* mixing) {
    const int size = n + 1;
    for (int i = 0; i < size * size; ++i) mixing[i] = {i % (size + 1) == 0 ? 1.0 : 0.0, 0};
    for (int i = 0; i < n; ++i) mixing[1 + i] = m.mean[i];
    if (!has_intensity) return;
    const double power = product_of(mixing, mixing, gram, n).re;
    for (int i = 1; i <= n && power > 0; ++i) {
        const cdouble along = (1 / power) * product_of(mixing, mixing + i * size, gram, n);
        for (int a = 0; a < size; ++a) mixing[i * size + a] = mixing[i * size + a] - along * mixing[a];
    }
}

// Orthonormal modes: E' = Lambda^-1/2 V B of the rows B of `mixing`; and the weights that go with them,
// w' = `weights` w, weights = Lambda^1/2 conj(V).
TESSERA_HD void orthonormalize(const cdouble* gram, int n, cdouble* mixing, cdouble* weights) {
    const int size = n + 1;
    cdouble v[max_opr_modes * max_opr_modes], vectors[max_opr_modes * max_opr_modes];
    cdouble before[max_opr_modes * max_opr_modes], rows[max_mixed * max_mixed];
    int order[max_opr_modes];
    for (int i = 0; i < n; ++i) {
        for (int l = 0; l < n; ++l)
            v[i * n + l] = product_of(mixing + (1 + i) * size, mixing + (1 + l) * size, gram, n);
    }
    for (int i = 0; i < n; ++i) {
        v[i * n + i].im = 0;
        for (int l = 0; l < i; ++l) v[i * n + l] = conj(v[l * n + i]);
    }
    for (int i = 0; i < n * n; ++i) before[i] = v[i];
    mixing_of_gram(v, vectors, order, n);
    for (int i = 0; i < n; ++i) {
        double power = 0;
        for (int a = 0; a < n; ++a)
            for (int b = 0; b < n; ++b) power += (conj(v[i * n + a]) * (v[i * n + b] * before[a * n + b])).re;
        const double root = ::sqrt(power > 0 ? power : 0.0), inverse = root > 0 ? 1 / root : 0.0;
        for (int l = 0; l < n; ++l) weights[i * n + l] = root * conj(v[i * n + l]);
        for (int a = 0; a < size; ++a) {
            cdouble sum = {0, 0};
            for (int l = 0; l < n; ++l) sum = sum + v[i * n + l] * mixing[(1 + l) * size + a];
            rows[i * size + a] = inverse * sum;
        }
    }
    for (int i = 0; i < n * size; ++i) mixing[size + i] = rows[i];
}

// The weights' second moments diagonal, by falling power: w' = Q w, E' = conj(Q) E.
TESSERA_HD void diagonalize_weights(const LightMoments& m, double num_frames, int n, cdouble* mixing,
                                    cdouble* weights) {
    const int size = n + 1;
    cdouble q[max_opr_modes * max_opr_modes], vectors[max_opr_modes * max_opr_modes];
    cdouble turned[max_opr_modes * max_opr_modes], rows[max_mixed * max_mixed];
    int order[max_opr_modes];
    for (int i = 0; i < n; ++i) {
        for (int l = i; l < n; ++l) {
            cdouble sum = {0, 0};
            for (int a = 0; a < n; ++a) {
                for (int b = 0; b < n; ++b) {
                    const cdouble centred = m.second[a * n + b] - num_frames * (conj(m.mean[a]) * m.mean[b]);
                    sum = sum + conj(weights[i * n + a]) * (weights[l * n + b] * centred);
                }
            }
            q[i * n + l] = sum;
            q[l * n + i] = conj(sum);
        }
        q[i * n + i].im = 0;
    }
    mixing_of_gram(q, vectors, order, n);
    for (int i = 0; i < n; ++i) {
        for (int l = 0; l < n; ++l) {
            cdouble sum = {0, 0};
            for (int a = 0; a < n; ++a) sum = sum + q[i * n + a] * weights[a * n + l];
            turned[i * n + l] = sum;
        }
        for (int a = 0; a < size; ++a) {
            cdouble sum = {0, 0};
            for (int l = 0; l < n; ++l) sum = sum + conj(q[i * n + l]) * mixing[(1 + l) * size + a];
            rows[i * size + a] = sum;
        }
    }
    for (int i = 0; i < n * size; ++i) mixing[size + i] = rows[i];
    for (int i = 0; i < n * n; ++i) weights[i] = turned[i];
}

// `gram`: of P_0 and the eigen-probes after their step.
TESSERA_HD void turn_model(const UpdateOprModesArgs& args, const BatchSums& sums, const LightMoments& m,
                           const cdouble* gram, OprMixing& mixing, LightTurn& turn) {
    const int n = args.num_opr_modes;
    const bool has_intensity = args.has_intensity != 0;
    const double squared = sums.intensity / args.num_frames;
    turn.amplitude = has_intensity && squared > 0 && is_finite(squared) ? ::sqrt(squared) : 1.0;
    mixing.amplitude = turn.amplitude;
    if (n > 0) {
        centre_modes(m, gram, n, has_intensity, mixing.matrix);
        orthonormalize(gram, n, mixing.matrix, turn.matrix);
        diagonalize_weights(m, args.num_frames, n, mixing.matrix, turn.matrix);
    } else {
        mixing.matrix[0] = {1, 0};
    }
    // The amplitude: of P_0, and of weights, as eigen-probes are of power 1.
    for (int a = 0; a <= n; ++a) mixing.matrix[a] = turn.amplitude * mixing.matrix[a];
    for (int i = 0; i < n; ++i) turn.mean[i] = m.mean[i];
    for (int i = 0; i < n * n; ++i) turn.matrix[i] = turn.amplitude * turn.matrix[i];
}

TESSERA_HD void turn_light(const LightTurn& turn, int n, float* light) {
    cdouble centred[max_opr_modes];
    for (int i = 0; i < n; ++i) centred[i] = in_double(weight_of(light, i)) - turn.mean[i];
    light[0] = static_cast<float>(static_cast<double>(light[0]) / turn.amplitude);
    for (int i = 0; i < n; ++i) {
        cdouble sum = {0, 0};
        for (int l = 0; l < n; ++l) sum = sum + turn.matrix[i * n + l] * centred[l];
        light[1 + 2 * i] = static_cast<float>(sum.re);
        light[2 + 2 * i] = static_cast<float>(sum.im);
    }
}

// What a frame adds to the moments.
TESSERA_HD void add_light(const float* light, int n, double& intensity, LightMoments& m) {
    intensity += static_cast<double>(light[0]) * static_cast<double>(light[0]);
    for (int i = 0; i < n; ++i) {
        const cdouble w = in_double(weight_of(light, i));
        m.mean[i] = m.mean[i] + w;
        for (int l = 0; l < n; ++l)
            m.second[i * n + l] = m.second[i * n + l] + conj(w) * in_double(weight_of(light, l));
    }
}
TESSERA_HD void set_moments(const LightMoments& m, int n, cfloat* to) {
    for (int i = 0; i < n; ++i) to[i] = in_single(m.mean[i]);
    for (int i = 0; i < n * n; ++i) to[n + i] = in_single(m.second[i]);
}

}  // namespace tessera::rules
