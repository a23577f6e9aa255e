#include "tasks/tile_sums.hpp"

#include "codelets/accumulate.hpp"
#include "tiling/sum_tree.hpp"

namespace tessera {

std::string name_of_tag(int tag) {
    switch (static_cast<Message>(tag / tags_per_kind)) {
        case Message::sums:
            return "sums of tiles";
        case Message::total:
            return "total";
        case Message::scalars:
            return "scalars of tiles";
        case Message::scalar_total:
            return "total of scalars";
        case Message::halo:
            return "halo strip";
        case Message::voxels:
            return "coupled voxels";
        case Message::overlap:
            return "overlap strip";
    }
    return "message";
}

TileSums::TileSums(const Owners& owners, std::size_t probe_size, Message up, Message down)
    : probe_size_(probe_size), up_(up), down_(down) {
    const std::size_t bytes = sums_bytes(probe_size), num_tiles = owners.of_tile.size();
    TESSERA_EXPECT(num_tiles <= tags_per_kind);
    for (std::size_t t = 0; t < num_tiles; ++t) {
        of_tile_.push_back(owners.is_mine(t) ? Data(bytes) : Data());
        received_.emplace_back();
    }
    for_each_sum(num_tiles, [&](std::size_t to, std::size_t from) {
        if (owners.is_mine(to) && !owners.is_mine(from)) received_[from] = Data(bytes);
    });
    if (!owners.is_mine(0)) total_ = Data(bytes);
}

void TileSums::clear(int priority, const Data* gate) const {
    for (const Data& sums : of_tile_) {
        if (!sums.empty()) tessera::clear.submit({sums.bytes()}, {&sums}, priority, gate);
    }
}

void TileSums::add_up(const Owners& owners, int priority, const Data* gate) const {
    for_each_sum(of_tile_.size(), [&](std::size_t to, std::size_t from) {
        const bool adds_here = owners.is_mine(to), comes_from_here = owners.is_mine(from);
        if (adds_here && !comes_from_here)
            owners.ranks->receive(received_[from], owners.of_tile[from], tag_of(up_, from));
        if (comes_from_here && !adds_here)
            owners.ranks->send(of_tile_[from], owners.of_tile[to], tag_of(up_, from));
        if (adds_here) {
            const Data& source = comes_from_here ? of_tile_[from] : received_[from];
            add_sums.submit({probe_size_}, {&of_tile_[to], &source}, priority, gate);
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

void TileSums::send_down(const Owners& owners) const {
    const int rank = owners.ranks->rank();
    if (rank > 0)
        owners.ranks->receive(total_, hears_from(rank), tag_of(down_, static_cast<std::size_t>(rank)));
    for_each_told_by(rank, owners.ranks->size(), [&](int to) {
        owners.ranks->send(total(), to, tag_of(down_, static_cast<std::size_t>(to)));
    });
}

}  // namespace tessera
