#include "tasks/rehearsal.hpp"

#include "codelets/runtime/trace_recorder.hpp"
#include "tasks/engines.hpp"

namespace tessera {

void rehearse(const Problem& problem, Handles& handles, int num_iter) {
    Graph graph(handles);
    const EngineSettings settings = settings_of(problem, problem.config.engines[0], 0);
    graph.set_noise_model(settings.config.noise_model);
    const auto engine = make_engine(settings);
    const auto wait_for_record = [&](int iteration) {
        const HostAccess wait(graph.record_of(iteration), Access::read);
    };
    const int ahead = problem.config.runtime.submit_ahead;
    for (int n = 0; n < num_iter; ++n) {
        if (n >= ahead) wait_for_record(n - ahead);
        trace_iteration(n);
        submit_iteration(*engine, settings, graph, n);
        graph.record(n);
    }
    wait_for_record(num_iter - 1);
}

}  // namespace tessera
