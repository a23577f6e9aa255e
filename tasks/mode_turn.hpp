#pragma once

#include <vector>

#include "tasks/handles.hpp"

namespace tessera {

// Brings copies of an object's modes into the one form that results have (codelets/turn_modes.hpp). The run
// itself and its checkpoints keep modes as they are.
class ModeTurn {
  public:
    explicit ModeTurn(const Handles& handles);

    // Of object and probe as they are now; changes the interiors by tile. The products travel as the sums of
    // a gradient do. Nothing of an object without modes.
    void submit(const std::vector<Data>& interiors) const;
    // Of the modes as they were turned last, in mean counts of a frame, on every rank; empty without modes.
    std::vector<double> powers() const;
    // Sums over tiles of all ranks that one submit() makes.
    static std::size_t num_sums(const ObjectConfig& object) { return object.num_modes > 1 ? 1 : 0; }

  private:
    const Handles& handles_;
    Data turn_;  // empty: there are no modes
};

}  // namespace tessera
