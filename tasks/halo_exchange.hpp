#pragma once

#include <vector>

#include "codelets/accumulate.hpp"
#include "config/run_config.hpp"
#include "tasks/tile_sums.hpp"
#include "tiling/halo_moves.hpp"

namespace tessera {

// Sums of a field over overlapping tiles: what each tile holds is completed by the other tiles' shares, on
// its whole extended rectangle (Wang et al., SC22: gradient decomposition). Tiles exchange sums, never
// objects, and afterwards agree bitwise wherever they overlap. Strips between ranks are messages that travel
// while tasks run.
//
//   neighbours  every overlapping pair at once, in both directions; any halo. Each pixel is added in
//   ascending
//               order of the tiles that hold it. As many messages as there are overlapping pairs.
//   passes      down and up the columns, then right and left along the rows: sums run forward, totals come
//               back. Four messages a tile whatever the halo, 2 (rows + columns - 2) of them one after the
//               other. Exact because extended tiles are products of intervals with non-decreasing starts and
//               ends.
class HaloExchange {
  public:
    // One Data per tile; only those of own tiles are used.
    using Fields = std::vector<const Data*>;

    HaloExchange() = default;
    HaloExchange(const Tiling& tiling, const Owners& owners, Exchange kind, int num_slices = 1);

    // Once all that own[.] holds where tiles overlap has been added to it: strips set off. Until finish(),
    // more may be added elsewhere.
    void begin(const Owners& owners, const Fields& own, const Fields& total, int priority) const;
    // total[t] = what the tile t and all others that overlap it hold in own[.], which is spent.
    void finish(const Owners& owners, const Fields& own, const Fields& total, int priority) const;

    std::size_t bytes() const;  // that this rank keeps

  private:
    // A rectangle on its way from one tile to another.
    struct Strip {
        HaloMove move;
        tessera::Strip cut, land;
        Data data;  // where either tile is an own one
    };
    void cut(const Owners& owners, std::size_t strip, const Fields& from, int priority) const;
    void land_added(std::size_t strip, const Fields& to, int priority) const;
    void pass_on(const Owners& owners, const Fields& own, const Fields& total, int priority) const;
    void add_all(const Owners& owners, const Fields& own, const Fields& total, int priority) const;
    void take_overlaps(const Owners& owners, const Fields& own, const Fields& total, int priority) const;

    Exchange kind_ = Exchange::neighbours;
    int num_slices_ = 1;
    std::vector<Shape2> shapes_;                         // of the extended tiles
    std::vector<Strip> strips_;                          // in the order of the moves
    std::vector<std::vector<tessera::Strip>> overlaps_;  // of each tile with others, in the tile
};

}  // namespace tessera
