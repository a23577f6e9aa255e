#include "scan/orthogonal_modes.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <numeric>
#include <vector>

namespace tessera {
namespace {

using Scalar = std::complex<double>;

// A small dense matrix, row-major.
struct Matrix {
    std::size_t n;
    std::vector<Scalar> values;
    explicit Matrix(std::size_t size) : n(size), values(size * size) {}
    Scalar& operator()(std::size_t i, std::size_t j) { return values[i * n + j]; }
    const Scalar& operator()(std::size_t i, std::size_t j) const { return values[i * n + j]; }
};

Matrix gram_matrix(const Array<cfloat, 3>& probe) {
    const auto n = static_cast<std::size_t>(probe.extent(0));
    Matrix gram(n);
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j < n; ++j) {
            const auto a = probe.slice(static_cast<std::ptrdiff_t>(i)),
                       b = probe.slice(static_cast<std::ptrdiff_t>(j));
            for (std::ptrdiff_t r = 0; r < a.size(); ++r) {
                gram(i, j) += std::conj(Scalar(a[r].re, a[r].im)) * Scalar(b[r].re, b[r].im);
            }
        }
    }
    return gram;
}

double off_diagonal(const Matrix& m) {
    double sum = 0;
    for (std::size_t i = 0; i < m.n; ++i) {
        for (std::size_t j = 0; j < m.n; ++j) sum += i == j ? 0.0 : std::norm(m(i, j));
    }
    return sum;
}

// One Jacobi rotation in the plane (p, q) that makes the Hermitian m(p, q) vanish; v collects the rotations.
void rotate(Matrix& m, Matrix& v, std::size_t p, std::size_t q) {
    const double modulus = std::abs(m(p, q));
    if (modulus == 0) return;
    const Scalar phase = m(p, q) / modulus;
    const double angle = 0.5 * std::atan2(2 * modulus, m(q, q).real() - m(p, p).real());
    const double c = std::cos(angle), s = std::sin(angle);
    // Columns: p' = c p - s conj(phase) q,  q' = s phase p + c q.
    const auto rotate_columns = [&](Matrix& x) {
        for (std::size_t i = 0; i < x.n; ++i) {
            const Scalar a = x(i, p), b = x(i, q);
            x(i, p) = c * a - s * std::conj(phase) * b;
            x(i, q) = s * phase * a + c * b;
        }
    };
    rotate_columns(m);
    rotate_columns(v);
    for (std::size_t j = 0; j < m.n; ++j) {
        const Scalar a = m(p, j), b = m(q, j);
        m(p, j) = c * a - s * phase * b;
        m(q, j) = s * std::conj(phase) * a + c * b;
    }
}

// Eigenvectors of a Hermitian matrix in the columns of the result; `m` becomes diagonal.
Matrix diagonalize(Matrix& m) {
    Matrix vectors(m.n);
    for (std::size_t i = 0; i < m.n; ++i) vectors(i, i) = 1;
    double scale = 0;
    for (std::size_t i = 0; i < m.n; ++i) scale += std::norm(m(i, i));
    for (int sweep = 0; sweep < 50 && off_diagonal(m) > 1e-28 * scale; ++sweep) {
        for (std::size_t p = 0; p < m.n; ++p) {
            for (std::size_t q = p + 1; q < m.n; ++q) rotate(m, vectors, p, q);
        }
    }
    return vectors;
}

}  // namespace

Array<cfloat, 3> orthogonal_modes(const Array<cfloat, 3>& probe) {
    Matrix gram = gram_matrix(probe);
    const Matrix mixing = diagonalize(gram);
    std::vector<std::size_t> order(gram.n);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return gram(a, a).real() > gram(b, b).real(); });
    Array<cfloat, 3> modes(probe.extents());
    for (std::size_t i = 0; i < gram.n; ++i) {
        const auto to = modes.slice(static_cast<std::ptrdiff_t>(i));
        for (std::ptrdiff_t r = 0; r < to.size(); ++r) {
            Scalar sum = 0;
            for (std::size_t j = 0; j < gram.n; ++j) {
                const cfloat value = probe.slice(static_cast<std::ptrdiff_t>(j))[r];
                sum += mixing(j, order[i]) * Scalar(value.re, value.im);
            }
            to[r] = {static_cast<float>(sum.real()), static_cast<float>(sum.imag())};
        }
    }
    return modes;
}

}  // namespace tessera
