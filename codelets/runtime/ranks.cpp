#include "codelets/runtime/ranks.hpp"

#include <mpi.h>
#include <sched.h>
#include <starpu_mpi.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <thread>
#include <vector>

#include "base/log.hpp"
#include "codelets/runtime/graph_recorder.hpp"
#include "codelets/runtime/trace_recorder.hpp"

namespace tessera {
namespace {

int checked_int(std::size_t count) {
    TESSERA_EXPECT(count <= INT_MAX);
    return static_cast<int>(count);
}

// Others compute meanwhile, perhaps on the same core.
void wait_for(MPI_Request request) {
    using namespace std::chrono_literals;
    auto pause = 10us;
    for (int done = 0;; pause = std::min(2 * pause, 1000us)) {
        MPI_Test(&request, &done, MPI_STATUS_IGNORE);
        if (done != 0) return;
        std::this_thread::sleep_for(pause);
    }
}

constexpr std::size_t largest_message = std::size_t{1} << 30;

// visit(first byte, count) of messages that MPI can count.
template <class Visit>
void in_messages(std::size_t bytes, const Visit& visit) {
    for (std::size_t done = 0; done < bytes; done += largest_message)
        visit(done, checked_int(std::min(largest_message, bytes - done)));
}

}  // namespace

// A program started without them should not pay for MPI.
bool is_started_with_others() {
    for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK", "SLURM_STEP_NUM_TASKS"}) {
        const char* value = std::getenv(name);
        if (value == nullptr) continue;
        if (std::string_view(name) == "PMIX_RANK" || std::atoi(value) > 1) return true;
    }
    return false;
}

struct Ranks::Outputs {
    MPI_Comm channel = MPI_COMM_NULL;
};

Ranks::Ranks(int size, int rank) : rank_(rank), size_(size) {}

#if defined(TESSERA_WITH_SIMGRID)

// StarPU-MPI starts SimGrid's MPI before main() and ends it; every rank has a node to itself. What the hosts
// say to each other they say through StarPU-MPI, whose thread alone may use MPI.
Ranks::Ranks() {
    starpu_mpi_comm_rank(MPI_COMM_WORLD, &rank_);
    starpu_mpi_comm_size(MPI_COMM_WORLD, &size_);
    data_is_shared_between_ranks(size_ > 1);
}

Ranks::~Ranks() = default;

void Ranks::wait_for_all() const {
    if (are_several()) starpu_mpi_barrier(MPI_COMM_WORLD);
}

#else

Ranks::Ranks() {
    if (!is_started_with_others()) return;
    // The communication thread of StarPU-MPI and this one both talk.
    int provided = 0;
    if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided) != MPI_SUCCESS ||
        provided < MPI_THREAD_MULTIPLE) {
        throw runtime_failure("this MPI does not allow calls from several threads (MPI_THREAD_MULTIPLE)");
    }
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
    data_is_shared_between_ranks(size_ > 1);
    outputs_ = std::make_unique<Outputs>();
    MPI_Comm_dup(MPI_COMM_WORLD, &outputs_->channel);
    count_neighbours();
}

void Ranks::count_neighbours() {
    MPI_Comm node = MPI_COMM_NULL;
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
    MPI_Comm_size(node, &on_this_node_);
    cpu_set_t mine;
    CPU_ZERO(&mine);
    sched_getaffinity(0, sizeof mine, &mine);
    std::vector<cpu_set_t> cores(static_cast<std::size_t>(on_this_node_));
    MPI_Allgather(&mine, sizeof mine, MPI_BYTE, cores.data(), sizeof mine, MPI_BYTE, node);
    MPI_Comm_free(&node);
    on_the_same_cores_ = static_cast<int>(std::count_if(
        cores.begin(), cores.end(), [&](const cpu_set_t& set) { return CPU_EQUAL(&set, &mine) != 0; }));
}

Ranks::~Ranks() {
    int started = 0;
    MPI_Initialized(&started);
    if (started == 0) return;
    if (outputs_) MPI_Comm_free(&outputs_->channel);
    MPI_Finalize();
}

void Ranks::wait_for_all() const {
    if (are_several()) MPI_Barrier(MPI_COMM_WORLD);
}

#endif

void Ranks::throw_together(ExitCode code, const std::string& failure) const {
    if (!are_several()) {
        if (code != ExitCode::done) throw Error(code, failure);
        return;
    }
    int first = code == ExitCode::done ? size_ : rank_;
    MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
    if (first == size_) return;
    int its_code = static_cast<int>(code);
    MPI_Bcast(&its_code, 1, MPI_INT, first, MPI_COMM_WORLD);
    // Told here: where ranks leave MPI they wait for each other, but once one has ended its launcher may end
    // the others before they have said anything.
    if (first == rank_) log::error("{}{}", first == 0 ? "" : fmt::format("rank {}: ", first), failure);
    throw Error(static_cast<ExitCode>(its_code), "");
}

void Ranks::require_equal(const std::string& text, const char* what) const {
    if (!are_several()) return;
    std::size_t size = text.size();
    MPI_Bcast(&size, sizeof size, MPI_BYTE, 0, MPI_COMM_WORLD);
    std::string of_first = text;
    of_first.resize(size);
    MPI_Bcast(of_first.data(), checked_int(size), MPI_BYTE, 0, MPI_COMM_WORLD);
    agree([&] {
        if (of_first != text) throw usage_error("{} differs from that of rank 0", what);
    });
}

