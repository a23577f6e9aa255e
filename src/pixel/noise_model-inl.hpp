// Included into a namespace per backend by pixel/formulas.hpp and pixel/simd_formulas-inl.hpp; no include
// guard.
//
// The noise models: what one detector pixel contributes to the cost f and what its far field is multiplied
// with to give the Wirtinger derivative, df/dPsi* = factor * Psi (df = 2 Re<g, delta>).
//   I          sum over modes of |Psi_k|^2 + background, in counts
//   d          measured counts
//   m          1: use the pixel, 0: ignore it
//   epsilon    keeps roots and quotients finite where I vanishes
// amplitude: f = m (sqrt(I+e) - sqrt(d))^2     factor = m (1 - sqrt(d) / sqrt(I+e))   (Thibault 2012, eq. 6)
// poisson:   f = m (I - d + d log(d/(I+e)))    factor = m (1 - d / (I+e))             (Thibault 2012, eq. 3)
// gaussian:  f = m (I - d)^2 / (2 (d+1))       factor = m (I - d) / (d+1)             (Thibault 2012, eq. 5)

// What m becomes where counts from `saturated_from` on say only "at least so many": 0 where the model has as
// much or more, m where it has less. Where they meet cost and derivative are 0, up to epsilon.
template <class Real>
TESSERA_HD Real one_sided_mask(Real intensity, Real counts, Real mask, Real saturated_from, Real none) {
    return where_less(counts, saturated_from, mask, where_less(intensity, counts, mask, none));
}

template <class Real>
struct Misfit {
    Real cost;
    Real factor;
};

template <class Real>
TESSERA_HD Misfit<Real> amplitude_misfit(Real intensity, Real counts, Real mask, Real epsilon, Real one) {
    const Real regular = intensity + epsilon;
    const Real inverse_modulus = inverse_square_root(regular);
    const Real measured = square_root(counts);
    const Real difference = fma(regular, inverse_modulus, -measured);
    return {mask * difference * difference, mask * fma(-measured, inverse_modulus, one)};
}

template <class Real>
TESSERA_HD Misfit<Real> poisson_misfit(Real intensity, Real counts, Real mask, Real epsilon, Real one) {
    const Real inverse = reciprocal(intensity + epsilon);
    // log(d / (I+e)) = log(1 + t): near a good fit its first order cancels against I - d, so it has to be
    // accurate there.
    const Real excess = ((counts - intensity) - epsilon) * inverse;
    // 0 log 0 = 0, and so it is for counts that are too few to be told from none.
    const Real information = counts * logarithm_of_one_plus(where_positive(one + excess, excess, one));
    return {mask * ((intensity - counts) + information), mask * fma(-counts, inverse, one)};
}

// Of a far field that moves along its own derivative, Psi - s factor Psi, at s = 1/2, the best s near a good
// fit: half the poisson cost's fall and half its curvature, to be summed over a frame. Not at s = 0, where
// pixels with more counts than light would decide alone.
template <class Real>
struct FallAlong {
    Real fall;
    Real curvature;
};
template <class Real>
TESSERA_HD FallAlong<Real> poisson_fall_along(Real intensity, Real counts, Real factor, Real half, Real one) {
    const Real moved = fma(-half, factor, one);  // of the modulus; at least 1/2
    const Real weight = factor * reciprocal(moved);
    return {fma(factor * moved, intensity, -(counts * weight)),
            fma(factor * factor, intensity, counts * weight * weight)};
}
// The Newton step from there, from the sums.
TESSERA_HD double poisson_step(double fall, double curvature) {
    const double step = curvature > 0 ? 0.5 + fall / curvature : 0.5;
    return step > 1 ? 1 : step > 0 ? step : 0;
}

template <class Real>
TESSERA_HD Misfit<Real> gaussian_misfit(Real intensity, Real counts, Real mask, Real half, Real one) {
    const Real inverse_variance = reciprocal(counts + one);
    const Real difference = intensity - counts;
    const Real factor = mask * difference * inverse_variance;
    return {half * factor * difference, factor};
}

// The square of the amplitude difference, the numerator of the data error, whatever the noise model.
template <class Real>
TESSERA_HD Real amplitude_error(Real intensity, Real counts, Real mask) {
    const Real difference = square_root(intensity) - square_root(counts);
    return mask * difference * difference;
}

// The Gauss-Newton curvature of the cost over the intensity: with dI linear in what moves,
//   f(I + dI) = f + factor dI + curvature dI^2 / 2.
template <class Real>
TESSERA_HD Real amplitude_curvature(Real intensity, Real mask, Real epsilon, Real half) {
    return half * mask * reciprocal(intensity + epsilon);
}
template <class Real>
TESSERA_HD Real poisson_curvature(Real intensity, Real mask, Real epsilon) {
    return mask * reciprocal(intensity + epsilon);
}
template <class Real>
TESSERA_HD Real gaussian_curvature(Real counts, Real mask, Real one) {
    return mask * reciprocal(counts + one);
}
