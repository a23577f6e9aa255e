#include "tasks/engines.hpp"

#include "base/error.hpp"

namespace tessera {
namespace {

struct EngineEntry {
    EngineName engine;
    const char* name;
    std::unique_ptr<Engine> (*make)(const EngineSettings&);
};

constexpr EngineEntry engines[] = {
    {EngineName::CG, "CG", make_conjugate_gradient},
    {EngineName::GD, "GD", make_gradient_descent},
    {EngineName::DM, "DM", make_projections},
    {EngineName::RAAR, "RAAR", make_projections},
    {EngineName::AP, "AP", make_projections},
    {EngineName::ePIE, "ePIE", make_pie},
    {EngineName::rPIE, "rPIE", make_pie},
    {EngineName::mPIE, "mPIE", make_pie},
    {EngineName::LSQML, "LSQML", make_lsqml},
};

const EngineEntry& entry(EngineName engine) {
    for (const EngineEntry& candidate : engines) {
        if (candidate.engine == engine) return candidate;
    }
    throw runtime_failure("internal error: an engine is missing in the table of engines");
}

}  // namespace

PositionSearch EngineSettings::search_at(int iteration) const {
    const SearchPositionsConfig& search = *config.refine_positions->search;
    return {.num_tries = search.num_tries,
            .round = (iteration - search.start) / search.interval,
            .radius_px = search.radius_px.value_or(max_shift_px),
            .suspicious_error = search.suspicious_error};
}

std::unique_ptr<Engine> make_engine(const EngineSettings& settings) {
    return entry(settings.config.name).make(settings);
}

void submit_iteration(Engine& engine, const EngineSettings& settings, Graph& graph, int iteration) {
    const bool supports = settings.supports_at(iteration);
    graph.set_probe_support(supports ? settings.support : std::nullopt);
    engine.submit_iteration(graph, iteration);
    if (settings.constrains_at(iteration)) graph.constrain_object(settings.constraints);
    if (supports) graph.keep_probe_in_support();
    if (settings.orthogonalizes_at(iteration)) graph.orthogonalize();
    if (settings.varies_at(iteration)) graph.vary_probe(settings.variable);
    if (settings.refines_background_at(iteration)) graph.refine_background(*settings.background);
    if (settings.searches_at(iteration)) graph.search_positions(settings.search_at(iteration));
    if (settings.refines_at(iteration)) graph.refine_positions(*settings.config.refine_positions, iteration);
}

const char* name(EngineName engine) {
    return entry(engine).name;
}

}  // namespace tessera
