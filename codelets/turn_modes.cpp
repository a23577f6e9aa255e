#include "codelets/turn_modes.hpp"

#include <cmath>
#include <vector>

#include "codelets/batch_light.hpp"
#include "codelets/cost_model.hpp"
#include "math/hermitian.hpp"

namespace tessera {
namespace {

cdouble in_double(cfloat z) {
    return {static_cast<double>(z.re), static_cast<double>(z.im)};
}
cfloat in_single(cdouble z) {
    return {static_cast<float>(z.re), static_cast<float>(z.im)};
}

void find_mode_products_cpu(const FindModeProductsArgs& args, const Buffers& buffers) {
    const BatchShape& s = args.shape;
    const BatchLight light(s, buffers.get<const FramePosition>(0),
                           moving_field(buffers.get<const std::byte>(1), s.probe_size()).value,
                           FrameEdges::lit);
    const cfloat* object = moving_field(buffers.get<const std::byte>(2), s.tile_size()).value;
    cfloat* sums = probe_part(buffers.get<std::byte>(3));
    for (std::int32_t m = 0; m < s.num_object_modes; ++m) {
        for (std::int32_t n = 0; n < s.num_object_modes; ++n, ++sums) {
            cdouble sum = {0, 0};
            for (std::int32_t y = s.window_y; y < s.window_y + s.window.y; ++y) {
                const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(y) * s.tile.x;
                const cfloat *a = object + volume(s.tile, m) + row, *b = object + volume(s.tile, n) + row;
                cdouble sum_of_row = {0, 0};
                for (std::int32_t x = s.window_x; x < s.window_x + s.window.x; ++x)
                    sum_of_row = sum_of_row + light.at(y, x) * conj_mul(in_double(a[x]), in_double(b[x]));
                sum = sum + sum_of_row;
            }
            *sums = in_single(in_double(*sums) + sum);
        }
    }
}

Cost find_mode_products_cost(const FindModeProductsArgs& args) {
    const double modes = args.shape.num_object_modes;
    return pixels_cost(static_cast<double>(args.shape.window.area()) * modes * modes, 10, 2 * sizeof(cfloat));
}

void note_mode_turn_cpu(const NoteModeTurnArgs& args, const Buffers& buffers) {
    const cfloat* sums = probe_part(buffers.get<const std::byte>(0));
    auto* powers = buffers.get<double>(1);
    auto* turn = reinterpret_cast<cdouble*>(powers + args.num_modes);
    const std::ptrdiff_t n = args.num_modes;
    std::vector<cdouble> gram(static_cast<std::size_t>(n * n)), vectors(gram.size());
    std::vector<int> order(static_cast<std::size_t>(n));
    for (std::ptrdiff_t i = 0; i < n * n; ++i) gram[static_cast<std::size_t>(i)] = in_double(sums[i]);
    diagonalize_hermitian(gram.data(), vectors.data(), args.num_modes);
    order_by_diagonal(gram.data(), args.num_modes, order.data());
    for (std::ptrdiff_t i = 0; i < n; ++i) {
        const std::ptrdiff_t column = order[static_cast<std::size_t>(i)];
        powers[i] = gram[static_cast<std::size_t>(column * n + column)].re / args.num_frames;
        const cdouble own = vectors[static_cast<std::size_t>(i * n + column)];
        const double modulus = std::sqrt(norm(own));
        const cdouble phase = modulus > 0 ? (1 / modulus) * conj(own) : cdouble{1, 0};
        for (std::ptrdiff_t j = 0; j < n; ++j)
            turn[i * n + j] = phase * vectors[static_cast<std::size_t>(j * n + column)];
    }
}

Cost note_mode_turn_cost(const NoteModeTurnArgs& args) {
    return pixels_cost(args.num_modes * args.num_modes, 200.0 * args.num_modes, sizeof(cdouble));
}

void turn_modes_cpu(const TurnModesArgs& args, const Buffers& buffers) {
    const auto n = static_cast<std::size_t>(args.num_modes), area = args.shape.area();
    const auto* turn = reinterpret_cast<const cdouble*>(buffers.get<const double>(0) + n);
    auto* pixels = buffers.get<cfloat>(1);
    std::vector<cdouble> before(n);
    for (std::size_t r = 0; r < area; ++r) {
        for (std::size_t i = 0; i < n; ++i) before[i] = in_double(pixels[i * area + r]);
        for (std::size_t i = 0; i < n; ++i) {
            cdouble sum = {0, 0};
            for (std::size_t j = 0; j < n; ++j) sum = mul_add(turn[i * n + j], before[j], sum);
            pixels[i * area + r] = in_single(sum);
        }
    }
}

Cost turn_modes_cost(const TurnModesArgs& args) {
    return pixels_cost(static_cast<double>(volume(args.shape, args.num_modes)), 8.0 * args.num_modes,
                       2 * sizeof(cfloat));
}

}  // namespace

BufferBytes FindModeProductsArgs::buffer_bytes() const {
    return {frames_bytes(shape), moving_field_bytes(shape.probe_size()),
            moving_field_bytes(shape.tile_size()), sums_bytes(sums_size)};
}

const Codelet<FindModeProductsArgs> find_mode_products =
    Codelet<FindModeProductsArgs>::make_for_host<find_mode_products_cpu, find_mode_products_cost>(
        "find_mode_products", {Access::read, Access::read, Access::read, Access::read_write});
const Codelet<NoteModeTurnArgs> note_mode_turn =
    Codelet<NoteModeTurnArgs>::make_for_host<note_mode_turn_cpu, note_mode_turn_cost>(
        "note_mode_turn", {Access::read, Access::write});
const Codelet<TurnModesArgs> turn_modes =
    Codelet<TurnModesArgs>::make_for_host<turn_modes_cpu, turn_modes_cost>(
        "turn_modes", {Access::read, Access::read_write});

}  // namespace tessera
