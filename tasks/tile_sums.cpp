#include "tasks/tile_sums.hpp"

#include "codelets/accumulate.hpp"

namespace tessera {
namespace {

// The edges of the tree, in the order of adding: visit(to, from).
template <class Visit>
void for_each_edge(std::size_t num_tiles, const Visit& visit) {
    for (std::size_t stride = 1; stride < num_tiles; stride *= 2) {
        for (std::size_t t = 0; t + stride < num_tiles; t += 2 * stride) visit(t, t + stride);
    }
}

}  // namespace

TileSums::TileSums(const Owners& owners, std::size_t probe_size, Message up, Message down)
    : probe_size_(probe_size), up_(up), down_(down) {
    const std::size_t bytes = sums_bytes(probe_size), num_tiles = owners.of_tile.size();
    TESSERA_EXPECT(num_tiles <= tags_per_kind);
    for (std::size_t t = 0; t < num_tiles; ++t) {
        of_tile_.push_back(owners.is_mine(t) ? Data(bytes) : Data());
        received_.emplace_back();
    }
    for_each_edge(num_tiles, [&](std::size_t to, std::size_t from) {
        if (owners.is_mine(to) && !owners.is_mine(from)) received_[from] = Data(bytes);
    });
    if (!owners.is_mine(0)) total_ = Data(bytes);
}

void TileSums::clear(int priority) const {
    for (const Data& sums : of_tile_) {
        if (!sums.empty()) tessera::clear.submit({sums.bytes()}, {&sums}, priority);
    }
}

void TileSums::add_up(const Owners& owners, int priority) const {
    for_each_edge(of_tile_.size(), [&](std::size_t to, std::size_t from) {
        const bool adds_here = owners.is_mine(to), comes_from_here = owners.is_mine(from);
        if (adds_here && !comes_from_here)
            owners.ranks->receive(received_[from], owners.of_tile[from], tag_of(up_, from));
        if (comes_from_here && !adds_here)
            owners.ranks->send(of_tile_[from], owners.of_tile[to], tag_of(up_, from));
        if (adds_here) {
            const Data& source = comes_from_here ? of_tile_[from] : received_[from];
            add_sums.submit({probe_size_}, {&of_tile_[to], &source}, priority);
        }
    });
    send_down(owners);
}

std::size_t TileSums::bytes() const {
    std::size_t bytes = total_.bytes();
    for (const auto* all : {&of_tile_, &received_}) {
        for (const Data& sums : *all) bytes += sums.bytes();
    }
    return bytes;
}

// A binomial tree: rank r hears from r without its lowest bit, and tells r plus every lower power of two.
void TileSums::send_down(const Owners& owners) const {
    const int rank = owners.ranks->rank(), size = owners.ranks->size();
    const int lowest_bit = rank & -rank;
    if (rank > 0)
        owners.ranks->receive(total_, rank - lowest_bit, tag_of(down_, static_cast<std::size_t>(rank)));
    int highest = 1;
    while (highest < size) highest *= 2;
    for (int bit = rank > 0 ? lowest_bit / 2 : highest / 2; bit > 0; bit /= 2) {
        const int to = rank + bit;
        if (to < size) owners.ranks->send(total(), to, tag_of(down_, static_cast<std::size_t>(to)));
    }
}

}  // namespace tessera
