// Included into a namespace per backend by pixel/formulas.hpp and pixel/simd_formulas-inl.hpp; no include
// guard.
//
// Along a direction (object O + s dO, probe P + s dP) the far field of a thin object is exactly A + s B + s^2
// C, so a pixel's intensity is a polynomial of degree four in the step s, summed over modes.

template <class Real>
struct IntensityPolynomial {
    Real c0, c1, c2, c3, c4;
};

// Adds the mode with far fields a, b, c.
template <class Real>
TESSERA_HD IntensityPolynomial<Real> add_mode(IntensityPolynomial<Real> sum, Complex<Real> a, Complex<Real> b,
                                              Complex<Real> c) {
    const Real ab = dot(a, b);
    const Real ac = dot(a, c);
    const Real bc = dot(b, c);
    return {norm_add(a, sum.c0), sum.c1 + (ab + ab), norm_add(b, sum.c2) + (ac + ac), sum.c3 + (bc + bc),
            norm_add(c, sum.c4)};
}

// The same when only one of object and probe moves: C vanishes.
template <class Real>
TESSERA_HD IntensityPolynomial<Real> add_mode(IntensityPolynomial<Real> sum, Complex<Real> a,
                                              Complex<Real> b) {
    const Real ab = dot(a, b);
    return {norm_add(a, sum.c0), sum.c1 + (ab + ab), norm_add(b, sum.c2), sum.c3, sum.c4};
}

template <class Real>
TESSERA_HD Real intensity_at(IntensityPolynomial<Real> p, Real step) {
    return fma(fma(fma(fma(p.c4, step, p.c3), step, p.c2), step, p.c1), step, p.c0);
}
