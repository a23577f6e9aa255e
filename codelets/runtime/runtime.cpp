#include "codelets/runtime/runtime.hpp"

#include <sched.h>
#include <starpu.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>

#include "base/error.hpp"
#include "base/log.hpp"
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

std::string wanted_scheduler(const RuntimeConfig& config) {
    if (config.scheduler) return *config.scheduler;
    const char* environment = std::getenv("STARPU_SCHED");
    return environment != nullptr && *environment != '\0' ? environment : "lws";
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

}  // namespace

int num_usable_cores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(CPU_COUNT(&set), 1);
    return static_cast<int>(std::max(sysconf(_SC_NPROCESSORS_ONLN), 1L));
}

Runtime::Runtime(const RuntimeConfig& config) : scheduler_(wanted_scheduler(config)) {
    set_environment();
    check_scheduler(scheduler_);
    const int workers = wanted_workers(config);
    starpu_conf conf;
    starpu_conf_init(&conf);
    conf.precedence_over_environment_variables = 1;
    conf.sched_policy_name = scheduler_.c_str();
    conf.ncuda = 0;
    conf.nopencl = 0;
    conf.ncpus = workers;
    if (const int failed = starpu_init(&conf); failed != 0) {
        throw runtime_failure("StarPU does not start (its error {}): is there a CPU core to run on?",
                              -failed);
    }
    starpu_malloc_set_align(64);
    num_workers_ = static_cast<int>(starpu_cpu_worker_get_count());
    if (config.cpus && num_workers_ < *config.cpus) {
        const int got = num_workers_;
        starpu_shutdown();
        throw runtime_failure(
            "runtime.cpus: {} workers asked for, this StarPU starts {} (Debian's is built for at most 4: "
            "tools/starpu/build cpu makes one without that limit)",
            *config.cpus, got);
    }
    if (conf.ncpus < 0 && num_workers_ < num_usable_cores()) {
        log::warning(
            "this StarPU uses {} of {} cores (it was built for at most {}): tools/starpu/build cpu makes one "
            "without "
            "that limit",
            num_workers_, num_usable_cores(), STARPU_MAXCPUS);
    }
}

Runtime::~Runtime() {
    starpu_task_wait_for_all();
    starpu_shutdown();
}

std::string Runtime::description() const {
    int major = 0, minor = 0, release = 0;
    starpu_get_version(&major, &minor, &release);
    return fmt::format("StarPU {}.{}.{}, {} CPU worker{}, scheduler {}", major, minor, release, num_workers_,
                       num_workers_ == 1 ? "" : "s", scheduler_);
}

}  // namespace tessera
