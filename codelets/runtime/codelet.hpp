#pragma once

#include <starpu.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <initializer_list>
#include <new>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "base/error.hpp"
#include "codelets/runtime/data.hpp"
#include "codelets/runtime/graph_recorder.hpp"
#include "codelets/runtime/trace_recorder.hpp"

namespace tessera {

// A stock StarPU allows this many handles in a task.
inline constexpr std::size_t max_buffers = 8;

// What a task costs, for schedulers, statistics and simulation.
struct Cost {
    double flops = 0;
    double bytes = 0;
};

// Bytes that each of a task's buffers must have at least; zero beyond the last.
using BufferBytes = std::array<std::size_t, max_buffers>;

// A task's data on the memory node where it runs, in the order of the codelet's accesses.
class Buffers {
  public:
    explicit Buffers(void** raw) : raw_(raw) {}
    template <class T>
    T* get(std::size_t i) const {
        return reinterpret_cast<T*>(STARPU_VECTOR_GET_PTR(raw_[i]));
    }

  private:
    void** raw_;
};

// The kinds of workers that differ in speed.
enum class WorkerKind : std::int8_t { core, gpu };

// Time and number of the tasks of one codelet in this process, over all workers.
struct CodeletStatistics {
    const char* name = "";  // no dynamic initialisation: codelets are globals too
    std::atomic<std::int64_t> nanoseconds = 0;
    std::atomic<std::int64_t> tasks = 0;
    // What those submitted would take at default_speed() of the kind of worker that they are for.
    double nominal_us = 0;
    // Measured over nominal time on a core and on a GPU, where that is known; 0: not.
    std::array<double, 2> calibration{};
};
std::vector<CodeletStatistics*>& codelet_statistics();
void reset_codelet_statistics();
void count_task(CodeletStatistics& statistics, std::chrono::nanoseconds took);
// Has StarPU's clock count the task if it runs on a GPU.
void count_device_time(starpu_task& task, CodeletStatistics& statistics);

// An exception inside a task cannot cross StarPU's C frames: it is noted here, the first one wins, and the
// host throws it. Errors keep their exit code; all but data Errors, which name a file, are told with the
// codelet. From then on the bodies of tasks return at once: nothing that they make is wanted any more.
void note_task_failure(const char* codelet, const std::exception& failure) noexcept;
void throw_task_failure();  // if there is one
bool a_task_has_failed();
void forget_task_failures();  // when StarPU starts again

// What a device body is written with (codelets/device/device.hpp).
class Device;
Device& device_of_this_worker();
template <class Args>
using DeviceBody = void (*)(const Args&, const Buffers&, Device&);

// A device body, where this build has any.
#if defined(TESSERA_WITH_CUDA) || defined(TESSERA_WALKED)
#define TESSERA_ON_DEVICE(body) body
#else
#define TESSERA_ON_DEVICE(body) nullptr
#endif

// Where tasks run: decided once, when StarPU starts.
enum class TaskPlacement { cpus, gpus, anywhere };
void place_tasks(TaskPlacement placement);
std::int32_t task_placement();  // for starpu_task::where
WorkerKind kind_of_worker(std::int32_t where);
WorkerKind kind_of_worker(const starpu_perfmodel_arch* arch);

// Whether tasks have the priorities that they are submitted with, or are all equal: likewise.
void rank_tasks(bool have_priorities);
int effective_priority(int priority);

// Kinds of workers differ in speed by orders of magnitude, which is all that a scheduler has to know before
// it has seen a task. A simulation takes its durations from here: what was measured, as a multiple of the
// time at default speed, where that is known, else the time at the speed of the machine that is simulated.
struct NominalSpeed {
    double flops_per_us = 1, bytes_per_us = 1, overhead_us = 0;

    double time_us(const Cost& cost) const {
        return overhead_us + std::max(cost.flops / flops_per_us, cost.bytes / bytes_per_us);
    }
};
const NominalSpeed& default_speed(WorkerKind kind);
void set_nominal_speeds(const NominalSpeed& core, const NominalSpeed& gpu);
double modelled_us(const CodeletStatistics& statistics, const Cost& cost, WorkerKind kind);

// One operation: its name, how it uses its buffers, its body for each device, its cost. `Args` is a trivially
// copyable struct with `BufferBytes buffer_bytes() const`. Codelets are global constants; an engine only
// submits them.
template <class Args>
class Codelet {
  public:
    static_assert(std::is_trivially_copyable_v<Args>);