void Ranks::sum(std::span<std::int64_t> values) const {
    if (!are_several()) return;
    MPI_Allreduce(MPI_IN_PLACE, values.data(), checked_int(values.size()), MPI_INT64_T, MPI_SUM,
                  MPI_COMM_WORLD);
}

void Ranks::sum_disjoint(std::span<double> values) const {
    if (!are_several()) return;
    MPI_Allreduce(MPI_IN_PLACE, values.data(), checked_int(values.size()), MPI_DOUBLE, MPI_SUM,
                  MPI_COMM_WORLD);
}

std::size_t Ranks::least(std::size_t value) const {
    auto least = static_cast<std::uint64_t>(value);
    if (are_several()) MPI_Allreduce(MPI_IN_PLACE, &least, 1, MPI_UINT64_T, MPI_MIN, MPI_COMM_WORLD);
    return least;
}

void Ranks::broadcast(void* data, std::size_t bytes) const {
    if (!are_several()) return;
    in_messages(bytes, [&](std::size_t from, int count) {
        MPI_Bcast(static_cast<std::byte*>(data) + from, count, MPI_BYTE, 0, MPI_COMM_WORLD);
    });
}

void Ranks::gather(std::span<const std::byte> bytes,
                   const std::function<void(std::span<const std::byte>)>& visit) const {
    constexpr std::size_t piece = std::size_t{1} << 30;
    constexpr int tag = 0;
    if (is_first()) visit(bytes);
    for (int from = 1; is_first() && from < size_; ++from) {
        std::size_t size = 0;
        MPI_Recv(&size, sizeof size, MPI_BYTE, from, tag, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        std::vector<std::byte> received(size);
        for (std::size_t done = 0; done < size; done += piece) {
            MPI_Recv(received.data() + done, checked_int(std::min(piece, size - done)), MPI_BYTE, from, tag,
                     MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        }
        visit(received);
    }
    if (is_first()) return;
    const std::size_t size = bytes.size();
    MPI_Send(&size, sizeof size, MPI_BYTE, 0, tag, MPI_COMM_WORLD);
    for (std::size_t done = 0; done < size; done += piece) {
        MPI_Send(bytes.data() + done, checked_int(std::min(piece, size - done)), MPI_BYTE, 0, tag,
                 MPI_COMM_WORLD);
    }
}

void Ranks::wait_for_tasks() const {
    starpu_task_wait_for_all();
    if (are_several()) starpu_mpi_wait_for_all(MPI_COMM_WORLD);
}

void Ranks::end_all(const Error& failure) const {
    const int code = static_cast<int>(failure.code());
    const std::string_view text = failure.what();
    // What all ranks know is told by the first, what several find at once (a scan that is cut off) by the
    // lowest of them. The others wait for it to end them: at the launcher's SIGTERM, or a second or two later
    // at its SIGKILL where SIGTERM was taken for a wish to stop.
    using std::chrono::milliseconds;
    const bool all_know = failure.code() == ExitCode::diverged || text.empty();
    if (!is_first()) {
        std::signal(SIGTERM, SIG_DFL);
        std::this_thread::sleep_for(milliseconds(all_know ? 6000 : 3000 + 100 * std::min(rank_, 20)));
    }
    if (!text.empty() && (is_first() || !all_know))
        log::error("{}{}", is_first() || text.starts_with("rank ") ? "" : fmt::format("rank {}: ", rank_),
                   text);
    MPI_Abort(MPI_COMM_WORLD, code);
    std::_Exit(code);
}

// Synchronous: nothing piles up at the first rank.
void Ranks::send_to_first(std::span<const std::byte> bytes) const {
    in_messages(bytes.size(), [&](std::size_t from, int count) {
        MPI_Request request = MPI_REQUEST_NULL;
        MPI_Issend(bytes.data() + from, count, MPI_BYTE, 0, 0, outputs_->channel, &request);
        wait_for(request);
    });
}

void Ranks::receive_from(int rank, std::span<std::byte> bytes) const {
    in_messages(bytes.size(), [&](std::size_t to, int count) {
        MPI_Request request = MPI_REQUEST_NULL;
        MPI_Irecv(bytes.data() + to, count, MPI_BYTE, rank, 0, outputs_->channel, &request);
        wait_for(request);
    });
}

void Ranks::send(const Data& data, int to, int tag) const {
    bytes_sent_ += data.bytes();
    if (GraphRecorder* recorder = GraphRecorder::current(); recorder != nullptr)
        return recorder->add_message(EventKind::send, data, to, tag);
    const MessageDone done = trace_message(EventKind::send, data, to, tag);
    if (starpu_mpi_isend_detached(data.handle(), to, tag, MPI_COMM_WORLD, done.call, done.argument) != 0)
        throw runtime_failure("StarPU-MPI: rank {} cannot send to rank {}", rank_, to);
}

void Ranks::receive(const Data& data, int from, int tag) const {
    if (GraphRecorder* recorder = GraphRecorder::current(); recorder != nullptr)
        return recorder->add_message(EventKind::receive, data, from, tag);
    const MessageDone done = trace_message(EventKind::receive, data, from, tag);
    if (starpu_mpi_irecv_detached(data.handle(), from, tag, MPI_COMM_WORLD, done.call, done.argument) != 0)
        throw runtime_failure("StarPU-MPI: rank {} cannot receive from rank {}", rank_, from);
}

}  // namespace tessera
