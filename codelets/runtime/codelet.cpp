#include "codelets/runtime/codelet.hpp"

#include <starpu_profiling.h>

#include <mutex>
#include <optional>

namespace tessera {
namespace {

struct TaskFailure {
    std::mutex lock;
    std::optional<Error> first;
};
std::atomic<bool> has_failed = false;

TaskPlacement placement_of_tasks = TaskPlacement::cpus;
bool tasks_have_priorities = true;

std::array<NominalSpeed, 2> nominal_speeds = {default_speed(WorkerKind::core),
                                              default_speed(WorkerKind::gpu)};

TaskFailure& task_failure() {
    static TaskFailure instance;
    return instance;
}

}  // namespace

std::vector<CodeletStatistics*>& codelet_statistics() {
    static std::vector<CodeletStatistics*> all;
    return all;
}

void reset_codelet_statistics() {
    for (CodeletStatistics* statistics : codelet_statistics()) {
        statistics->nanoseconds = 0;
        statistics->tasks = 0;
        statistics->nominal_us = 0;
    }
}

void count_task(CodeletStatistics& statistics, std::chrono::nanoseconds took) {
    statistics.nanoseconds.fetch_add(took.count(), std::memory_order_relaxed);
    statistics.tasks.fetch_add(1, std::memory_order_relaxed);
}

void count_device_time(starpu_task& task, CodeletStatistics& statistics) {
    if (placement_of_tasks == TaskPlacement::cpus) return;
    task.callback_arg = &statistics;
    task.callback_func = [](void* counted) {
        starpu_profiling_task_info* info = starpu_task_get_current()->profiling_info;
        if (info == nullptr || starpu_worker_get_type(info->workerid) != STARPU_CUDA_WORKER) return;
        const double us = starpu_timing_timespec_delay_us(&info->start_time, &info->end_time);
        count_task(*static_cast<CodeletStatistics*>(counted),
                   std::chrono::nanoseconds(static_cast<std::int64_t>(1e3 * us)));
    };
}

void place_tasks(TaskPlacement placement) {
    placement_of_tasks = placement;
}

void rank_tasks(bool have_priorities) {
    tasks_have_priorities = have_priorities;
}

int effective_priority(int priority) {
    return tasks_have_priorities ? priority : 0;
}

std::int32_t task_placement() {
    switch (placement_of_tasks) {
        case TaskPlacement::cpus:
            return STARPU_CPU;
        case TaskPlacement::gpus:
            return STARPU_CUDA;
        case TaskPlacement::anywhere:
            return STARPU_CPU | STARPU_CUDA;
    }
    return STARPU_CPU;
}

WorkerKind kind_of_worker(std::int32_t where) {
    return where == STARPU_CUDA ? WorkerKind::gpu : WorkerKind::core;
}

WorkerKind kind_of_worker(const starpu_perfmodel_arch* arch) {
    const bool is_gpu = arch != nullptr && arch->ndevices > 0 && arch->devices[0].type == STARPU_CUDA_WORKER;
    return is_gpu ? WorkerKind::gpu : WorkerKind::core;
}

// A core with AVX2; a data centre's GPU with transforms between its second-level cache and its memory.
const NominalSpeed& default_speed(WorkerKind kind) {
    static constexpr NominalSpeed core = {15e3, 8e3, 2}, gpu = {4e6, 2e6, 15};
    return kind == WorkerKind::gpu ? gpu : core;
}

void set_nominal_speeds(const NominalSpeed& core, const NominalSpeed& gpu) {
    nominal_speeds = {core, gpu};
}

double modelled_us(const CodeletStatistics& statistics, const Cost& cost, WorkerKind kind) {
    const double calibration = statistics.calibration[static_cast<std::size_t>(kind)];
    return calibration > 0 ? calibration * default_speed(kind).time_us(cost)
                           : nominal_speeds[static_cast<std::size_t>(kind)].time_us(cost);
}

void note_task_failure(const char* codelet, const std::exception& failure) noexcept {
    try {
        const std::lock_guard guard(task_failure().lock);
        if (has_failed.exchange(true)) return;
        const auto* error = dynamic_cast<const Error*>(&failure);
        const ExitCode code = error != nullptr ? error->code() : ExitCode::runtime;
        task_failure().first.emplace(code, code == ExitCode::data
                                               ? failure.what()
                                               : fmt::format("codelet {}: {}", codelet, failure.what()));
    } catch (...) {
        std::abort();  // not even a message can be kept
    }
}

void throw_task_failure() {
    const std::lock_guard guard(task_failure().lock);
    if (!task_failure().first) return;
    const Error first = *task_failure().first;
    task_failure().first.reset();
    throw first;
}

bool a_task_has_failed() {
    return has_failed.load(std::memory_order_relaxed);
}

void forget_task_failures() {
    const std::lock_guard guard(task_failure().lock);
    task_failure().first.reset();
    has_failed = false;
}

}  // namespace tessera
