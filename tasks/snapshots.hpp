#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "io/result_file.hpp"
#include "tasks/handles.hpp"

namespace tessera {

// Copies of object and probe at a moment of the run, made by tasks, so that the graph goes on while they are
// written.
class Snapshot {
  public:
    Snapshot(const Problem& problem, const Handles& handles);

    void submit_copies();
    // Waits for the copies and puts them together: object from tile interiors, probe modes as they are. On
    // the first rank; the others send theirs, all at the same point of the run, and get nothing.
    void collect(Array<cfloat, 3>& object, Array<cfloat, 3>& probe) const;

  private:
    void collect_tile(std::size_t t, const Data& from, Array<cfloat, 3>& object) const;

    const Problem& problem_;
    const Handles& handles_;
    std::vector<Data> objects_;
    Data probe_;
};

// The one thread of the process that makes HDF5 calls and writes pictures once tasks run. Jobs run in order,
// all of them; the first exception comes out of finish().
class OutputThread {
  public:
    OutputThread();
    ~OutputThread();
    void post(std::function<void()> job);
    void finish();  // waits for all jobs; throws what the first failing one threw

  private:
    void run();

    std::mutex lock_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> jobs_;
    bool closing_ = false;
    std::exception_ptr failure_;
    std::thread thread_;
};

}  // namespace tessera
