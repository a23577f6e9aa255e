#pragma once

#include <memory>

#include "config/run_config.hpp"
#include "tasks/graph.hpp"

namespace tessera {

// An engine submits one iteration after the other; it never looks at a number. Adding one: a file like
// cg.cpp, a name in config/run_config.hpp and a line in engines.cpp.
class Engine {
  public:
    virtual ~Engine() = default;
    virtual void submit_iteration(Graph& graph, int iteration) = 0;
    // Can a run go on at this iteration from what a checkpoint holds (tasks/checkpoints.hpp)? True of the
    // first iteration.
    virtual bool can_begin_at(int iteration) const = 0;
};

// What engines are made with.
struct EngineSettings {
    EngineConfig config;
    int probe_update_start = 0;
    bool keep_waves = false;

    ProbeMotion probe_at(int iteration) const {
        return iteration >= probe_update_start ? ProbeMotion::moving : ProbeMotion::fixed;
    }
    // Preconditioners are remade now and then, since the object and the probe change.
    bool weighs_at(int iteration) const { return iteration % 5 == 0 || iteration == probe_update_start; }
    // beta = 0: there is no previous direction of both.
    bool restarts_at(int iteration) const { return iteration == 0 || iteration == probe_update_start; }
};

std::unique_ptr<Engine> make_engine(const EngineSettings& settings);
const char* name(EngineName engine);

// One maker per engine.
std::unique_ptr<Engine> make_conjugate_gradient(const EngineSettings& settings);
std::unique_ptr<Engine> make_gradient_descent(const EngineSettings& settings);

}  // namespace tessera
