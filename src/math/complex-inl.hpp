// No include guard: this text is compiled once per backend, inside the namespace of the file that includes it
// (math/complex.hpp for scalars, math/simd-inl.hpp for each instruction set). `fma` comes from the includer.

// A complex number over any real type: float in arrays and kernels, a SIMD vector in CPU loops, double in
// tests. The layout of Complex<float> is that of float[2], std::complex<float>, fftwf_complex and
// cufftComplex.
template <class Real>
struct Complex {
    Real re;
    Real im;
};

template <class Real>
TESSERA_HD Complex<Real> operator+(Complex<Real> a, Complex<Real> b) {
    return {a.re + b.re, a.im + b.im};
}
template <class Real>
TESSERA_HD Complex<Real> operator-(Complex<Real> a, Complex<Real> b) {
    return {a.re - b.re, a.im - b.im};
}
template <class Real>
TESSERA_HD Complex<Real> operator*(Real s, Complex<Real> a) {
    return {s * a.re, s * a.im};
}
template <class Real>
TESSERA_HD Complex<Real> conj(Complex<Real> a) {
    return {a.re, -a.im};
}

// Products are written with fma so that every backend rounds alike.
template <class Real>
TESSERA_HD Complex<Real> operator*(Complex<Real> a, Complex<Real> b) {
    return {fma(a.re, b.re, -(a.im * b.im)), fma(a.re, b.im, a.im * b.re)};
}
// conj(a) * b
template <class Real>
TESSERA_HD Complex<Real> conj_mul(Complex<Real> a, Complex<Real> b) {
    return {fma(a.re, b.re, a.im * b.im), fma(a.re, b.im, -(a.im * b.re))};
}
// c + a * b
template <class Real>
TESSERA_HD Complex<Real> mul_add(Complex<Real> a, Complex<Real> b, Complex<Real> c) {
    return {fma(-a.im, b.im, fma(a.re, b.re, c.re)), fma(a.im, b.re, fma(a.re, b.im, c.im))};
}
// c + conj(a) * b
template <class Real>
TESSERA_HD Complex<Real> conj_mul_add(Complex<Real> a, Complex<Real> b, Complex<Real> c) {
    return {fma(a.im, b.im, fma(a.re, b.re, c.re)), fma(-a.im, b.re, fma(a.re, b.im, c.im))};
}
// c + s * a, s real
template <class Real>
TESSERA_HD Complex<Real> scale_add(Real s, Complex<Real> a, Complex<Real> c) {
    return {fma(s, a.re, c.re), fma(s, a.im, c.im)};
}
// |a|^2
template <class Real>
TESSERA_HD Real norm(Complex<Real> a) {
    return fma(a.re, a.re, a.im * a.im);
}
// |a|^2 + c
template <class Real>
TESSERA_HD Real norm_add(Complex<Real> a, Real c) {
    return fma(a.re, a.re, fma(a.im, a.im, c));
}
// Re(conj(a) b)
template <class Real>
TESSERA_HD Real dot(Complex<Real> a, Complex<Real> b) {
    return fma(a.re, b.re, a.im * b.im);
}
// Re(conj(a) b) + c
template <class Real>
TESSERA_HD Real dot_add(Complex<Real> a, Complex<Real> b, Real c) {
    return fma(a.re, b.re, fma(a.im, b.im, c));
}
