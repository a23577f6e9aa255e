// Included into a namespace per backend by pixel/formulas.hpp and pixel/simd_formulas-inl.hpp; no include
// guard.
//
// What is known of an object's transmission, pixel by pixel (codelets/limit_object.hpp, smooth_object.hpp).

// Amplitudes from `least` to `most`, phases from that of `from` on to that of `to`, both of modulus 1; `wide`
// is above 0 where that is more than half a turn.
template <class Real>
struct TransmissionLimits {
    Real least, most;
    Complex<Real> from, to;
    Real wide;
};

// > 0 where b lies to the left of a, less than half a turn away.
template <class Real>
TESSERA_HD Real turn_between(Complex<Real> a, Complex<Real> b) {
    return fma(a.re, b.im, -(a.im * b.re));
}

// The phase goes to the nearer limit, then the amplitude to its own. What is within limits stays as it is, to
// the last bit, and 0 stays 0.
template <class Real>
TESSERA_HD Complex<Real> limited_transmission(Complex<Real> value, const TransmissionLimits<Real>& limits,
                                              Real tiny, Real one) {
    const Real behind_from = turn_between(limits.from, value), before_to = turn_between(value, limits.to);
    const Real inside =
        where_positive(limits.wide, maximum(behind_from, before_to), minimum(behind_from, before_to));
    const Real power = norm(value);
    const Real inverse_amplitude = inverse_square_root(power + tiny);
    const Real amplitude = power * inverse_amplitude;
    const Real nearer = dot(value, limits.from) - dot(value, limits.to);
    const Complex<Real> limit = {where_positive(nearer, limits.from.re, limits.to.re),
                                 where_positive(nearer, limits.from.im, limits.to.im)};
    const Complex<Real> turned = {where_positive(-inside, amplitude * limit.re, value.re),
                                  where_positive(-inside, amplitude * limit.im, value.im)};
    const Real factor =
        where_positive(amplitude - limits.most, limits.most * inverse_amplitude,
                       where_positive(limits.least - amplitude, limits.least * inverse_amplitude, one));
    return factor * turned;
}

// Total variation: the dual field p of a pixel, one component an axis, |p| <= 1.
template <class Real>
struct DualPixel {
    Complex<Real> y, x;
};

// p <- P(p + step grad u), P to the unit ball; grad by the pixels below and to the right.
template <class Real>
TESSERA_HD DualPixel<Real> dual_step(DualPixel<Real> p, Complex<Real> here, Complex<Real> below,
                                     Complex<Real> right, Real step, Real one) {
    const Complex<Real> y = scale_add(step, below - here, p.y), x = scale_add(step, right - here, p.x);
    const Real factor = inverse_square_root(maximum(norm_add(y, norm(x)), one));
    return {factor * y, factor * x};
}

// u = f + weight div p; `above`, `left`: the components of the pixels there.
template <class Real>
TESSERA_HD Complex<Real> primal_of(Complex<Real> before, DualPixel<Real> p, Complex<Real> above,
                                   Complex<Real> left, Real weight) {
    return scale_add(weight, (p.y - above) + (p.x - left), before);
}

// A share of the way to the mean of the eight neighbours; `eighth_share`: an eighth of it.
template <class Real>
TESSERA_HD Complex<Real> smoothed(Complex<Real> here, Complex<Real> sum_of_neighbours, Real eighth_share,
                                  Real one_minus_share) {
    return scale_add(eighth_share, sum_of_neighbours, one_minus_share * here);
}
