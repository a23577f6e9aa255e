#pragma once

#include "codelets/device/on_chip_layout.hpp"
#include "math/complex.hpp"

// The two-dimensional transform of a field in a team's fast memory, as passes between which the team waits.
//
// One axis of M = A B samples, n = j + B k and frequency q = a + A b, with w_N = exp(-2 pi i / N):
//   X[a + A b] = sum_j w_B^(b j) [ w_M^(a j) sum_k w_A^(a k) x[j + B k] ]
// The outer pass takes A samples a distance of B apart, the inner one B neighbours; both leave their results
// where their samples were, so q = a + A b ends at position B a + b. Backward is the same in reverse, with
// the conjugate roots: nothing is ever sorted.
//
// Both axes together: outer columns, outer rows, inner rows, inner columns. First and last pass are the
// transform's turning points: the first reads, a butterfly at a time, what the preceding backward transform
// ends with, and the last ends with what the following one begins with. So a turn is one pass (TurnInSpace,
// TurnInFrequency), with what happens to the pixels in between done in registers.
//
// A pass is a functor of one thread's place in its team:
//   thread(), block()   this thread in its block, this block in its team
//   own(y, x)           a pixel in the rows of this thread's block
//   any(y, k, x)        a pixel of the field, in row y + k B, y < B
//   root(i)             w_M^i, i = 0 ... M
//   plane(y, x)         the real number beside a pixel of the block's rows
// Passes go over columns with neighbouring threads in neighbouring columns, over rows with neighbouring
// threads in neighbouring rows: memory banks never collide (tests/kernels/on_chip_test.cpp counts them).
#ifdef __CUDACC__
#define TESSERA_UNROLL _Pragma("unroll")
#else
#define TESSERA_UNROLL
#endif

