#include "codelets/runtime/trace_recorder.hpp"

#include <starpu_profiling.h>

#include <deque>

#include "codelets/runtime/graph_recorder.hpp"
#include "codelets/runtime/simulation.hpp"

namespace tessera {
namespace {

// An event on its way: what StarPU's callbacks get.
struct Pending {
    ScheduleEvent event;
    const char* codelet = nullptr;
    void (*then)(void*) = nullptr;  // the callback that the task had
    void* then_argument = nullptr;
};

double now_s() {
    return 1e-6 * starpu_timing_now();
}

double seconds(const timespec& time) {
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace

struct Recording {
    Recording(const Ranks& all_ranks, std::function<std::string(int)> name)
        : ranks(all_ranks), name_of_tag(std::move(name)) {}

    const Ranks& ranks;
    std::function<std::string(int)> name_of_tag;
    double start_s = 0;  // of this rank's clock
    int iteration = -1;
    std::deque<Pending> events;  // which stay where they are
    std::vector<Use> uses;

    void add_use(Pending& pending, starpu_data_handle_t handle, bool writes) {
        uses.push_back({reinterpret_cast<std::uintptr_t>(handle), writes});
        ++pending.event.num_uses;
    }
    Pending& add(EventKind kind) {
        Pending& pending = events.emplace_back();
        pending.event.kind = kind;
        pending.event.iteration = iteration;
        pending.event.first_use = static_cast<std::uint32_t>(uses.size());
        pending.event.submitted_s = now_s();
        return pending;
    }
};

namespace {

Recording* recorder = nullptr;

void task_is_done(void* argument) {
    auto& pending = *static_cast<Pending*>(argument);
    if (pending.then != nullptr) pending.then(pending.then_argument);
    const starpu_profiling_task_info* info = starpu_task_get_current()->profiling_info;
    if (info == nullptr) return;
    pending.event.worker = info->workerid;
    pending.event.ready_s = seconds(info->push_start_time);
    pending.event.start_s = seconds(info->start_time);
    pending.event.end_s = seconds(info->end_time);
}

void message_is_through(void* argument) {
    static_cast<Pending*>(argument)->event.end_s = now_s();
}

}  // namespace

TraceRecorder::TraceRecorder(const Ranks& ranks, std::function<std::string(int)> name_of_tag)
    : recording_(std::make_unique<Recording>(ranks, std::move(name_of_tag))) {
    TESSERA_EXPECT(recorder == nullptr);
    starpu_profiling_status_set(STARPU_PROFILING_ENABLE);
    ranks.wait_for_all();
    recording_->start_s = is_simulation ? 0 : now_s();  // SimGrid has one clock for all
    recorder = recording_.get();
}

// Tasks that are still on their way write where they were recorded.
TraceRecorder::~TraceRecorder() {
    recorder = nullptr;
    if (must_leave_at_once()) {
        static_cast<void>(recording_.release());
    } else {
        starpu_task_wait_for_all();
    }
}

Schedule TraceRecorder::collect() const {
    const Schedule own = of_this_rank();
    Schedule all;
    recording_->ranks.gather(pack(own),
                             [&](std::span<const std::byte> packed) { append_packed(all, packed); });
    return all;
}

Schedule TraceRecorder::of_this_rank() const {
    recording_->ranks.wait_for_tasks();
    Schedule own;
    RankSchedule& rank = own.ranks.emplace_back();
    for (unsigned w = 0; w < starpu_worker_get_count(); ++w) {
        char name[64];
        starpu_worker_get_name(static_cast<int>(w), name, sizeof name);
        rank.workers.emplace_back(name);
    }
    rank.uses = recording_->uses;
    for (const Pending& pending : recording_->events) {
        ScheduleEvent event = pending.event;
        const bool is_task = event.kind == EventKind::task;
        event.name = own.name_index(is_task ? pending.codelet : recording_->name_of_tag(event.tag));
        for (double* time : {&event.submitted_s, &event.ready_s, &event.start_s, &event.end_s})
            *time -= recording_->start_s;
        rank.events.push_back(event);
    }
    return own;
}

void trace_task(starpu_task& task) {
    if (recorder == nullptr) return;
    Pending& pending = recorder->add(EventKind::task);
    pending.codelet = task.cl->name;
    pending.event.priority = task.priority;
    for (int i = 0; i < task.cl->nbuffers; ++i)
        recorder->add_use(pending, task.handles[i], (task.cl->modes[i] & STARPU_W) != 0);
    pending.then = task.callback_func;
    pending.then_argument = task.callback_arg;
    task.callback_func = task_is_done;
    task.callback_arg = &pending;
}

MessageDone trace_message(EventKind kind, const Data& data, int peer, int tag) {
    if (recorder == nullptr) return {};
    Pending& pending = recorder->add(kind);
    pending.event.peer = peer;
    pending.event.tag = tag;
    pending.event.bytes = static_cast<std::int64_t>(data.bytes());
    pending.event.ready_s = pending.event.start_s = pending.event.end_s = pending.event.submitted_s;
    recorder->add_use(pending, data.handle(), kind == EventKind::receive);
    return {message_is_through, &pending};
}

void trace_iteration(int iteration) {
    if (GraphRecorder* graph = GraphRecorder::current(); graph != nullptr) graph->begin_iteration(iteration);
    if (recorder != nullptr) recorder->iteration = iteration;
}

}  // namespace tessera
