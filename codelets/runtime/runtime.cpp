#include "codelets/runtime/runtime.hpp"

#include <sched.h>
#include <starpu.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/error.hpp"
#include "base/log.hpp"
#include "math/fft.hpp"

namespace tessera {
namespace {

// StarPU keeps calibrations under STARPU_HOME and names them by host: machines named alike must not share
// them.
void set_environment() {
    setenv("STARPU_SILENT", "1", 0);
    setenv("STARPU_FXT_TRACE", "0", 0);
    if (const auto folder = cache_folder(); !folder.empty())
        setenv("STARPU_HOME", (folder / "starpu").c_str(), 0);
}

std::string wanted_scheduler(const RuntimeConfig& config) {
    if (config.scheduler) return *config.scheduler;
    const char* environment = std::getenv("STARPU_SCHED");
    return environment != nullptr && *environment != '\0' ? environment : "lws";
}

void check_scheduler(const std::string& name) {
    std::string known;
    for (starpu_sched_policy** policy = starpu_sched_get_predefined_policies(); *policy != nullptr;
         ++policy) {
        if (name == (*policy)->policy_name) return;
        known += fmt::format("{}{}", known.empty() ? "" : ", ", (*policy)->policy_name);
    }
    throw usage_error("runtime.scheduler: {} is not a scheduler of this StarPU (it has {})", name, known);
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
    starpu_conf conf;
    starpu_conf_init(&conf);
    conf.precedence_over_environment_variables = 1;
    conf.sched_policy_name = scheduler_.c_str();
    conf.ncuda = 0;
    conf.nopencl = 0;
    conf.ncpus = config.cpus.value_or(-1);
    if (!config.cpus) {
        if (const char* asked = std::getenv("STARPU_NCPU"); asked != nullptr) conf.ncpus = std::atoi(asked);
    }
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
