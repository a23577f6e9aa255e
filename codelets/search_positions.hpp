#pragma once

#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

// What the search has found of a frame.
struct FoundPlace {
    double squared_error = 0;
    double shift[2] = {0, 0};
    std::int32_t is_suspicious = 0, is_elsewhere = 0;
};
inline std::size_t found_places_bytes(std::int32_t num_frames) {
    return aligned_bytes(sizeof(BatchSums)) + static_cast<std::size_t>(num_frames) * sizeof(FoundPlace);
}
template <class Byte>
auto found_places(Byte* out) {
    using Value = std::conditional_t<std::is_const_v<Byte>, const FoundPlace, FoundPlace>;
    return reinterpret_cast<Value*>(out + aligned_bytes(sizeof(BatchSums)));
}

struct SearchPositionsArgs {
    BatchShape shape;
    std::int32_t first = 0;  // frame of the batch among the tile's places
    std::int32_t num_tries = 0;
    double offsets_px[max_num_position_tries][2] = {};  // (y, x) from where the model has a frame
    double max_shift_px = 0;
    double suspicious_error = 0;  // as a multiple of the frames' mean squared error
    double num_frames_in_scan = 1;
    BufferBytes buffer_bytes() const;
};

// Offsets on a disc, evenly: Vogel's spiral, which each round turns by an angle that never comes back.
void spread_tries(int num_tries, double radius_px, int round, SearchPositionsArgs& args);

// Frames caught in a false minimum of the cost (codelets/refine_positions.hpp), which its gradient cannot
// leave, are tried elsewhere, as in the annealing of Maiden et al., Ultramicroscopy 120:64, 2012, but around
// where the scan as a whole says that they should be, and only those that fit badly: a frame whose squared
// error sum m (sqrt(I) - sqrt(d))^2 exceeds `suspicious_error` times the mean of all frames (of
// the state) is to go where that is least, of where it is, where the model of all frames has it, and each
// offset from there; no farther than max_shift_px from its origin along each axis. Nothing is found once the
// state says stopped. Buffers: patterns R, frames R, detector R, probe R, object R, state R, places R, out W
// (found places behind the place of the BatchSums). Cost: 1 transform a mode and frame and 1 more to move the
// probe (fourier), num_tries + 1 times as much for those that are tried; on a device for all frames.
extern const Codelet<SearchPositionsArgs> search_positions;

struct PutFramesArgs {
    std::int32_t num_frames = 0;
    std::int32_t first = 0;  // frame of the batch among the tile's places
    Interpolation interpolation = Interpolation::fourier;
    BufferBytes buffer_bytes() const;
};

// Frames go to where they were found, and rest there. Buffers: out R (found places), places RW, frames RW.
extern const Codelet<PutFramesArgs> put_frames;

// On a device: search_positions.cu.
void search_positions_device(const SearchPositionsArgs&, const Buffers&, Device&);
void put_frames_device(const PutFramesArgs&, const Buffers&, Device&);

}  // namespace tessera
