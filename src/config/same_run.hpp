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
//   - of the engine that is running, num_iter (of LSQML as far as the probe moves in both or in neither)
//   - of engines after it, everything but how frames are dealt into mini-batches (the first engine that has
//     them, its minibatch_size and batching_mode).
// Returns the other keys that differ, as --set names them. Choices that `automatic` leaves open must have
// been made in both.
std::vector<std::string> keys_against_going_on(const RunConfig& began, const RunConfig& now,
                                               std::size_t running_engine);

// `now` with what `began` chose where `now` leaves it open (`auto`).
RunConfig with_choices_of(const RunConfig& began, RunConfig now);

// A run that ended before its end.
struct StoppedRun {
    std::string run_file;    // its text
    std::string name;        // where it was found, for messages
    std::size_t engine = 0;  // that was running
    int iteration = 0;       // how many of that engine are done
};

// `now` with the choices that it leaves open made as when the run began, to go on with. Throws a data Error
// where the stopped run's own run file cannot be read, a usage Error that names the keys where `now` does not
// go with it, or where the run has done more iterations than `now` asks for.
RunConfig config_to_go_on(const RunConfig& now, const StoppedRun& stopped);

// The keys for which a result made with `made` may not stand for one made with `now`: all but output.*,
// tune.* and runtime.* (of which waves and random_seed count).
std::vector<std::string> keys_of_another_result(const RunConfig& made, const RunConfig& now);

}  // namespace tessera
