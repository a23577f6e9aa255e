#include "codelets/orthogonalize.hpp"

#include "codelets/device/frames.hpp"
#include "math/hermitian.hpp"

namespace tessera {
namespace {

// <P_i, P_j> of one i, a row of the sum for each j.
struct GramProducts {
    static constexpr int num_sums = 2;
    std::int32_t i;
    std::ptrdiff_t area;
    const cfloat* modes;
    TESSERA_HD void operator()(std::int32_t pixel, std::int32_t j, float (&sums)[num_sums]) const {
        const cfloat a = modes[i * area + pixel], b = modes[j * area + pixel];
        const cfloat product = conj_mul(a, b);
        sums[0] += product.re;
        sums[1] += product.im;
    }
};

// The lower half is the upper half's conjugate, whatever the order of the sums.
struct FindMixingScalars {
    std::int32_t n;
    const IterationState* state;
    cdouble* gram;
    cdouble* vectors;
    int* order;
    cfloat* mixing;
    TESSERA_HD void operator()() const {
        if (state->stopped != 0) return;
        for (std::int32_t i = 0; i < n; ++i) {
            for (std::int32_t j = 0; j < i; ++j) gram[i * n + j] = conj(gram[j * n + i]);
            gram[i * n + i].im = 0;
        }
        mixing_of_gram(gram, vectors, order, n);
        for (std::int32_t i = 0; i < n * n; ++i)
            mixing[i] = {static_cast<float>(gram[i].re), static_cast<float>(gram[i].im)};
    }
};

// x: pixel, y: mode.
struct MixModes {
    std::int32_t num_modes;
    std::ptrdiff_t area;
    const cfloat* mixing;
    const cfloat* before;
    const IterationState* state;
    cfloat* modes;
    TESSERA_HD void operator()(std::int32_t pixel, std::int32_t i, std::int32_t) const {
        if (state->stopped != 0) return;
        cfloat sum = {0, 0};
        for (std::int32_t j = 0; j < num_modes; ++j)
            sum = mul_add(mixing[i * num_modes + j], before[j * area + pixel], sum);
        modes[i * area + pixel] = sum;
    }
};

}  // namespace

void orthogonalize_device(const OrthogonalizeArgs& args, const Buffers& buffers, Device& device) {
    const auto probe = moving_field(buffers.get<std::byte>(0), args.probe_size());
    const auto* state = buffers.get<const IterationState>(2);
    const std::int32_t n = args.num_modes;
    const auto area = static_cast<std::int32_t>(args.probe.area());
    const auto size = static_cast<std::size_t>(n) * static_cast<std::size_t>(n);
    auto* gram = device.scratch<cdouble>(Scratch::row_sums, size);
    auto* vectors = device.scratch<cdouble>(Scratch::groups, size);
    auto* order = device.scratch<int>(Scratch::ramps, static_cast<std::size_t>(n));
    auto* mixing = device.scratch<cfloat>(Scratch::spectrum, size);
    auto* before = device.scratch<cfloat>(Scratch::product, args.probe_size());
    for (std::int32_t i = 0; i < n; ++i) {
        device.reduce_rows<GramProducts::num_sums, Sum>(n, area, GramProducts{i, area, probe.value},
                                                        &gram[i * n].re);
    }
    device.once(FindMixingScalars{n, state, gram, vectors, order, mixing});
    for (cfloat* modes : {probe.value, probe.direction, buffers.get<cfloat>(1)}) {
        device.copy(before, modes, args.probe_size() * sizeof(cfloat));
        device.for_each({area, n}, MixModes{n, area, mixing, before, state, modes});
    }
}

}  // namespace tessera
