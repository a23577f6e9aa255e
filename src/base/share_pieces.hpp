#pragma once

#include <cstddef>
#include <functional>

namespace tessera {

// Calls work(piece, thread) once for each 0 <= piece < num_pieces on up to num_threads threads, this one
// among them (0 <= thread < num_threads), beginning the pieces in ascending order. Once one has failed no
// other is begun, and when all those begun have ended the failure of the first of them, by piece, comes out:
// the same one whatever the threads did. Where the system gives fewer threads, those do it.
void share_pieces(std::size_t num_pieces, int num_threads,
                  const std::function<void(std::size_t piece, int thread)>& work);

}  // namespace tessera
