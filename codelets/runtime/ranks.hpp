#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/error.hpp"
#include "codelets/runtime/data.hpp"

namespace tessera {

// mpirun and srun say in the environment that they started this process as one of several.
bool is_started_with_others();

// The processes that share one reconstruction (MPI ranks). Started by mpirun or srun there are several;
// otherwise MPI is not touched and there is one. Made once, first thing in main(); ends MPI when destroyed.
class Ranks {
  public:
    Ranks();
    // One of so many that are not there, whose part of a graph is to be recorded (GraphRecorder).
    Ranks(int size, int rank);
    ~Ranks();
    Ranks(const Ranks&) = delete;
    Ranks& operator=(const Ranks&) = delete;

    int rank() const { return rank_; }
    int size() const { return size_; }
    bool is_first() const { return rank_ == 0; }
    bool are_several() const { return size_ > 1; }
    int on_this_node() const { return on_this_node_; }            // how many share its memory
    int on_the_same_cores() const { return on_the_same_cores_; }  // and may run on exactly this one's cores

    // ---- The hosts among themselves: every rank must call them in the same order.

    // Runs `prepare` on every rank. Where it fails, the first failing rank's Error comes out on all of them:
    // nobody goes on alone. Of several ranks it has told the message already, once, and the Errors have none.
    template <class Prepare>
    void agree(const Prepare& prepare) const {
        std::string failure;
        ExitCode code = ExitCode::done;
        try {
            prepare();
        } catch (const std::exception& problem) {
            const Error error = as_error(problem);
            failure = error.what();
            code = error.code();
        }
        throw_together(code, failure);
    }
    // Throws a usage Error when the texts differ between ranks.
    void require_equal(const std::string& text, const char* what) const;
    // Sums in place over ranks. The values of doubles must not overlap: at most one rank's is not 0.
    void sum(std::span<std::int64_t> values) const;
    void sum_disjoint(std::span<double> values) const;
    std::size_t least(std::size_t value) const;
    void broadcast(void* data, std::size_t bytes) const;  // the first rank's
    void wait_for_all() const;
    // Every rank's bytes to the first one, which visits them in the order of ranks, one at a time.
    void gather(std::span<const std::byte> bytes,
                const std::function<void(std::span<const std::byte>)>& visit) const;
    // Ends all ranks at once, with one message: that of `failure`, or of the rank that has one.
    [[noreturn]] void end_all(const Error& failure) const;

    // ---- Output threads among themselves, beside the hosts and the graph: they wait without keeping a core
    // busy. What a rank sends is received in its order.
    void send_to_first(std::span<const std::byte> bytes) const;
    void receive_from(int rank, std::span<std::byte> bytes) const;

    // ---- Data between ranks, as part of the graph: return at once, StarPU orders them with the tasks.
    // A message goes to the receive with the same tag, in the order of submission.
    void send(const Data& data, int to, int tag) const;
    void receive(const Data& data, int from, int tag) const;
    void wait_for_tasks() const;  // and for messages: nothing is on its way any more

    // What send() has carried so far.
    std::size_t bytes_sent() const { return bytes_sent_; }

  private:
    void throw_together(ExitCode code, const std::string& failure) const;

    void count_neighbours();

    struct Outputs;  // the output threads' own channel
    std::unique_ptr<Outputs> outputs_;
    int rank_ = 0, size_ = 1, on_this_node_ = 1, on_the_same_cores_ = 1;
    mutable std::size_t bytes_sent_ = 0;
};

}  // namespace tessera
