#include "tasks/run_state.hpp"

#include <algorithm>
#include <array>

#include "base/error.hpp"

namespace tessera {
namespace {

// Everything that the next iteration may ask of the last; integers are exact in a double.
template <class State, class Visit>
void for_each_field(State& state, const Visit& visit) {
    visit("iteration", state.iteration);
    visit("failures", state.failures);
    visit("cost_rose", state.cost_rose);
    visit("previous_cost", state.previous_cost);
    visit("gradient_norm", state.gradient_norm);
    visit("slope", state.slope);
    visit("beta", state.beta);
    visit("probe_step", state.probe_step);
    visit("ladder_centre", state.ladder_centre);
    visit("illumination_max", state.illumination_max);
    visit("coverage_max", state.coverage_max);
    visit("num_averaged", state.num_averaged);
    visit("position_curvature", state.position_curvature);
}

struct RecordColumn {
    const char* name;
    double IterationState::*value;
};
constexpr std::array<RecordColumn, 4> record_columns = {
    {{"/engine/cost", &IterationState::cost},
     {"/engine/squared_error", &IterationState::squared_error},
     {"/engine/step", &IterationState::step},
     {"/engine/time_s", &IterationState::time_s}}};

struct HistoryColumn {
    const char* name;
    std::vector<double> History::*values;
};
constexpr std::array<HistoryColumn, 4> history_columns = {{{"/history/cost", &History::cost},
                                                           {"/history/data_error", &History::data_error},
                                                           {"/history/step", &History::step},
                                                           {"/history/time_s", &History::time_s}}};

}  // namespace

double RunState::elapsed_s() const {
    if (!records.empty()) return records.back().time_s;
    return finished.time_s.empty() ? 0 : finished.time_s.back();
}

std::map<std::string, std::vector<double>> numbers_of(const RunState& state) {
    std::map<std::string, std::vector<double>> numbers;
    for (const HistoryColumn& column : history_columns) numbers[column.name] = state.finished.*column.values;
    for (const RecordColumn& column : record_columns) {
        auto& values = numbers[column.name];
        for (const IterationState& record : state.records) values.push_back(record.*column.value);
    }
    const IterationState last = state.records.empty() ? IterationState() : state.records.back();
    for_each_field(last, [&](const char* name, auto value) {
        numbers[std::string("/state/") + name] = {static_cast<double>(value)};
    });
    return numbers;
}

RunState run_state_from(std::size_t engine, int iteration,
                        const std::function<std::vector<double>(const std::string& name)>& numbers) {
    RunState state;
    state.engine = engine;
    state.iteration = iteration;
    const auto sized = [&](const std::string& name, std::size_t size) {
        std::vector<double> values = numbers(name);
        if (values.size() != size)
            throw data_error("checkpoint: {} has {} numbers, {} expected", name, values.size(), size);
        return values;
    };
    const std::size_t num_finished = numbers(history_columns[0].name).size();
    for (const HistoryColumn& column : history_columns)
        state.finished.*column.values = sized(column.name, num_finished);
    state.records.resize(static_cast<std::size_t>(std::max(iteration, 0)));
    for (const RecordColumn& column : record_columns) {
        const auto values = sized(column.name, state.records.size());
        for (std::size_t n = 0; n < values.size(); ++n) state.records[n].*column.value = values[n];
    }
    if (state.records.empty()) return state;
    for_each_field(state.records.back(), [&](const char* name, auto& field) {
        field = static_cast<std::remove_reference_t<decltype(field)>>(
            sized(std::string("/state/") + name, 1).front());
    });
    return state;
}

}  // namespace tessera
