#pragma once

#include <vector>

#include "codelets/layout.hpp"
#include "codelets/runtime/data.hpp"
#include "codelets/runtime/ranks.hpp"

namespace tessera {

// Whose tiles are whose.
struct Owners {
    const Ranks* ranks = nullptr;
    std::vector<int> of_tile;

    bool is_mine(std::size_t tile) const { return of_tile[tile] == ranks->rank(); }
};

// Messages of the graph are told apart by these: each kind of message has its own range, one tag per edge.
inline constexpr int tags_per_kind = 1 << 20;
enum class Message : int { sums, total, scalars, scalar_total, halo, voxels, overlap };
inline int tag_of(Message kind, std::size_t edge) {
    return static_cast<int>(kind) * tags_per_kind + static_cast<int>(edge);
}

std::string name_of_tag(int tag);  // of the messages that have it

// What the batches of each tile add up to, and the sum over all tiles (BatchSums and probe part, see
// codelets/layout.hpp). The sum is a binary tree whose shape depends on the number of tiles only; its edges
// between ranks are messages. Every rank gets the total, down a tree over ranks.
class TileSums {
  public:
    TileSums() = default;
    // `probe_size` 0: scalars only. `up` and `down`: the kinds of its messages.
    TileSums(const Owners& owners, std::size_t probe_size, Message up, Message down);

    const Data& of(std::size_t tile) const { return of_tile_[tile]; }  // of an own tile
    // The own tiles'. Behind the gate, if there is one (codelets/runtime/codelet.hpp), as all that adds up;
    // messages travel all the same.
    void clear(int priority, const Data* gate = nullptr) const;
    void add_up(const Owners& owners, int priority, const Data* gate = nullptr) const;
    const Data& total() const { return of_tile_[0].empty() ? total_ : of_tile_[0]; }
    std::size_t bytes() const;  // that this rank keeps

  private:
    void send_down(const Owners& owners) const;

    std::size_t probe_size_ = 0;
    Message up_ = Message::sums, down_ = Message::total;
    std::vector<Data> of_tile_;   // empty where the tile is another rank's
    std::vector<Data> received_;  // of tile t: what comes from its owner, where the tree adds it here
    Data total_;                  // where tile 0 is not
};

}  // namespace tessera
