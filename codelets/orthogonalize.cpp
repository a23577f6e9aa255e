#include "codelets/orthogonalize.hpp"

#include <cstring>
#include <vector>

#include "codelets/cost_model.hpp"
#include "codelets/runtime/workspace.hpp"
#include "math/hermitian.hpp"

namespace tessera {
namespace {

cdouble in_double(cfloat z) {
    return {static_cast<double>(z.re), static_cast<double>(z.im)};
}

std::vector<cdouble> mixing_of(const cfloat* modes, std::size_t n, std::size_t area) {
    std::vector<cdouble> gram(n * n), vectors(n * n);
    std::vector<int> order(n);
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = i; j < n; ++j) {
            cdouble sum = {0, 0};
            for (std::size_t r = 0; r < area; ++r)
                sum = conj_mul_add(in_double(modes[i * area + r]), in_double(modes[j * area + r]), sum);
            gram[i * n + j] = sum;
            gram[j * n + i] = conj(sum);
        }
    }
    mixing_of_gram(gram.data(), vectors.data(), order.data(), static_cast<int>(n));
    return gram;
}

void mix(const std::vector<cdouble>& mixing, std::size_t n, std::size_t area, cfloat* modes) {
    cfloat* before = Workspace::of_this_worker().get<cfloat>(Workspace::Slot::moved_probe, n * area);
    std::memcpy(static_cast<void*>(before), modes, n * area * sizeof(cfloat));
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t r = 0; r < area; ++r) {
            cdouble sum = {0, 0};
            for (std::size_t j = 0; j < n; ++j)
                sum = mul_add(mixing[i * n + j], in_double(before[j * area + r]), sum);
            modes[i * area + r] = {static_cast<float>(sum.re), static_cast<float>(sum.im)};
        }
    }
}

void orthogonalize_cpu(const OrthogonalizeArgs& args, const Buffers& buffers) {
    if (buffers.get<const IterationState>(2)->stopped != 0) return;
    const auto probe = moving_field(buffers.get<std::byte>(0), args.probe_size());
    const auto n = static_cast<std::size_t>(args.num_modes);
    const std::vector<cdouble> mixing = mixing_of(probe.value, n, args.probe.area());
    for (cfloat* modes : {probe.value, probe.direction, buffers.get<cfloat>(1)})
        mix(mixing, n, args.probe.area(), modes);
}

Cost orthogonalize_cost(const OrthogonalizeArgs& args) {
    return pixels_cost(static_cast<double>(args.probe_size()), 32.0 * args.num_modes, 6 * sizeof(cfloat));
}

}  // namespace

const Codelet<OrthogonalizeArgs> orthogonalize =
    Codelet<OrthogonalizeArgs>::make<orthogonalize_cpu, TESSERA_ON_DEVICE(orthogonalize_device),
                                     orthogonalize_cost>(
        "orthogonalize", {Access::read_write, Access::read_write, Access::read});

}  // namespace tessera
