#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <system_error>

#include "app/commands.hpp"
#include "app/forecast_model.hpp"
#include "base/log.hpp"
#include "cluster/platform.hpp"
#include "config/yaml_reader.hpp"

extern char** environ;

namespace tessera::app {
namespace {

using Path = std::filesystem::path;

class TemporaryFolder {
  public:
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "tessera-forecast-XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr) {
            throw runtime_failure("{}: no folder can be made there ({})", name,
                                  std::generic_category().message(errno));
        }
        path_ = name;
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    const Path& path() const { return path_; }

  private:
    Path path_;
};

// Beside this program, in the build folder beside this one's, or where the user says.
Path find_simulator() {
    constexpr const char* file = "tessera-simgrid";
    const Path own = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    std::vector<Path> places = {own / file, own.parent_path().parent_path() / "simgrid" / "bin" / file};
    if (const char* chosen = std::getenv("TESSERA_SIMGRID"); chosen != nullptr) places = {chosen};
    for (const Path& place : places) {
        std::error_code ignored;
        if (std::filesystem::is_regular_file(place, ignored)) return place;
    }
    throw runtime_failure(
        "forecast needs the simulator, which is not at {} (tools/build simgrid makes it; TESSERA_SIMGRID "
        "names "
        "another place)",
        places.front().string());
}

void make_absolute(Path& file, const Path& folder) {
    if (file.is_relative()) file = std::filesystem::absolute(folder / file);
}

void make_absolute(std::optional<Path>& file, const Path& folder) {
    if (file) make_absolute(*file, folder);
}

// The run as the simulator reads it, elsewhere.
RunConfig run_to_simulate(const ForecastOptions& options) {
    RunConfig run = read_run_config(options.run_file, options.overrides);
    const Path folder = options.run_file.parent_path();
    make_absolute(run.scan.file, folder);
    make_absolute(run.scan.mask.file, folder);
    if (options.trace) run.runtime.trace = options.trace;
    make_absolute(run.runtime.trace, "");
    run.tune.reset();
    if (run.engines.size() > 1) log::info("the first of {} engines is simulated", run.engines.size());
    return run;
}

MachineConfig machine_to_simulate(const ForecastOptions& options) {
    MachineConfig machine = read_machine_config(options.machine_file, options.machine_overrides);
    const Path folder = options.machine_file.parent_path();
    make_absolute(machine.node.core.calibration, folder);
    if (machine.node.gpus) make_absolute(machine.node.gpus->speed.calibration, folder);
    if (options.num_nodes) machine.nodes = *options.num_nodes;
    return machine;
}

void require_simulable(const RunConfig& run, const NodeConfig& node) {
    const int gpus = node.gpus ? node.gpus->count : 0;
    if (run.runtime.cpus.value_or(0) > node.cores) {
        throw usage_error("runtime.cpus: {} workers on a node of {} (node.cores of the machine file)",
                          *run.runtime.cpus, node.cores);
    }
    if (run.runtime.gpus.value_or(0) > gpus) {
        throw usage_error("runtime.gpus: {} on a node with {} (node.gpus.count of the machine file)",
                          *run.runtime.gpus, gpus);
    }
    if (run.runtime.disk) throw usage_error("runtime.disk: a disk is not simulated (leave it out)");
}

void write(const Path& file, const std::string& text) {
    std::ofstream stream(file);
    stream << text;
    stream.close();
    if (!stream) throw runtime_failure("{} cannot be written", file.string());
}

// SimGrid's launcher, and what it is to assume: our rates and latencies as they are, without the corrections
// that it has measured on somebody's Ethernet; small messages that set off before they are asked for, as MPIs
// send them (StarPU-MPI announces every message by one); no time for what hosts do between messages.
std::vector<std::string> command(const Path& simulator, const Path& folder, int num_nodes, int num_iter) {
    std::vector<std::string> words = {"smpirun", "-quiet"};
    const auto add = [&](const char* option, const std::string& value) {
        words.insert(words.end(), {option, value});
    };
    add("-np", std::to_string(num_nodes));
    add("-platform", (folder / "platform.xml").string());
    add("-hostfile", (folder / "hosts").string());
    for (const char* setting : {"smpi/privatization:dlopen", "smpi/simulate-computation:no",
                                "smpi/bw-factor:0:1", "smpi/lat-factor:0:1", "smpi/async-small-thresh:16384",
                                "network/TCP-gamma:-1", "network/crosstraffic:0", "network/weight-S:0",
                                "contexts/stack-size:4096", "contexts/guard-size:0"})
        words.push_back(fmt::format("--cfg={}", setting));
    words.emplace_back("--log=root.thresh:critical");
    words.insert(words.end(), {simulator.string(), folder.string(), std::to_string(num_iter),
                               log::format() == log::Format::json ? "json" : "text"});
    return words;
}

// But what is no news: every rank's StarPU says that SimGrid's MPI has one thread, and its launcher the exit
// code.
void pass_on(int pipe) {
    FILE* said = fdopen(pipe, "r");
    if (said == nullptr) return;
    char* line = nullptr;
    std::size_t size = 0;
    while (getline(&line, &size, said) >= 0) {
        const std::string_view text = line;
        const bool is_news = text.find("_starpu_mpi_print_thread_level_support") == text.npos &&
                             !text.starts_with("Execution failed with code") && text != "\n";
        if (is_news) std::fputs(line, stderr);
    }
    std::free(line);
    std::fclose(said);
}

int run(const std::vector<std::string>& command) {
    std::array<int, 2> pipe{};
    if (pipe2(pipe.data(), O_CLOEXEC) != 0) {
        throw runtime_failure("the simulator cannot be listened to ({})",
                              std::generic_category().message(errno));
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe[1], STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
    // Ctrl-C ends the simulator, and this program then takes the folder away.
    std::signal(SIGINT, SIG_IGN);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t interrupt;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    posix_spawnattr_setsigdefault(&attributes, &interrupt);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    std::vector<char*> words;
    for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    pid_t process = 0;
    const int failed = posix_spawnp(&process, words[0], &actions, &attributes, words.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    ::close(pipe[1]);
    if (failed != 0) {
        ::close(pipe[0]);
        throw runtime_failure("{} cannot be started ({}; tools/setup simgrid installs it)", command[0],
                              std::generic_category().message(failed));
    }
    pass_on(pipe[0]);
    int status = 0;
    while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void set_environment(const Path& folder) {
    const std::string place = folder.string();
    setenv("STARPU_HOME", place.c_str(), 1);
    setenv("STARPU_PERF_MODEL_DIR", place.c_str(), 1);
    setenv("STARPU_HOSTNAME", simulated_host_name, 1);
    setenv("STARPU_SILENT", "1", 0);
    // SimGrid asks for zeros for the stack of each of its many threads and keeps them all: from the system
    // they take memory only where they are touched, from what was freed before they would all be written.
    setenv("MALLOC_MMAP_THRESHOLD_", "1048576", 1);
    setenv("MALLOC_MMAP_MAX_", "1000000000", 1);
    setenv("TMPDIR", place.c_str(), 1);  // SimGrid copies the simulator for every rank
}

ExitCode exit_code(int status) {
    switch (static_cast<ExitCode>(status)) {
        case ExitCode::done:
        case ExitCode::usage:
        case ExitCode::data:
        case ExitCode::runtime:
            return static_cast<ExitCode>(status);
        default:
            throw runtime_failure("the simulator ended with code {} and no result", status);
    }
}

}  // namespace

ExitCode forecast(const ForecastOptions& options) {
    const RunConfig run_config = run_to_simulate(options);
    const MachineConfig machine = machine_to_simulate(options);
    require_simulable(run_config, machine.node);
    if (options.model) {
        forecast_by_model(run_config, machine, options.run_file.parent_path(), options.num_iter);
        return ExitCode::done;
    }
    const Path simulator = find_simulator();
    const TemporaryFolder folder;
    write(folder.path() / "run.yaml", write_run_config(run_config));
    write(folder.path() / "machine.yaml", write_machine_config(machine));
    write_platform(folder.path(), machine);
    set_environment(folder.path());
    return exit_code(run(command(simulator, folder.path(), machine.nodes, options.num_iter)));
}

}  // namespace tessera::app