    template <void (*Cpu)(const Args&, const Buffers&), DeviceBody<Args> OnDevice,
              Cost (*CostOf)(const Args&)>
    static Codelet make(const char* name, std::initializer_list<Access> accesses) {
        return Codelet(name, accesses, entries<Cpu, OnDevice, CostOf>(), &statistics_of<Cpu>, CostOf);
    }
    // One that runs on the CPU also where GPUs compute.
    template <void (*Cpu)(const Args&, const Buffers&), Cost (*CostOf)(const Args&)>
    static Codelet make_for_host(const char* name, std::initializer_list<Access> accesses) {
        return Codelet(
            name, accesses,
            {&cpu_entry<Cpu>, nullptr, &gated_entry<&cpu_entry<Cpu>>, &cost_entry<Cpu, CostOf>, false},
            &statistics_of<Cpu>, CostOf);
    }
    Codelet(const Codelet&) = delete;
    Codelet& operator=(const Codelet&) = delete;

    // Submits one task. Larger priorities run first where the scheduler looks at them. Throws an Error that
    // names the codelet when the number or the size of the data is wrong, or nothing can run it.
    // `gate`: data that begins with a 32-bit integer. The task comes after those that write it, and where
    // that is not 0 nobody wants what the task makes: CPUs then leave it out, a GPU may make it all the same.
    void submit(const Args& args, std::initializer_list<const Data*> data, int priority = 0,
                const Data* gate = nullptr) const {
        check(args, data);
        TESSERA_EXPECT(gate == nullptr || num_buffers_ < max_buffers);
        if (GraphRecorder::current() != nullptr) return record(args, data, priority, gate);
        void* copy = std::malloc(sizeof(Args));
        if (copy == nullptr) throw std::bad_alloc();
        new (copy) Args(args);
        starpu_task* task = starpu_task_create();
        task->cl = gate == nullptr ? &codelet_ : &gated_;
        task->cl_arg = copy;
        task->cl_arg_size = sizeof(Args);
        task->cl_arg_free = 1;
        task->where = codelet_.cuda_funcs[0] != nullptr ? task_placement() : STARPU_CPU;
        task->priority = effective_priority(priority);
        const Cost cost = cost_of_(args);
        task->flops = cost.flops;
        statistics_->nominal_us += default_speed(kind_of_worker(task->where)).time_us(cost);
        count_device_time(*task, *statistics_);
        std::size_t i = 0;
        for (const Data* item : data) STARPU_TASK_SET_HANDLE(task, item->handle(), i++);
        if (gate != nullptr) STARPU_TASK_SET_HANDLE(task, gate->handle(), i);
        trace_task(*task);
        if (const int failed = starpu_task_submit(task); failed != 0) {
            task->destroy = 0;
            starpu_task_destroy(task);
            throw runtime_failure("codelet {}: no worker can run it (StarPU's error {})", codelet_.name,
                                  -failed);
        }
    }

  private:
    using Entry = void (*)(void* buffers[], void* args);
    struct Entries {
        Entry cpu = nullptr, cuda = nullptr, gated_cpu = nullptr;
        double (*cost)(starpu_task*, starpu_perfmodel_arch*, unsigned) = nullptr;
        bool runs_on_gpus = true;  // has a device body, whether or not this build has it
    };

    Codelet(const char* name, std::initializer_list<Access> accesses, const Entries& entries,
            CodeletStatistics* statistics, Cost (*cost_of)(const Args&))
        : num_buffers_(accesses.size()),
          runs_on_gpus_(entries.runs_on_gpus),
          cost_of_(cost_of),
          statistics_(statistics) {
        TESSERA_EXPECT(accesses.size() <= max_buffers);
        statistics->name = name;
        codelet_statistics().push_back(statistics);
        starpu_codelet_init(&codelet_);
        codelet_.name = name;
        codelet_.cpu_funcs[0] = entries.cpu;
        codelet_.cuda_funcs[0] = entries.cuda;
        if (entries.cuda != nullptr) codelet_.cuda_flags[0] = STARPU_CUDA_ASYNC;
        codelet_.nbuffers = static_cast<int>(accesses.size());
        std::size_t i = 0;
        for (const Access access : accesses) codelet_.modes[i++] = to_starpu(access);
        model_.type = STARPU_PER_ARCH;
        model_.symbol = name;
        model_.arch_cost_function = entries.cost;
        codelet_.model = &model_;
        if (num_buffers_ == max_buffers) return;
        gated_ = codelet_;
        gated_.cpu_funcs[0] = entries.gated_cpu;
        gated_.nbuffers = codelet_.nbuffers + 1;
        gated_.modes[num_buffers_] = STARPU_R;
    }

