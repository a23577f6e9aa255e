#include "scan/orthogonal_modes.hpp"

#include <vector>

#include "math/hermitian.hpp"

namespace tessera {
namespace {

cdouble in_double(cfloat z) {
    return {static_cast<double>(z.re), static_cast<double>(z.im)};
}

}  // namespace

Array<cfloat, 3> orthogonal_modes(const Array<cfloat, 3>& probe) {
    const std::ptrdiff_t n = probe.extent(0);
    const auto size = static_cast<std::size_t>(n);
    std::vector<cdouble> mixing(size * size), vectors(size * size);
    std::vector<int> order(size);
    const auto at = [&](std::ptrdiff_t i, std::ptrdiff_t j) { return static_cast<std::size_t>(i * n + j); };
    for (std::ptrdiff_t i = 0; i < n; ++i) {
        for (std::ptrdiff_t j = 0; j < n; ++j) {
            const auto a = probe.slice(i), b = probe.slice(j);
            for (std::ptrdiff_t r = 0; r < a.size(); ++r)
                mixing[at(i, j)] = conj_mul_add(in_double(a[r]), in_double(b[r]), mixing[at(i, j)]);
        }
    }
    mixing_of_gram(mixing.data(), vectors.data(), order.data(), static_cast<int>(n));
    Array<cfloat, 3> modes(probe.extents());
    for (std::ptrdiff_t i = 0; i < n; ++i) {
        const auto to = modes.slice(i);
        for (std::ptrdiff_t r = 0; r < to.size(); ++r) {
            cdouble sum = {0, 0};
            for (std::ptrdiff_t j = 0; j < n; ++j)
                sum = mul_add(mixing[at(i, j)], in_double(probe.slice(j)[r]), sum);
            to[r] = {static_cast<float>(sum.re), static_cast<float>(sum.im)};
        }
    }
    return modes;
}

std::vector<double> mode_powers(const Array<cfloat, 3>& probe) {
    std::vector<double> powers;
    for (std::ptrdiff_t i = 0; i < probe.extent(0); ++i) {
        double power = 0;
        for (const cfloat value : probe.slice(i)) power = norm_add(in_double(value), power);
        powers.push_back(power);
    }
    return powers;
}

}  // namespace tessera
