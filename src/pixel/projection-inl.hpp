// Included into a namespace per backend by pixel/formulas.hpp and pixel/simd_formulas-inl.hpp; no include
// guard.
//
// The projections of DM, RAAR and AP (tasks/dm.cpp), pixel by pixel.

// The Fourier projection: how far the amplitude of a detector pixel is from the measured one, a =
// sqrt(max(d - b, 0)), and what its far fields are multiplied with to have it. Pixels with m = 0 stay.
//   quotient = a / sqrt(I+e), 1 where m = 0;   squared = m (sqrt(I+e) - a)^2
template <class Real>
struct ModulusError {
    Real quotient;
    Real squared;
};
template <class Real>
TESSERA_HD ModulusError<Real> modulus_error(Real intensity, Real counts, Real background, Real mask,
                                            Real epsilon, Real none, Real one) {
    const Real regular = intensity + epsilon;
    const Real inverse_modulus = inverse_square_root(regular);
    const Real measured = square_root(maximum(counts - background, none));
    const Real difference = fma(regular, inverse_modulus, -measured);
    return {fma(mask, fma(measured, inverse_modulus, -one), one), mask * difference * difference};
}

// Psi <- Psi (a + (sqrt(I) - a) share) / sqrt(I): `share` of the error stays.
template <class Real>
TESSERA_HD Real relaxed_modulus_factor(Real quotient, Real share, Real one) {
    return fma(one - share, quotient, share);
}

// The overlap projection: x + sum conj(y) (psi - x y) / (sum |y|^2 + inertia), which is
// (sum conj(y) psi + inertia x) / (sum |y|^2 + inertia) where positions are whole pixels.
template <class Real>
TESSERA_HD Complex<Real> overlap_update(Complex<Real> value, Complex<Real> numerator, Real weight,
                                        Real inertia) {
    return scale_add(reciprocal(weight + inertia), numerator, value);
}

// An amplitude between `least` and `most`; 0 stays 0.
template <class Real>
TESSERA_HD Complex<Real> clip_amplitude(Complex<Real> value, Real least, Real most, Real tiny) {
    const Real inverse_amplitude = inverse_square_root(norm(value) + tiny);
    const Real amplitude = norm(value) * inverse_amplitude;
    return minimum(maximum(amplitude, least), most) * inverse_amplitude * value;
}