    void check(const Args& args, std::initializer_list<const Data*> data) const {
        if (data.size() != num_buffers_) {
            throw runtime_failure("codelet {}: {} data given, {} expected", codelet_.name, data.size(),
                                  num_buffers_);
        }
        const BufferBytes wanted = args.buffer_bytes();
        std::size_t i = 0;
        for (const Data* item : data) {
            if (item == nullptr || item->empty() || item->bytes() < wanted[i]) {
                throw runtime_failure("codelet {}: data {} has {} bytes, {} needed", codelet_.name, i,
                                      item == nullptr ? 0 : item->bytes(), wanted[i]);
            }
            ++i;
        }
    }

    void record(const Args& args, std::initializer_list<const Data*> data, int priority,
                const Data* gate) const {
        const WorkerKind kind = runs_on_gpus_ ? kind_of_worker(task_placement()) : WorkerKind::core;
        GraphRecorder& recorder = *GraphRecorder::current();
        recorder.add_task(codelet_.name, priority, kind == WorkerKind::gpu,
                          1e-6 * modelled_us(*statistics_, cost_of_(args), kind));
        std::size_t i = 0;
        for (const Data* item : data) recorder.add_use(*item, codelet_.modes[i++]);
        if (gate != nullptr) recorder.add_use(*gate, STARPU_R);
    }

    template <void (*Cpu)(const Args&, const Buffers&), DeviceBody<Args> OnDevice,
              Cost (*CostOf)(const Args&)>
    static constexpr Entries entries() {
        Entries all;
        all.cpu = &cpu_entry<Cpu>;
        all.gated_cpu = &gated_entry<&cpu_entry<Cpu>>;
        all.cost = &cost_entry<Cpu, CostOf>;
#if defined(TESSERA_WALKED)
        all.cpu = all.gated_cpu = &walked_entry<Cpu, OnDevice>;
#elif defined(TESSERA_WITH_CUDA)
        all.cuda = &cuda_entry<Cpu, OnDevice>;
#elif defined(TESSERA_WITH_SIMGRID)
        all.cuda = all.cpu;  // says that GPUs can run it; nothing is called in a simulation
#endif
        return all;
    }

    template <class Body>
    static void run(CodeletStatistics& statistics, const Body& body) noexcept {
        if (a_task_has_failed()) return;
        const auto begin = std::chrono::steady_clock::now();
        try {
            body();
        } catch (const std::exception& failure) {
            note_task_failure(statistics.name, failure);
        }
        count_task(statistics, std::chrono::steady_clock::now() - begin);
    }

    template <void (*Cpu)(const Args&, const Buffers&)>
    static void cpu_entry(void* buffers[], void* args) noexcept {
        run(statistics_of<Cpu>, [&] { Cpu(*static_cast<const Args*>(args), Buffers(buffers)); });
    }

    // Behind a gate, which is the last buffer.
    template <Entry Open>
    static void gated_entry(void* buffers[], void* args) noexcept {
        const auto gate = static_cast<std::size_t>(starpu_task_get_current()->cl->nbuffers - 1);
        if (*Buffers(buffers).get<const std::int32_t>(gate) == 0) Open(buffers, args);
    }

    template <void (*Cpu)(const Args&, const Buffers&), DeviceBody<Args> OnDevice>
    static void walked_entry(void* buffers[], void* args) noexcept {
        run(statistics_of<Cpu>,
            [&] { OnDevice(*static_cast<const Args*>(args), Buffers(buffers), device_of_this_worker()); });
    }

    // The body only queues work on the stream: how long that takes on the device is asked of StarPU when the
    // task is done.
    template <void (*Cpu)(const Args&, const Buffers&), DeviceBody<Args> OnDevice>
    static void cuda_entry(void* buffers[], void* args) noexcept {
        if (a_task_has_failed()) return;
        try {
            OnDevice(*static_cast<const Args*>(args), Buffers(buffers), device_of_this_worker());
        } catch (const std::exception& failure) {
            note_task_failure(statistics_of<Cpu>.name, failure);
        }
    }

    template <void (*Cpu)(const Args&, const Buffers&), Cost (*CostOf)(const Args&)>
    static double cost_entry(starpu_task* task, starpu_perfmodel_arch* arch, unsigned) {
        return modelled_us(statistics_of<Cpu>, CostOf(*static_cast<const Args*>(task->cl_arg)),
                           kind_of_worker(arch));
    }

    template <void (*Cpu)(const Args&, const Buffers&)>
    inline static CodeletStatistics statistics_of{};

    std::size_t num_buffers_;
    bool runs_on_gpus_;
    Cost (*cost_of_)(const Args&);
    CodeletStatistics* statistics_;
    mutable starpu_codelet codelet_{}, gated_{};
    mutable starpu_perfmodel model_{};
};

}  // namespace tessera
