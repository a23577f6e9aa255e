#pragma once

#include <cstddef>

namespace tessera {

// The shape of sums over tiles and of telling all ranks: functions of the numbers alone.

// A binary tree over tiles, in the order of adding: visit(to, from).
template <class Visit>
void for_each_sum(std::size_t num_tiles, const Visit& visit) {
    for (std::size_t stride = 1; stride < num_tiles; stride *= 2) {
        for (std::size_t t = 0; t + stride < num_tiles; t += 2 * stride) visit(t, t + stride);
    }
}

// A binomial tree over ranks with rank 0 at its root: rank r hears from r without its lowest bit, and tells
// visit(r + every lower power of two).
inline int hears_from(int rank) {
    return rank - (rank & -rank);
}
template <class Visit>
void for_each_told_by(int rank, int num_ranks, const Visit& visit) {
    int bit = 1;
    while (rank > 0 ? bit < (rank & -rank) : bit < num_ranks) bit *= 2;
    for (bit /= 2; bit > 0; bit /= 2) {
        if (rank + bit < num_ranks) visit(rank + bit);
    }
}

}  // namespace tessera
