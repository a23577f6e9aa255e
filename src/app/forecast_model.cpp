#include "app/forecast_model.hpp"

#include <algorithm>
#include <vector>

#include "app/forecast_report.hpp"
#include "app/simulated_machine.hpp"
#include "app/trace_files.hpp"
#include "base/error.hpp"
#include "base/log.hpp"
#include "cluster/list_schedule.hpp"
#include "codelets/runtime/graph_recorder.hpp"
#include "io/scan_reader.hpp"
#include "tasks/rehearsal.hpp"

namespace tessera::app {
namespace {

void require_modelled(const Problem& problem) {
    const Machine& machine = problem.machine;
    if (machine.num_gpus > 0 && machine.num_cpus > 0)
        throw usage_error("runtime.mixed: the model knows one kind of worker; leave out --model");
    if (machine.num_gpus > 1)
        log::warning("the model may be off by half where one rank has several GPUs; leave out --model there");
    if (machine.num_gpus > 0 && problem.gpu_memory.total_bytes() > machine.gpu_memory_bytes) {
        log::warning("the model holds {:.0f} MiB on each GPU, which has {:.0f}: what is streamed is left out",
                     static_cast<double>(problem.gpu_memory.total_bytes()) / (1 << 20),
                     static_cast<double>(machine.gpu_memory_bytes) / (1 << 20));
    }
}

int rank_with_most_frames(const Problem& problem, int num_ranks) {
    std::vector<std::ptrdiff_t> frames(static_cast<std::size_t>(num_ranks));
    for (std::size_t t = 0; t < problem.tiling.tiles.size(); ++t)
        frames[static_cast<std::size_t>(problem.owner_of_tile[t])] += problem.tiling.tiles[t].num_frames();
    return static_cast<int>(std::ranges::max_element(frames) - frames.begin());
}

void require_frames_stay(const Problem& problem) {
    if (!problem.patterns.reads_again()) return;
    throw usage_error(
        "the frames of a rank do not fit into {:.3f} GiB (runtime.memory_limit.host, or node.memory of the "
        "machine file), and the model knows no frames that are read again: leave out --model",
        static_cast<double>(
            problem.config.runtime.memory_limit_host_bytes.value_or(problem.machine.host_memory_bytes)) /
            (1 << 30));
}

}  // namespace

void forecast_by_model(const RunConfig& config, const MachineConfig& machine,
                       const std::filesystem::path& folder, int num_iter) {
    simulate_node(node_of(machine.node));
    const ScanReader reader(config.scan, folder);
    const Machine workers = machine_for(config.runtime, Ranks(machine.nodes, 0));
    Problem problem = make_problem(config, reader.info(), workers, machine.nodes);
    require_modelled(problem);
    require_frames_stay(problem_of_rank(problem, rank_with_most_frames(problem, machine.nodes)));
    for (std::size_t t = 0; t < problem.tiling.tiles.size(); ++t)  // a problem knows its own rank's alone
        problem.patterns.stays[t].assign(problem.tiling.tiles[t].batches.size(), true);
    const std::vector<std::string> durations = durations_of(machine.node, workers);
    rank_tasks(config.runtime.priorities);
    place_tasks(workers.num_gpus > 0 ? TaskPlacement::gpus : TaskPlacement::cpus);
    SubmittedGraph graph;
    for (int rank = 0; rank < machine.nodes; ++rank) {
        const Ranks ranks(machine.nodes, rank);
        GraphRecorder recorder(graph, name_of_tag);
        Handles handles = make_handles(problem, ranks, nullptr);
        rehearse(problem, handles, num_iter);
    }
    const Schedule schedule = list_schedule(std::move(graph), machine, workers, config.runtime.submit_ahead);
    const int number = workers.num_workers();
    const std::string described =
        fmt::format("{} {}{}", number, workers.num_gpus > 0 ? "GPU" : "core", number == 1 ? "" : "s");
    report({machine, problem, described, durations, num_iter, {}, true}, schedule);
    if (config.runtime.trace) write_trace_files(*config.runtime.trace, schedule);
}

}  // namespace tessera::app