namespace tessera {

// Both halves in one access: the type itself promises half the alignment that the arrays have.
TESSERA_HD cfloat fetch(const cfloat& from) {
    return *static_cast<const cfloat*>(__builtin_assume_aligned(&from, sizeof(cfloat)));
}
TESSERA_HD void put(cfloat& to, cfloat value) {
    *static_cast<cfloat*>(__builtin_assume_aligned(&to, sizeof(cfloat))) = value;
}

// ---- x[q] <- sum_j x[j] w_R^(j q) in registers

// a - i b and a + i b
TESSERA_HD cfloat sub_i(cfloat a, cfloat b) {
    return {a.re + b.im, a.im - b.re};
}
TESSERA_HD cfloat add_i(cfloat a, cfloat b) {
    return {a.re - b.im, a.im + b.re};
}
// w_8 a and w_8^3 a, w_8 = (1 - i) / sqrt(2)
TESSERA_HD cfloat eighth(cfloat a) {
    return 0.70710678118654752f * cfloat{a.re + a.im, a.im - a.re};
}
TESSERA_HD cfloat three_eighths(cfloat a) {
    return 0.70710678118654752f * cfloat{a.im - a.re, -a.re - a.im};
}

TESSERA_HD void butterfly4(cfloat& a, cfloat& b, cfloat& c, cfloat& d) {
    const cfloat even_sum = a + c, even_difference = a - c, odd_sum = b + d, odd_difference = b - d;
    a = even_sum + odd_sum;
    b = sub_i(even_difference, odd_difference);
    c = even_sum - odd_sum;
    d = add_i(even_difference, odd_difference);
}

TESSERA_HD void butterfly(cfloat (&x)[8]) {
    cfloat even[4], odd[4];
    TESSERA_UNROLL
    for (int j = 0; j < 4; ++j) {
        even[j] = x[j] + x[j + 4];
        odd[j] = x[j] - x[j + 4];
    }
    odd[1] = eighth(odd[1]);
    odd[2] = {odd[2].im, -odd[2].re};
    odd[3] = three_eighths(odd[3]);
    butterfly4(even[0], even[1], even[2], even[3]);
    butterfly4(odd[0], odd[1], odd[2], odd[3]);
    TESSERA_UNROLL
    for (int j = 0; j < 4; ++j) {
        x[2 * j] = even[j];
        x[2 * j + 1] = odd[j];
    }
}

// 4 x 4 by the scheme above.
TESSERA_HD void butterfly(cfloat (&x)[16]) {
    constexpr cfloat root1 = {0.92387953251128674f, -0.38268343236508977f};
    constexpr cfloat root3 = {0.38268343236508977f, -0.92387953251128674f};
    constexpr cfloat root9 = {-0.92387953251128674f, 0.38268343236508977f};
    TESSERA_UNROLL
    for (int j = 0; j < 4; ++j) butterfly4(x[j], x[j + 4], x[j + 8], x[j + 12]);
    x[5] = root1 * x[5];
    x[6] = eighth(x[6]);
    x[7] = root3 * x[7];
    x[9] = eighth(x[9]);
    x[10] = {x[10].im, -x[10].re};
    x[11] = three_eighths(x[11]);
    x[13] = root3 * x[13];
    x[14] = three_eighths(x[14]);
    x[15] = root9 * x[15];
    cfloat sorted[16];
    TESSERA_UNROLL
    for (int a = 0; a < 4; ++a) {
        butterfly4(x[4 * a], x[4 * a + 1], x[4 * a + 2], x[4 * a + 3]);
        TESSERA_UNROLL
        for (int b = 0; b < 4; ++b) sorted[a + 4 * b] = x[4 * a + b];
    }
    TESSERA_UNROLL
    for (int q = 0; q < 16; ++q) x[q] = sorted[q];
}

enum class Way { forward, backward };

// Backward is forward with real and imaginary parts exchanged before and after.
template <Way way, int Radix>
TESSERA_HD void transform(cfloat (&x)[Radix]) {
    if constexpr (way == Way::forward) {
        butterfly(x);
    } else {
        TESSERA_UNROLL
        for (cfloat& value : x) value = {value.im, value.re};
        butterfly(x);
        TESSERA_UNROLL
        for (cfloat& value : x) value = {value.im, value.re};
    }
}

// The outer butterfly of samples j + B k, with the roots between the passes. Backward takes its conjugate
// roots from the table's other end: otherwise the compiler keeps those of a turn's first half in registers
// for its second, and has too few for what happens in between.
template <class Layout, Way way, class Place, int Radix>
TESSERA_HD void outer_transform(const Place& place, std::int32_t j, cfloat (&x)[Radix]) {
    if constexpr (way == Way::forward) {
        transform<way>(x);
        TESSERA_UNROLL
        for (int a = 1; a < Radix; ++a) x[a] = fetch(place.root(a * j)) * x[a];
    } else {
        TESSERA_UNROLL
        for (int a = 1; a < Radix; ++a) x[a] = fetch(place.root(Layout::size - a * j)) * x[a];
        transform<way>(x);
    }
}

// ---- Passes

// Before everything else.
template <class Layout>
struct LoadRoots {
    const cfloat* roots;
    template <class Place>
    TESSERA_HD void operator()(const Place& place) const {
        for (std::int32_t i = place.thread(); i <= Layout::size; i += Layout::threads)
            put(place.root(i), roots[i]);
    }
};

template <class Layout, Way way>
struct OuterRows {
    template <class Place>
    TESSERA_HD void operator()(const Place& place) const {
        constexpr std::int32_t stride = Layout::inner;
        for (std::int32_t i = place.thread(); i < Layout::rows * stride; i += Layout::threads) {
            const std::int32_t y = place.block() * Layout::rows + i % Layout::rows, x = i / Layout::rows;
            cfloat v[Layout::outer];
            TESSERA_UNROLL
            for (int k = 0; k < Layout::outer; ++k) v[k] = fetch(place.own(y, x + k * stride));
            outer_transform<Layout, way>(place, x, v);
            TESSERA_UNROLL
            for (int k = 0; k < Layout::outer; ++k) put(place.own(y, x + k * stride), v[k]);
        }
    }
};

template <class Layout, Way way>
struct InnerRows {
    template <class Place>
    TESSERA_HD void operator()(const Place& place) const {
        for (std::int32_t i = place.thread(); i < Layout::rows * Layout::outer; i += Layout::threads) {
            const std::int32_t y = place.block() * Layout::rows + i % Layout::rows;
            const std::int32_t x = Layout::inner * (i / Layout::rows);
            cfloat v[Layout::inner];
            TESSERA_UNROLL
            for (int k = 0; k < Layout::inner; ++k) v[k] = fetch(place.own(y, x + k));
            transform<way>(v);
            TESSERA_UNROLL
            for (int k = 0; k < Layout::inner; ++k) put(place.own(y, x + k), v[k]);
        }
    }
};

// The last pass without a turn.
template <class Layout, Way way>
struct InnerColumns {
    template <class Place>
    TESSERA_HD void operator()(const Place& place) const {
        constexpr std::int32_t of_block = Layout::outer * Layout::size / Layout::num_blocks;
        for (std::int32_t i = place.thread(); i < of_block; i += Layout::threads) {
            const std::int32_t y = place.block() * Layout::rows + Layout::inner * (i / Layout::size);
            const std::int32_t x = i % Layout::size;
            cfloat v[Layout::inner];
            TESSERA_UNROLL
            for (int k = 0; k < Layout::inner; ++k) v[k] = fetch(place.own(y + k, x));
            transform<way>(v);
            TESSERA_UNROLL
            for (int k = 0; k < Layout::inner; ++k) put(place.own(y + k, x), v[k]);
        }
    }
};

// A turn begins with what its step gives, ends with what its step takes, or goes around.
enum class Turn { begin, around, end };

// A step has so many pixels of a butterfly at a time: what it reads for them is on its way together, and fits
// into registers beside the butterfly.
inline constexpr int pixels_per_step = 8;
using StepValues = cfloat[pixels_per_step];
template <int Radix>
TESSERA_HD StepValues& part_of(cfloat (&x)[Radix], int first) {
    return *reinterpret_cast<StepValues*>(x + first);
}

// Pixels of a butterfly in a field: (y + i stride, x).
struct SpaceLine {
    std::int32_t y, x, stride;
};

// From a backward to a forward transform; step(line, values). Along the columns of the whole field.
template <class Layout, Turn turn, class Step>
struct TurnInSpace {
    Step step;
    template <class Place>
    TESSERA_HD void operator()(const Place& place) const {
        constexpr std::int32_t of_block = Layout::inner * Layout::size / Layout::num_blocks;
        for (std::int32_t i = place.thread(); i < of_block; i += Layout::threads) {
            const std::int32_t n = place.block() * of_block + i;
            const SpaceLine line = {n / Layout::size, n % Layout::size, Layout::inner};
            cfloat v[Layout::outer];
            if constexpr (turn != Turn::begin) {
                TESSERA_UNROLL
                for (int k = 0; k < Layout::outer; ++k) v[k] = fetch(place.any(line.y, k, line.x));
                outer_transform<Layout, Way::backward>(place, line.y, v);
            }
            TESSERA_UNROLL
            for (int first = 0; first < Layout::outer; first += pixels_per_step) {
                step(SpaceLine{line.y + first * line.stride, line.x, line.stride}, part_of(v, first));
            }
            if constexpr (turn != Turn::end) {
                outer_transform<Layout, Way::forward>(place, line.y, v);
                TESSERA_UNROLL
                for (int k = 0; k < Layout::outer; ++k) put(place.any(line.y, k, line.x), v[k]);
            }
        }
    }
};

// Frequencies of a butterfly, (q_y + i stride, q_x), and their positions, (y + i, x).
struct FrequencyLine {
    std::int32_t y, x, q_y, q_x, stride;
};

// From a forward to a backward transform; step(place, line, values, sums), then finish(place, sums) with what
// this thread's steps have summed. Along the columns within the block's rows.
template <class Layout, Turn turn, class Step>
struct TurnInFrequency {
    Step step;
    template <class Place>
    TESSERA_HD void operator()(const Place& place) const {
        constexpr std::int32_t of_block = Layout::outer * Layout::size / Layout::num_blocks;
        typename Step::Sums sums{};
        for (std::int32_t i = place.thread(); i < of_block; i += Layout::threads) {
            const std::int32_t y = place.block() * Layout::rows + Layout::inner * (i / Layout::size);
            const std::int32_t x = i % Layout::size;
            const FrequencyLine line = {y, x, y / Layout::inner, Layout::frequency_at(x), Layout::outer};
            cfloat v[Layout::inner];
            if constexpr (turn != Turn::begin) {
                TESSERA_UNROLL
                for (int k = 0; k < Layout::inner; ++k) v[k] = fetch(place.own(y + k, x));
                transform<Way::forward>(v);
            }
            TESSERA_UNROLL
            for (int first = 0; first < Layout::inner; first += pixels_per_step) {
                step(place,
                     FrequencyLine{y + first, x, line.q_y + first * line.stride, line.q_x, line.stride},
                     part_of(v, first), sums);
            }
            if constexpr (turn != Turn::end) {
                transform<Way::backward>(v);
                TESSERA_UNROLL
                for (int k = 0; k < Layout::inner; ++k) put(place.own(y + k, x), v[k]);
            }
        }
        step.finish(place, sums);
    }
};

// For the steps that sum nothing.
struct SumNothing {
    struct Sums {};
    template <class Place>
    TESSERA_HD void finish(const Place&, const Sums&) const {}
};

// ---- The passes between two turns. A team waits for all its threads where a turn in space comes next, for
// those of each block elsewhere: only turns in space leave the block's rows.

template <class Layout, class Team>
TESSERA_HD void rows_forward(Team& team) {
    team.each_in_block(OuterRows<Layout, Way::forward>{});
    team.each_in_block(InnerRows<Layout, Way::forward>{});
}
template <class Layout, class Team>
TESSERA_HD void rows_backward(Team& team) {
    team.each_in_block(InnerRows<Layout, Way::backward>{});
    team.each(OuterRows<Layout, Way::backward>{});
}

template <Turn turn, class Layout, class Team, class Step>
TESSERA_HD void turn_in_space(Team& team, const Step& step) {
    team.each(TurnInSpace<Layout, turn, Step>{step});
}
// At the end of a transform nobody may still read when the next field is written.
template <Turn turn, class Layout, class Team, class Step>
TESSERA_HD void turn_in_frequency(Team& team, const Step& step) {
    if constexpr (turn == Turn::end) {
        team.each(TurnInFrequency<Layout, turn, Step>{step});
    } else {
        team.each_in_block(TurnInFrequency<Layout, turn, Step>{step});
    }
}

}  // namespace tessera
