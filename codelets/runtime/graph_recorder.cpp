#include "codelets/runtime/graph_recorder.hpp"

#include "base/error.hpp"
#include "codelets/runtime/codelet.hpp"
#include "codelets/runtime/data.hpp"

namespace tessera {
namespace {

// Handles are only told apart: number i stands for datum i - 1, since a handle that is null is none.
starpu_data_handle_t handle_of(std::size_t datum) {
    return reinterpret_cast<starpu_data_handle_t>(datum + 1);
}
std::uint64_t datum_of(starpu_data_handle_t handle) {
    return reinterpret_cast<std::uintptr_t>(handle) - 1;
}

}  // namespace

GraphRecorder::GraphRecorder(SubmittedGraph& graph, std::function<std::string(int)> name_of_tag)
    : graph_(graph),
      rank_(graph.schedule.ranks.emplace_back()),
      needs_(graph.needs.emplace_back()),
      name_of_tag_(std::move(name_of_tag)) {
    TESSERA_EXPECT(current_ == nullptr);
    current_ = this;
}

GraphRecorder::~GraphRecorder() {
    current_ = nullptr;
}

ScheduleEvent& GraphRecorder::add(EventKind kind, const std::string& name) {
    ScheduleEvent& event = rank_.events.emplace_back();
    event.kind = kind;
    event.name = graph_.schedule.name_index(name);
    event.iteration = iteration_;
    event.first_use = static_cast<std::uint32_t>(rank_.uses.size());
    needs_.of_events.emplace_back();
    return event;
}

void GraphRecorder::add_task(const char* codelet, int priority, bool on_gpu, double duration_s) {
    add(EventKind::task, codelet).priority = effective_priority(priority);
    needs_.of_events.back() = {duration_s, on_gpu};
}

void GraphRecorder::add_message(EventKind kind, const Data& data, int peer, int tag) {
    ScheduleEvent& event = add(kind, name_of_tag_(tag));
    event.peer = peer;
    event.tag = tag;
    event.bytes = static_cast<std::int64_t>(data.bytes());
    add_use(data, kind == EventKind::receive ? STARPU_W : STARPU_R);
}

void GraphRecorder::add_use(const Data& data, starpu_data_access_mode mode) {
    rank_.uses.push_back({datum_of(data.handle()), (mode & STARPU_W) != 0});
    needs_.reads.push_back((mode & STARPU_R) != 0);
    ++rank_.events.back().num_uses;
}

starpu_data_handle_t GraphRecorder::add_datum(std::size_t bytes) {
    needs_.datum_bytes.push_back(static_cast<std::int64_t>(bytes));
    return handle_of(needs_.datum_bytes.size() - 1);
}

}  // namespace tessera
