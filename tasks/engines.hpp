#pragma once

#include <memory>

#include "config/run_config.hpp"
#include "tasks/graph.hpp"
#include "tasks/probe_support.hpp"

namespace tessera {

// Sums over tiles of all ranks: of fields where tiles overlap, of scalars and a probe part, of scalars alone;
// steps; and couplings of slices.
struct Exchanges {
    std::size_t halos = 0, sums = 0, scalars = 0, steps = 0, couplings = 0;
    std::size_t overlaps = 0;  // as halos, of numerator and weight
};

// An engine submits one iteration after the other; it never looks at a number. Adding one: a file like
// cg.cpp, a name in config/run_config.hpp and a line in engines.cpp.
class Engine {
  public:
    virtual ~Engine() = default;
    virtual void submit_iteration(Graph& graph, int iteration) = 0;
    // Can a run go on at this iteration from what a checkpoint holds (tasks/checkpoints.hpp)? True of the
    // first iteration.
    virtual bool can_begin_at(int iteration) const = 0;
    // How often that iteration sums over tiles, and steps.
    virtual Exchanges exchanges(int iteration) const = 0;
};

// Is it the turn of what is done every so many iterations from `start`, before `stop`?
inline bool is_turn(int iteration, int start, const std::optional<int>& stop, int interval) {
    return iteration >= start && (!stop || iteration < *stop) && (iteration - start) % interval == 0;
}

// What engines are made with.
struct EngineSettings {
    EngineConfig config;
    int probe_update_start = 0;
    bool keep_waves = false;
    float coupling = 0;  // of slices, after every coupling_interval-th step; 0: none
    int coupling_interval = 1;
    int num_minibatches = 1;
    std::uint64_t random_seed = 0;
    int orthogonalize_interval = 0;
    double max_shift_px = 0;  // of frames whose positions are refined
    ObjectConstraintsConfig constraints = {};
    std::optional<ProbeSupport> support = {};  // null: the probe may be anywhere
    int support_interval = 1;
    VariableProbeConfig variable = {};
    std::optional<RefineBackgroundConfig> background = {};  // null: it stays

    ProbeMotion probe_at(int iteration) const {
        return iteration >= probe_update_start ? ProbeMotion::moving : ProbeMotion::fixed;
    }
    // At any time in this engine?
    bool moves_probe() const { return probe_update_start < config.num_iter; }
    // Preconditioners are remade now and then, since the object and the probe change.
    bool weighs_at(int iteration) const { return iteration % 5 == 0 || iteration == probe_update_start; }
    bool couples_at(int iteration) const { return coupling > 0 && (iteration + 1) % coupling_interval == 0; }
    // Do frames move after it?
    bool refines_at(int iteration) const {
        const auto& refine = config.refine_positions;
        return refine && is_turn(iteration, refine->start, refine->stop, refine->interval);
    }
    // Are frames that fit badly tried elsewhere after it, before the others move?
    bool searches_at(int iteration) const {
        if (!config.refine_positions || !config.refine_positions->search) return false;
        const SearchPositionsConfig& search = *config.refine_positions->search;
        return is_turn(iteration, search.start, search.stop, search.interval);
    }
    PositionSearch search_at(int iteration) const;
    // Are the probe's modes made orthogonal after it? Engines that project keep exit waves of each mode,
    // which would have to be mixed alike.
    bool orthogonalizes_at(int iteration) const {
        return orthogonalize_interval > 0 && !projects_waves(config.name) &&
               (iteration + 1) % orthogonalize_interval == 0;
    }
    // Is the object made to be what it is known to be after it?
    bool constrains_at(int iteration) const {
        return constraints.is_any() && iteration >= constraints.start &&
               (iteration - constraints.start) % constraints.interval == 0;
    }
    bool smooths_at(int iteration) const { return constraints.has_neighbours() && constrains_at(iteration); }
    // Does the probe move within its support?
    bool supports_at(int iteration) const {
        return support && probe_at(iteration) == ProbeMotion::moving &&
               (iteration + 1) % support_interval == 0;
    }
    // Do the lights of frames change after it?
    bool varies_at(int iteration) const {
        return variable.is_wanted() && probe_at(iteration) == ProbeMotion::moving &&
               !projects_waves(config.name) && iteration >= variable.start &&
               (iteration - variable.start) % variable.interval == 0;
    }
    // Does the background follow the frames after it? Kept far fields know nothing of it.
    bool refines_background_at(int iteration) const {
        return background && is_turn(iteration, background->start, {}, background->interval);
    }
    // Is what is kept of far fields no longer that of object, probe and positions?
    bool outdates_waves_at(int iteration) const {
        return iteration >= 0 &&
               (refines_at(iteration) || searches_at(iteration) || orthogonalizes_at(iteration) ||
                constrains_at(iteration) || supports_at(iteration) || varies_at(iteration));
    }
    // beta = 0: there is no previous direction of both.
    bool restarts_at(int iteration) const { return iteration == 0 || iteration == probe_update_start; }
};

// Of an engine that begins after so many iterations of others.
inline EngineSettings settings_of(const Problem& problem, const EngineConfig& engine, int before) {
    const ObjectConfig& object = problem.config.object;
    const double coupling = problem.couples_slices() ? object.regularize_layers : 0;
    // The probe waits only when a run begins; a later engine moves it at once.
    return {engine,
            std::max(problem.config.probe.update.start - before, 0),
            problem.keep_waves,
            static_cast<float>(coupling),
            object.regularize_interval,
            problem.tiling.minibatches.count,
            problem.config.runtime.random_seed,
            problem.config.probe.num_modes > 1 ? problem.config.probe.orthogonalize_interval : 0,
            static_cast<double>(problem.config.positions.max_shift_px),
            object.constraints,
            support_of(problem, engine),
            problem.config.probe.support.interval,
            problem.config.probe.variable,
            problem.config.detector.refine_background};
}

// The run's engines in their order: visit(settings, number of iterations before it).
template <class Visit>
void for_each_engine(const Problem& problem, const Visit& visit) {
    int before = 0;
    for (const EngineConfig& engine : problem.config.engines) {
        visit(settings_of(problem, engine, before), before);
        before += engine.num_iter;
    }
}

std::unique_ptr<Engine> make_engine(const EngineSettings& settings);
// All tasks of an iteration: the engine's, then what is known of object and probe, modes made orthogonal, the
// probe varied, the background refined and frames moved, where it is their turn.
void submit_iteration(Engine& engine, const EngineSettings& settings, Graph& graph, int iteration);
const char* name(EngineName engine);

// One maker per engine.
std::unique_ptr<Engine> make_conjugate_gradient(const EngineSettings& settings);
std::unique_ptr<Engine> make_gradient_descent(const EngineSettings& settings);
std::unique_ptr<Engine> make_projections(const EngineSettings& settings);
std::unique_ptr<Engine> make_pie(const EngineSettings& settings);
std::unique_ptr<Engine> make_lsqml(const EngineSettings& settings);

}  // namespace tessera
