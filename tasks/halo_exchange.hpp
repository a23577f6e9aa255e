#pragma once

#include <vector>

#include "codelets/accumulate.hpp"
#include "config/run_config.hpp"
#include "tasks/tile_sums.hpp"
#include "tiling/halo_moves.hpp"

namespace tessera {

// What overlapping tiles tell each other. Strips between ranks are messages that travel while tasks run.
//
// Sums of a field: what each tile holds is completed by the other tiles' shares, on its whole extended
// rectangle (Wang et al., SC22: gradient decomposition). Tiles exchange sums, never objects, and afterwards
// agree bitwise wherever they overlap.
//
//   neighbours  every overlapping pair at once, in both directions; any halo. Each pixel is added in
//   ascending
//               order of the tiles that hold it. As many messages as there are overlapping pairs.
//   passes      down and up the columns, then right and left along the rows: sums run forward, totals come
//               back. Four messages a tile whatever the halo, 2 (rows + columns - 2) of them one after the
//               other. Exact because extended tiles are products of intervals with non-decreasing starts and
//               ends.
//
// Voxels of the object, the way that the above does without (halo voxel exchange; Nashed et al., Opt. Express
// 22:32082, 2014):
//
//   voxels      nothing is summed: a tile computes all frames that reach into its interior itself. After each
//               step the object's pixels in every halo are replaced by those of the tile in whose interior
//               they lie, so that tiles agree bitwise here too. Between the gradient and that copy halos are
//               incomplete: directions there know only some of the frames. What is left of this is the length
//               of steps: a line search tries the tile's own directions, in halos too.
class HaloExchange {
  public:
    // One Data per tile; only those of own tiles are used.
    using Fields = std::vector<const Data*>;

    HaloExchange() = default;
    // `num_planes`: planes of a field. `message`: the kind of its messages, where there are several
    // exchanges.
    HaloExchange(const Tiling& tiling, const Owners& owners, Exchange kind, int num_planes = 1,
                 Message message = Message::halo);

    // Once all that own[.] holds where tiles overlap has been added to it: strips set off. Until finish(),
    // more may be added elsewhere. Behind the gate, if there is one (codelets/runtime/codelet.hpp); messages
    // travel all the same.
    void begin(const Owners& owners, const Fields& own, const Fields& total, int priority,
               const Data* gate = nullptr) const;
    // total[t] = what the tile t and all others that overlap it hold in own[.], which is spent.
    void finish(const Owners& owners, const Fields& own, const Fields& total, int priority,
                const Data* gate = nullptr) const;
    // Each object's halo from the interiors of the others. Only with Exchange::voxels, else nothing.
    void copy_voxels(const Owners& owners, const Fields& objects, int priority) const;

    std::size_t bytes() const;  // that this rank keeps

  private:
    // A rectangle on its way from one tile to another.
    struct Strip {
        HaloMove move;
        std::size_t edge = 0;  // its number among the moves of all ranks
        tessera::Strip cut, land;
        Data data;
    };
    // How tasks are submitted: their priority and their gate.
    struct Submission {
        int priority = 0;
        const Data* gate = nullptr;
    };
    void cut(const Owners& owners, std::size_t strip, const Fields& from, const Submission& how) const;
    void land(std::size_t strip, const Fields& to, const Submission& how) const;
    void pass_on(const Owners& owners, const Fields& own, const Fields& total, const Submission& how) const;
    void add_all(const Owners& owners, const Fields& own, const Fields& total, const Submission& how) const;
    void take_overlaps(const Owners& owners, const Fields& own, const Fields& total,
                       const Submission& how) const;

    Exchange kind_ = Exchange::neighbours;
    Message message_ = Message::halo;
    int num_planes_ = 1;
    std::vector<Shape2> shapes_;                         // of the extended tiles
    std::vector<Strip> strips_;                          // from or to own tiles, in the order of the moves
    std::vector<std::vector<tessera::Strip>> overlaps_;  // of each own tile with others, in the tile
};

}  // namespace tessera
