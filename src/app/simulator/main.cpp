// What every rank of a simulated cluster runs. SimGrid loads it once for each, all in one process; `tessera
// forecast` starts that process and makes the folder that is its argument.
#include <starpu.h>  // renames main(): SimGrid's has to come first

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iterator>

#include "app/forecast_report.hpp"
#include "app/simulated_machine.hpp"
#include "app/trace_files.hpp"
#include "base/log.hpp"
#include "codelets/runtime/simulation.hpp"
#include "codelets/runtime/trace_recorder.hpp"
#include "config/yaml_reader.hpp"
#include "io/scan_reader.hpp"
#include "scan/frame_source.hpp"
#include "tasks/rehearsal.hpp"

namespace {

using namespace tessera;
using Path = std::filesystem::path;

std::vector<app::LinkTraffic> traffic_of_links() {
    const auto is_host = [](int node) {
        return starpu_node_get_kind(static_cast<unsigned>(node)) == STARPU_CPU_RAM;
    };
    std::vector<app::LinkTraffic> links;
    for (int bus = 0; bus < starpu_bus_get_count(); ++bus) {
        starpu_profiling_bus_info info{};
        starpu_bus_get_profiling_info(bus, &info);
        const app::LinkKind kind = is_host(starpu_bus_get_src(bus))   ? app::LinkKind::to_gpu
                                   : is_host(starpu_bus_get_dst(bus)) ? app::LinkKind::from_gpu
                                                                      : app::LinkKind::between_gpus;
        links.push_back({kind, static_cast<double>(info.transferred_bytes)});
    }
    return links;
}

Path schedule_file(const Path& folder, int rank) {
    return folder / fmt::format("rank{}.schedule", rank);
}

// The ranks are in one process, but share no variables.
void leave_schedule(const Path& folder, int rank, const Schedule& schedule) {
    const std::vector<std::byte> packed = pack(schedule);
    std::ofstream file(schedule_file(folder, rank), std::ios::binary);
    file.write(reinterpret_cast<const char*>(packed.data()), static_cast<std::streamsize>(packed.size()));
    file.close();
    if (!file) throw runtime_failure("{} cannot be written", schedule_file(folder, rank).string());
}

Schedule collect_schedules(const Path& folder, int num_ranks) {
    Schedule all;
    for (int rank = 0; rank < num_ranks; ++rank) {
        std::ifstream file(schedule_file(folder, rank), std::ios::binary);
        const std::vector<char> text{std::istreambuf_iterator<char>(file), {}};
        append_packed(all, std::as_bytes(std::span(text)));
    }
    return all;
}

struct Order {
    Path folder;
    int num_iter = 1;
};

// Nobody reads them, but those that do not stay in memory have to come from somewhere.
class FramesWithoutContent : public FrameSource {
  public:
    void read_frames(std::span<const std::ptrdiff_t>, std::span<void* const>) const override {}
};

// Of a machine whose nodes are all alike.
const Problem& problem_of_first_rank(const RunConfig& config, const Order& order, const Ranks& ranks) {
    return once_for_all_ranks("PROBLEM", [&] {
        const ScanReader reader(config.scan, order.folder);
        return new Problem(
            make_problem(config, reader.info(), machine_for(config.runtime, ranks), ranks.size()));
    });
}

void simulate_rank(const Order& order) {
    const Ranks ranks;
    const RunConfig config = read_run_config(order.folder / "run.yaml");
    const MachineConfig machine = read_machine_config(order.folder / "machine.yaml");
    simulate_node(app::node_of(machine.node));
    const Problem problem = problem_of_rank(problem_of_first_rank(config, order, ranks), ranks.rank());
    const Runtime runtime(config.runtime, ranks, problem.out_of_core());
    const std::vector<std::string> durations = app::durations_of(machine.node, runtime.machine());
    const TraceRecorder recorder(ranks, name_of_tag);
    const FramesWithoutContent frames;
    Handles handles = make_handles(problem, ranks, &frames);
    rehearse(problem, handles, order.num_iter);
    leave_schedule(order.folder, ranks.rank(), recorder.of_this_rank());
    ranks.wait_for_all();
    if (ranks.is_first()) {
        const Schedule schedule = collect_schedules(order.folder, ranks.size());
        app::report({machine, problem, runtime.description(), durations, order.num_iter, traffic_of_links()},
                    schedule);
        if (config.runtime.trace) app::write_trace_files(*config.runtime.trace, schedule);
        std::fflush(nullptr);
        std::_Exit(static_cast<int>(ExitCode::done));  // for all of them: nothing is left to be simulated
    }
    ranks.wait_for_all();  // until the first has told
}

}  // namespace

// FOLDER ITERATIONS text|json; the first that fails tells why and ends all.
int main(int argc, char** argv) {
    try {
        const std::span<char*> words(argv, static_cast<std::size_t>(argc));
        TESSERA_EXPECT(words.size() >= 4);
        Order order{words[1], 1};
        const std::string_view number = words[2];
        std::from_chars(number.data(), number.data() + number.size(), order.num_iter);
        log::configure(std::string_view(words[3]) == "json" ? log::Format::json : log::Format::text,
                       log::Level::info);
        simulate_rank(order);
        return 0;
    } catch (const std::exception& problem) {
        const Error error = as_error(problem);
        log::error("{}", error.what());
        std::fflush(nullptr);
        std::_Exit(static_cast<int>(error.code()));
    }
}
