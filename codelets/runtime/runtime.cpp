#include "codelets/runtime/runtime.hpp"

#include <sched.h>
#include <starpu.h>
#include <starpu_mpi.h>
#include <starpu_profiling.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/memory.hpp"
#include "codelets/runtime/codelet.hpp"
#include "codelets/runtime/gpus.hpp"
#include "codelets/runtime/simulation.hpp"
#include "math/fft.hpp"

namespace tessera {
namespace {

bool is_writable_folder(const std::filesystem::path& folder) {
    std::error_code failed;
    std::filesystem::create_directories(folder, failed);
    return !failed && access(folder.c_str(), W_OK) == 0;
}

// StarPU keeps calibrations under STARPU_HOME and ends the program when it cannot; compute nodes often have
// homes that are only read.
void set_environment() {
    setenv("STARPU_SILENT", "1", 0);
    setenv("STARPU_FXT_TRACE", "0", 0);
    // Workers stay on the cores that this process may use (taskset, a launcher's binding).
    if (!is_simulation) setenv("STARPU_WORKERS_GETBIND", "1", 0);
    if (std::getenv("STARPU_HOME") != nullptr) return;
    auto folder = cache_folder() / "starpu";
    if (cache_folder().empty() || !is_writable_folder(folder)) {
        folder = std::filesystem::temp_directory_path() / fmt::format("tessera-{}", getuid());
        if (!is_writable_folder(folder)) {
            throw runtime_failure("{} cannot be written, nor the cache folder (set TESSERA_CACHE)",
                                  folder.string());
        }
    }
    setenv("STARPU_HOME", folder.c_str(), 1);
}

// StarPU 1.3 would bind the workers of all ranks to the same first cores; where the launcher bound ranks,
// their threads stay inside anyway.
void set_environment_of_ranks() {
    setenv("STARPU_WORKERS_NOBIND", "1", 0);
    setenv("STARPU_MPI_NOBIND", "1", 0);
}

// STARPU_NCPU is taken away once it is read: StarPU ends the program on a value that it does not like.
int wanted_workers(const RuntimeConfig& config) {
    const char* variable = std::getenv("STARPU_NCPU");
    const std::string asked = variable != nullptr ? variable : "";
    unsetenv("STARPU_NCPU");
    if (config.cpus) return *config.cpus;
    if (asked.empty()) return -1;
    int workers = 0;
    const auto [end, failed] = std::from_chars(asked.data(), asked.data() + asked.size(), workers);
    if (failed != std::errc() || end != asked.data() + asked.size() || workers < 1) {
        throw usage_error("STARPU_NCPU: '{}' is not a number of workers (1 or more)", asked);
    }
    setenv("STARPU_NCPU", asked.c_str(), 1);
    return workers;
}

std::string wanted_scheduler(const RuntimeConfig& config, int num_gpus) {
    if (config.scheduler) return *config.scheduler;
    const char* environment = std::getenv("STARPU_SCHED");
    if (environment != nullptr && *environment != '\0') return environment;
    return num_gpus > 0 ? "dmdas" : "lws";
}

void check_scheduler(const std::string& name) {
    std::string known;
    // Debian's heteroprio cannot start without a configuration of its own.
    const auto usable = [](const std::string& policy) { return policy != "heteroprio"; };
    for (starpu_sched_policy** policy = starpu_sched_get_predefined_policies(); *policy != nullptr;
         ++policy) {
        if (!usable((*policy)->policy_name)) continue;
        if (name == (*policy)->policy_name) return;
        known += fmt::format("{}{}", known.empty() ? "" : ", ", (*policy)->policy_name);
    }
    throw usage_error("runtime.scheduler (or STARPU_SCHED): {} is not a scheduler of this StarPU (it has {})",
                      name, known);
}

// With several ranks one core is left to the thread that communicates, where there are some.
int cores_for_workers(const Ranks& ranks) {
    const int cores = std::max(num_usable_cores() / ranks.on_the_same_cores(), 1);
    return ranks.are_several() && cores > 2 ? cores - 1 : cores;
}

}  // namespace

int num_usable_cores() {
    if (simulated_node() != nullptr) return simulated_node()->num_cores;
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(CPU_COUNT(&set), 1);
    return static_cast<int>(std::max(sysconf(_SC_NPROCESSORS_ONLN), 1L));
}

Machine machine_for(const RuntimeConfig& config, const Ranks& ranks) {
    Machine machine;
    // Some of it for the system and the files that it holds.
    const SimulatedNode* node = simulated_node();
    const std::size_t memory = node != nullptr ? node->host_memory_bytes : memory_bound().bytes;
    machine.host_memory_bytes = memory / 10 * 9 / static_cast<std::size_t>(ranks.on_this_node());
    const int gpus_there = node != nullptr ? node->num_gpus : num_usable_gpus();
    machine.num_gpus = config.gpus.value_or(gpus_there);
    if (machine.num_gpus > gpus_there) {
        throw runtime_failure("runtime.gpus: {} asked for, {} to be had ({})", machine.num_gpus, gpus_there,
                              why_no_more_gpus());
    }
    machine.num_cpus = config.cpus.value_or(cores_for_workers(ranks));
    // Without CPU tasks their workers would only keep the threads that drive the GPUs from their cores.
    if (machine.num_gpus > 0 && !config.mixed) machine.num_cpus = 0;
    if (machine.num_gpus > 0)
        machine.gpu_memory_bytes =
            node != nullptr ? usable_gpu_memory(config, *node) : usable_gpu_memory(config, machine.num_gpus);
    return machine;
}

Runtime::Runtime(const RuntimeConfig& config, const Ranks& ranks, const OutOfCoreNeeds& needs)
    : communicates_(ranks.are_several()),
      machine_(machine_for(config, ranks)),
      scheduler_(wanted_scheduler(config, machine_.num_gpus)) {
    forget_task_failures();
    set_environment();
    if (communicates_) set_environment_of_ranks();
    check_scheduler(scheduler_);
    const bool is_driven_by_gpus = machine_.num_gpus > 0 && !config.mixed;
    const int asked_workers = wanted_workers(config);
    const int workers = asked_workers < 0 && communicates_ ? machine_.num_cpus : asked_workers;
    starpu_conf conf;
    starpu_conf_init(&conf);
    conf.precedence_over_environment_variables = 1;
    conf.sched_policy_name = scheduler_.c_str();
    conf.ncuda = machine_.num_gpus;
    conf.nopencl = 0;
    const int readers = needs.reads_frames ? num_reading_workers : 0;
    conf.ncpus = is_driven_by_gpus ? readers : workers;
    limit_gpu_memory(machine_);
    if (needs.disk) disk_.emplace(*needs.disk);
    if (const int failed = starpu_init(&conf); failed != 0) {
        throw runtime_failure("StarPU does not start (its error {}): is there a CPU core to run on?",
                              -failed);
    }
    starpu_malloc_set_align(64);
    if (disk_) disk_->register_with_starpu();
    if (communicates_ && starpu_mpi_init_comm(nullptr, nullptr, 0, MPI_COMM_WORLD) != 0)
        throw runtime_failure("StarPU-MPI does not start");
    machine_.num_cpus = is_driven_by_gpus ? 0 : static_cast<int>(starpu_cpu_worker_get_count());
    const int gpus = static_cast<int>(starpu_cuda_worker_get_count());
    rank_tasks(config.priorities);
    place_tasks(machine_.num_gpus == 0 ? TaskPlacement::cpus
                : config.mixed         ? TaskPlacement::anywhere
                                       : TaskPlacement::gpus);
    if (machine_.num_gpus > 0) starpu_profiling_status_set(STARPU_PROFILING_ENABLE);
    if (gpus < machine_.num_gpus) {
        starpu_shutdown();
        throw runtime_failure("runtime.gpus: StarPU starts {} of {} GPUs (it was built for at most {})", gpus,
                              machine_.num_gpus, STARPU_MAXCUDADEVS);
    }
    if (is_driven_by_gpus) return;
    if (config.cpus && machine_.num_cpus < *config.cpus) {
        const int got = machine_.num_cpus;
        starpu_shutdown();
        throw runtime_failure(
            "runtime.cpus: {} workers asked for, this StarPU starts {} (Debian's is built for at most 4: "
            "tools/starpu/build cpu makes one without that limit)",
            *config.cpus, got);
    }
    if (conf.ncpus < 0 && machine_.num_cpus < num_usable_cores()) {
        log::warning(
            "this StarPU uses {} of {} cores (it was built for at most {}): tools/starpu/build cpu makes one "
            "without "
            "that limit",
            machine_.num_cpus, num_usable_cores(), STARPU_MAXCPUS);
    }
}

Runtime::~Runtime() {
    if (must_leave_at_once()) return;
    if (communicates_) starpu_mpi_wait_for_all(MPI_COMM_WORLD);
    starpu_task_wait_for_all();
    release_gpus();
    if (communicates_) starpu_mpi_shutdown();
    starpu_shutdown();
}

std::string Runtime::description() const {
    int major = 0, minor = 0, release = 0;
    starpu_get_version(&major, &minor, &release);
    const auto counted = [](int number, const char* what) {
        return number == 0 ? std::string() : fmt::format(", {} {}{}", number, what, number == 1 ? "" : "s");
    };
    return fmt::format("StarPU {}.{}.{}{}{}, scheduler {}", major, minor, release,
                       counted(machine_.num_gpus, "GPU"), counted(machine_.num_cpus, "CPU worker"),
                       scheduler_);
}

RestingWorkers::RestingWorkers() {
    starpu_task_wait_for_all();
    starpu_pause();
}

RestingWorkers::~RestingWorkers() {
    starpu_resume();
}

}  // namespace tessera
