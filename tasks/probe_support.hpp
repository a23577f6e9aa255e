#pragma once

#include <optional>

#include "codelets/support_probe.hpp"
#include "tasks/problem.hpp"

namespace tessera {

// Where the probe may be other than zero with an engine: as probe.support says, or its own
// probe_support_radius. Null: anywhere.
std::optional<ProbeSupport> support_of(const Problem& problem, const EngineConfig& engine);

// A starting probe inside of probe.support. What is cut off comes back to what is left, where the probe's
// power is that of the frames. Throws a usage Error when nothing is left.
Array<cfloat, 3> within_support(const Problem& problem, Array<cfloat, 3> probe);

}  // namespace tessera
