#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "config/run_config.hpp"

namespace tessera {

// Can a run that began with one run file go on with another, exactly as if it had begun with that one? These
// may differ:
//   - output.*, tune.*
//   - runtime.*, but not waves and random_seed
//   - scan.file: scans are told apart by what they hold
//   - of the engine that is running, num_iter; of engines after it, everything.
// Returns the other keys that differ, as --set names them. Choices that `automatic` leaves open must have
// been made in both.
std::vector<std::string> keys_against_going_on(const RunConfig& began, const RunConfig& now,
                                               std::size_t running_engine);

}  // namespace tessera
