#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "codelets/layout.hpp"

namespace tessera {

// Per iteration, after its step.
struct History {
    std::vector<double> cost, data_error, step, time_s;  // time: since the first task
};

// Where a run stands between two iterations, but for its fields: the same on every rank.
struct RunState {
    std::size_t engine = 0;               // index in the run file's engines
    int iteration = 0;                    // of this engine, the next one
    History finished;                     // of the engines before it
    std::vector<IterationState> records;  // of this engine, `iteration` of them; times since the first task

    std::int64_t num_iterations() const { return std::ssize(finished.cost) + std::ssize(records); }
    double elapsed_s() const;
};

// As numbers by name, for a checkpoint: all of the last record, and of the others what the history needs.
// Engine and iteration are in the manifest.
std::map<std::string, std::vector<double>> numbers_of(const RunState& state);
// Asks for numbers by name. Throws a data Error when they do not fit together.
RunState run_state_from(std::size_t engine, int iteration,
                        const std::function<std::vector<double>(const std::string& name)>& numbers);

}  // namespace tessera
