#pragma once

#include <starpu.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "codelets/runtime/data.hpp"
#include "codelets/runtime/ranks.hpp"
#include "trace/schedule.hpp"

namespace tessera {

struct Recording;

// While it lives, every task and every message between ranks is recorded, with the data that they use and the
// times that StarPU's own profiling takes: any StarPU can do that. One at a time in a process. Costs about a
// microsecond and 150 bytes a task.
class TraceRecorder {
  public:
    // `name_of_tag`: what kind of message has this tag.
    explicit TraceRecorder(const Ranks& ranks, std::function<std::string(int tag)> name_of_tag);
    ~TraceRecorder();
    TraceRecorder(const TraceRecorder&) = delete;
    TraceRecorder& operator=(const TraceRecorder&) = delete;

    // After the last task is done. All ranks call it; the first gets all ranks' events, the others nothing.
    Schedule collect() const;
    Schedule of_this_rank() const;  // alone

  private:
    std::unique_ptr<Recording> recording_;
};

// Called for everything that is submitted; nothing happens without a recorder.
void trace_task(starpu_task& task);
// What is to be called when a message is through: StarPU-MPI's callback and its argument.
struct MessageDone {
    void (*call)(void*) = nullptr;
    void* argument = nullptr;
};
MessageDone trace_message(EventKind kind, const Data& data, int peer, int tag);
// What is submitted from now on belongs to this iteration of the run.
void trace_iteration(int iteration);

}  // namespace tessera
