#pragma once

#include <optional>

#include "codelets/ramp.hpp"
#include "tasks/handles.hpp"

namespace tessera {

// Takes off copies of object and probe what the two can trade, as output.remove_ramp and output.flat_region
// say (codelets/ramp.hpp). The run itself and its checkpoints keep it.
class RampRemoval {
  public:
    RampRemoval(const Problem& problem, const Handles& handles);

    // Finds it in object and probe as they are now, and changes the copies: interiors by tile, and modes.
    // Sums travel as those of a gradient's scalars do.
    void submit(const std::vector<Data>& interiors, const Data& probe) const;
    // What was taken off last, on every rank; null: nothing is.
    std::optional<PhaseRamp> removed() const;
    // Sums over tiles of all ranks that one submit() makes.
    static std::size_t num_sums(const OutputConfig& output);

  private:
    void find(RampPart part) const;

    const Problem& problem_;
    const Handles& handles_;
    Data ramp_;  // empty: nothing is taken off
};

// Throws a usage Error where output.flat_region is outside of the object or of all windows.
void require_possible_flat_region(const Problem& problem);

}  // namespace tessera
