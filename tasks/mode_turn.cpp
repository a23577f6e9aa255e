#include "tasks/mode_turn.hpp"

#include "codelets/turn_modes.hpp"

namespace tessera {

ModeTurn::ModeTurn(const Handles& handles) : handles_(handles) {
    if (handles.num_object_modes > 1) turn_ = Data(mode_turn_bytes(handles.num_object_modes));
}

void ModeTurn::submit(const std::vector<Data>& interiors) const {
    if (turn_.empty()) return;
    handles_.sums.clear(0);
    for (const std::size_t t : handles_.own) {
        const TileHandles& tile = handles_.tiles[t];
        for (const BatchHandles& batch : tile.batches) {
            if (!batch.is_own) continue;
            find_mode_products.submit({batch.shape, handles_.summed_probe_size},
                                      {&batch.frames, &handles_.probe, &tile.object, &handles_.sums.of(t)});
        }
    }
    handles_.sums.add_up(handles_.owners, 0);
    note_mode_turn.submit(
        {handles_.num_object_modes, handles_.summed_probe_size, static_cast<double>(handles_.num_frames)},
        {&handles_.sums.total(), &turn_});
    for (const std::size_t t : handles_.own)
        turn_modes.submit({handles_.num_object_modes, handles_.tiles[t].interior.shape},
                          {&turn_, &interiors[t]});
}

std::vector<double> ModeTurn::powers() const {
    if (turn_.empty()) return {};
    const HostAccess access(turn_, Access::read);
    const auto* powers = access.as<const double>();
    return {powers, powers + handles_.num_object_modes};
}

}  // namespace tessera
