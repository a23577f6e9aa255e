#pragma once

#include <starpu.h>

#include <cstdint>
#include <functional>
#include <string>

#include "cluster/submitted_graph.hpp"

namespace tessera {

class Data;

// While it lives, what is submitted in this process is written down and does not run: neither StarPU nor MPI
// is touched, data have sizes and no content of their own, as in a simulation, and the host waits for
// nothing. Data made meanwhile must go before it does. One at a time in a process; about a microsecond a
// task.
class GraphRecorder {
  public:
    // Adds a rank to the graph. `name_of_tag`: what kind of message has this tag.
    GraphRecorder(SubmittedGraph& graph, std::function<std::string(int tag)> name_of_tag);
    ~GraphRecorder();
    GraphRecorder(const GraphRecorder&) = delete;
    GraphRecorder& operator=(const GraphRecorder&) = delete;

    static GraphRecorder* current() { return current_; }  // null: tasks run

    void begin_iteration(int iteration) { iteration_ = iteration; }
    void add_task(const char* codelet, int priority, bool on_gpu, double duration_s);
    void add_message(EventKind kind, const Data& data, int peer, int tag);
    void add_use(const Data& data, starpu_data_access_mode mode);  // of the task or message added last
    // What stands for the handle of new data of so many bytes.
    starpu_data_handle_t add_datum(std::size_t bytes);

  private:
    ScheduleEvent& add(EventKind kind, const std::string& name);

    inline static GraphRecorder* current_ = nullptr;
    SubmittedGraph& graph_;
    RankSchedule& rank_;
    RankNeeds& needs_;
    std::function<std::string(int)> name_of_tag_;
    int iteration_ = -1;
};

}  // namespace tessera
