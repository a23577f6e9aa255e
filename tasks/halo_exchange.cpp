#include "tasks/halo_exchange.hpp"

namespace tessera {
namespace {

tessera::Strip inside(const Rect& rect, const Rect& tile) {
    return {rect.y0 - tile.y0, rect.x0 - tile.x0, {rect.height(), rect.width()}};
}

}  // namespace

HaloExchange::HaloExchange(const Tiling& tiling, const Owners& owners, Exchange kind, int num_planes,
                           Message message)
    : kind_(kind), message_(message), num_planes_(num_planes) {
    for (std::size_t t = 0; t < tiling.tiles.size(); ++t) {
        const Tile& tile = tiling.tiles[t];
        shapes_.push_back({tile.extended.height(), tile.extended.width()});
        overlaps_.emplace_back();
        if (!owners.is_mine(t)) continue;
        for (const Neighbour& neighbour : tile.neighbours)
            overlaps_.back().push_back(inside(neighbour.overlap, tile.extended));
    }
    std::size_t edge = 0;
    for (const HaloMove& move : halo_moves(tiling, kind)) {
        const std::size_t number = edge++;
        if (!owners.is_mine(move.from) && !owners.is_mine(move.to)) continue;
        Strip strip;
        strip.move = move;
        strip.edge = number;
        strip.cut = inside(move.rect, tiling.tiles[move.from].extended);
        strip.land = inside(move.rect, tiling.tiles[move.to].extended);
        strip.data = Data(field_bytes(strip.cut.shape, num_planes));
        strips_.push_back(std::move(strip));
    }
    TESSERA_EXPECT(edge <= tags_per_kind);
}

std::size_t HaloExchange::bytes() const {
    std::size_t bytes = 0;
    for (const Strip& strip : strips_) bytes += strip.data.bytes();
    return bytes;
}

// From the sender's field into the strip, and over to the receiver's rank.
void HaloExchange::cut(const Owners& owners, std::size_t s, const Fields& from, const Submission& how) const {
    const Strip& strip = strips_[s];
    const bool starts_here = owners.is_mine(strip.move.from), ends_here = owners.is_mine(strip.move.to);
    if (starts_here)
        cut_strip.submit({shapes_[strip.move.from], strip.cut, num_planes_},
                         {from[strip.move.from], &strip.data}, how.priority, how.gate);
    if (starts_here && !ends_here)
        owners.ranks->send(strip.data, owners.of_tile[strip.move.to], tag_of(message_, strip.edge));
    if (ends_here && !starts_here)
        owners.ranks->receive(strip.data, owners.of_tile[strip.move.from], tag_of(message_, strip.edge));
}

void HaloExchange::land(std::size_t s, const Fields& to, const Submission& how) const {
    const Strip& strip = strips_[s];
    if (strip.move.landing == Landing::added) {
        add_strip.submit({shapes_[strip.move.to], strip.land, num_planes_}, {&strip.data, to[strip.move.to]},
                         how.priority, how.gate);
    } else {
        paste_strip.submit({shapes_[strip.move.to], strip.land, num_planes_},
                           {&strip.data, to[strip.move.to]}, how.priority, how.gate);
    }
}

void HaloExchange::begin(const Owners& owners, const Fields& own, const Fields& total, int priority,
                         const Data* gate) const {
    const Submission how = {priority, gate};
    switch (kind_) {
        case Exchange::neighbours:
            for (std::size_t s = 0; s < strips_.size(); ++s) cut(owners, s, own, how);
            break;
        case Exchange::passes:
            pass_on(owners, own, total, how);
            break;
        case Exchange::voxels:
            break;
    }
}

void HaloExchange::finish(const Owners& owners, const Fields& own, const Fields& total, int priority,
                          const Data* gate) const {
    const Submission how = {priority, gate};
    switch (kind_) {
        case Exchange::neighbours:
            add_all(owners, own, total, how);
            break;
        case Exchange::passes:
            take_overlaps(owners, own, total, how);
            break;
        case Exchange::voxels:
            break;
    }
}

// All cuts first: what lands lies outside the interiors, but tasks on one object wait for each other.
void HaloExchange::copy_voxels(const Owners& owners, const Fields& objects, int priority) const {
    if (kind_ != Exchange::voxels) return;
    const Submission how = {priority, nullptr};
    for (std::size_t s = 0; s < strips_.size(); ++s) cut(owners, s, objects, how);
    for (std::size_t s = 0; s < strips_.size(); ++s) {
        if (owners.is_mine(strips_[s].move.to)) land(s, objects, how);
    }
}

// The passes run on a copy: `own` goes on growing where no tiles overlap.
void HaloExchange::pass_on(const Owners& owners, const Fields& own, const Fields& total,
                           const Submission& how) const {
    for (std::size_t tile = 0; tile < shapes_.size(); ++tile) {
        if (owners.is_mine(tile))
            copy.submit({volume(shapes_[tile], num_planes_) * sizeof(cfloat)}, {own[tile], total[tile]},
                        how.priority, how.gate);
    }
    for (std::size_t s = 0; s < strips_.size(); ++s) {
        cut(owners, s, total, how);
        if (owners.is_mine(strips_[s].move.to)) land(s, total, how);
    }
}

void HaloExchange::take_overlaps(const Owners& owners, const Fields& own, const Fields& total,
                                 const Submission& how) const {
    for (std::size_t tile = 0; tile < shapes_.size(); ++tile) {
        if (!owners.is_mine(tile)) continue;
        for (const tessera::Strip& overlap : overlaps_[tile])
            copy_rectangle.submit({shapes_[tile], overlap, num_planes_}, {total[tile], own[tile]},
                                  how.priority, how.gate);
        copy.submit({volume(shapes_[tile], num_planes_) * sizeof(cfloat)}, {own[tile], total[tile]},
                    how.priority, how.gate);
    }
}

void HaloExchange::add_all(const Owners& owners, const Fields& own, const Fields& total,
                           const Submission& how) const {
    // Strips are sorted by where they land, then by where they come from.
    std::size_t s = 0;
    for (std::size_t tile = 0; tile < shapes_.size(); ++tile) {
        const auto lands_here = [&] { return s < strips_.size() && strips_[s].move.to == tile; };
        if (!owners.is_mine(tile)) {
            while (lands_here()) ++s;
            continue;
        }
        clear.submit({field_bytes(shapes_[tile], num_planes_)}, {total[tile]}, how.priority, how.gate);
        while (lands_here() && strips_[s].move.from < tile) land(s++, total, how);
        add_strip.submit({shapes_[tile], {0, 0, shapes_[tile]}, num_planes_}, {own[tile], total[tile]},
                         how.priority, how.gate);
        while (lands_here()) land(s++, total, how);
    }
}

}  // namespace tessera
