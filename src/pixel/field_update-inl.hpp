// Included into a namespace per backend by pixel/formulas.hpp and pixel/simd_formulas-inl.hpp; no include
// guard.
//
// What happens to one pixel of the object or of a probe mode in an iteration. `weight` is the illumination
// (object) or the coverage (probe) of the pixel, `weight_max` its maximum over the whole array.

// The preconditioner 1 / ((1 - alpha) w + alpha max w): close to the inverse of the cost's curvature.
template <class Real>
TESSERA_HD Real precondition(Real weight, Real one_minus_alpha, Real alpha_weight_max) {
    return reciprocal(fma(one_minus_alpha, weight, alpha_weight_max));
}

// d = beta d_previous - M g
template <class Real>
TESSERA_HD Complex<Real> conjugate_direction(Complex<Real> direction, Complex<Real> gradient,
                                             Real preconditioner, Real beta) {
    return {fma(beta, direction.re, -(preconditioner * gradient.re)),
            fma(beta, direction.im, -(preconditioner * gradient.im))};
}
