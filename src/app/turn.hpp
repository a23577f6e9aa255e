#pragma once

#include <atomic>
#include <cstddef>

namespace tessera::app {

// The turns that a run takes with others of the machine (reconstruct --take-turns), so that one reads its
// frames and another writes its result while a third computes. What it waits for it says as an event of the
// log; a line on standard input lets it go on:
//   {"event":"wants_to_set_up","memory_bytes":...,"gpus":...}   before it takes memory and starts its runtime
//   {"event":"wants_to_compute"}                                before its first iteration
//   {"event":"computed"}                                        after its last one, nothing is waited for
// A signal that asks for an end, or the end of standard input, ends the waiting: Error(stopped).
class Turn {
  public:
    Turn() = default;  // no turns are taken, nothing is waited for
    explicit Turn(const std::atomic<bool>& stop_requested) : stop_requested_(&stop_requested) {}

    bool is_taken() const { return stop_requested_ != nullptr; }
    void wait_to_set_up(std::size_t memory_bytes, int num_gpus) const;
    void wait_to_compute() const;
    void say_computed() const;

  private:
    void wait_for_line() const;

    const std::atomic<bool>* stop_requested_ = nullptr;
};

}  // namespace tessera::app
