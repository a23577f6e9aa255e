#pragma once

#include <cmath>

#include "math/complex.hpp"

// Eigenvectors of small dense Hermitian matrices, (n, n) row-major, in double: one text for host and devices.
namespace tessera {

TESSERA_HD double off_diagonal_norm(const cdouble* m, int n) {
    double sum = 0;
    for (int i = 0; i < n; ++i) {
        for (int j = 0; j < n; ++j) sum += i == j ? 0.0 : norm(m[i * n + j]);
    }
    return sum;
}

// One Jacobi rotation in the plane (p, q) that makes m(p, q) vanish; v collects the rotations.
TESSERA_HD void rotate_hermitian(cdouble* m, cdouble* v, int n, int p, int q) {
    const double modulus = ::sqrt(norm(m[p * n + q]));
    if (modulus == 0) return;
    const cdouble phase = (1 / modulus) * m[p * n + q];
    const double angle = 0.5 * ::atan2(2 * modulus, m[q * n + q].re - m[p * n + p].re);
    const double c = ::cos(angle), s = ::sin(angle);
    // Columns: p' = c p - s conj(phase) q,  q' = s phase p + c q.
    for (int side = 0; side < 2; ++side) {
        cdouble* x = side == 0 ? m : v;
        for (int i = 0; i < n; ++i) {
            const cdouble a = x[i * n + p], b = x[i * n + q];
            x[i * n + p] = c * a - s * conj_mul(phase, b);
            x[i * n + q] = s * (phase * a) + c * b;
        }
    }
    for (int j = 0; j < n; ++j) {
        const cdouble a = m[p * n + j], b = m[q * n + j];
        m[p * n + j] = c * a - s * (phase * b);
        m[q * n + j] = s * conj_mul(phase, a) + c * b;
    }
}

// `m` becomes diagonal; its eigenvectors are the columns of `vectors`.
TESSERA_HD void diagonalize_hermitian(cdouble* m, cdouble* vectors, int n) {
    double scale = 0;
    for (int i = 0; i < n; ++i) {
        for (int j = 0; j < n; ++j) vectors[i * n + j] = {i == j ? 1.0 : 0.0, 0};
        scale += norm(m[i * n + i]);
    }
    for (int sweep = 0; sweep < 50 && off_diagonal_norm(m, n) > 1e-28 * scale; ++sweep) {
        for (int p = 0; p < n; ++p) {
            for (int q = p + 1; q < n; ++q) rotate_hermitian(m, vectors, n, p, q);
        }
    }
}

// order[i]: the row of the i-th largest number on the diagonal; of equal ones the first comes first.
TESSERA_HD void order_by_diagonal(const cdouble* m, int n, int* order) {
    for (int i = 0; i < n; ++i) {
        int place = i;
        while (place > 0 && m[order[place - 1] * n + order[place - 1]].re < m[i * n + i].re) {
            order[place] = order[place - 1];
            --place;
        }
        order[place] = i;
    }
}

// In place of a Gram matrix <P_i, P_j>, what makes orthogonal modes by falling power of its vectors:
// P'_i = sum_j mixing(i, j) P_j. `vectors`, `order`: room for n * n and n of them.
TESSERA_HD void mixing_of_gram(cdouble* gram, cdouble* vectors, int* order, int n) {
    diagonalize_hermitian(gram, vectors, n);
    order_by_diagonal(gram, n, order);
    for (int i = 0; i < n; ++i) {
        for (int j = 0; j < n; ++j) gram[i * n + j] = vectors[j * n + order[i]];
    }
}

}  // namespace tessera
