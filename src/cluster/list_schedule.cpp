#include "cluster/list_schedule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <limits>
#include <map>
#include <queue>
#include <set>
#include <tuple>
#include <utility>

#include "base/error.hpp"

namespace tessera {
namespace {

constexpr double never = std::numeric_limits<double>::infinity();
constexpr std::size_t host = 0;  // memories of a node: 0 is the host's, 1 + g that of GPU g

struct Link {
    double seconds_per_byte = 0, latency_s = 0;
    double free_s = 0;
};

Link link_of(const LinkConfig& config) {
    return {1e-9 / config.gb_per_s, 1e-6 * config.latency_us, 0};
}

// When `bytes` that set off at `at_s` have come through both links, each of which serves one after the other.
double carry(Link& out, Link& in, double bytes, double at_s) {
    const double start = std::max(at_s, out.free_s);
    out.free_s = start + bytes * out.seconds_per_byte;
    in.free_s = std::max(in.free_s, start) + bytes * in.seconds_per_byte;
    return std::max(out.free_s, in.free_s) + out.latency_s + in.latency_s;
}

// The links inside a node, and where each datum of its rank is.
class NodeMemories {
  public:
    NodeMemories(const NodeConfig& node, std::size_t num_gpus, const std::vector<std::int64_t>& datum_bytes)
        : memory_({1e-9 / node.memory_gb_per_s, 0, 0}), bytes_(datum_bytes) {
        const GpusConfig gpus = node.gpus.value_or(GpusConfig{});
        has_peer_links_ = gpus.peer_link.has_value();
        LinkConfig half_way = gpus.peer_link.value_or(LinkConfig{});
        half_way.latency_us /= 2;
        gpus_.assign(num_gpus, {link_of(gpus.host_link), link_of(gpus.host_link), link_of(half_way),
                                link_of(half_way)});
        std::array<double, 1 + max_simulated_gpus> first;
        first.fill(never);
        first[host] = 0;
        since_s_.assign(datum_bytes.size(), first);
    }

    // The datum is in `where` from then on; a copy that has to be made for that sets off at `at_s`.
    double fetch(std::uint64_t datum, std::size_t where, double at_s) {
        auto& since_s = since_s_[datum];
        if (since_s[where] < never) return std::max(at_s, since_s[where]);
        const auto bytes = static_cast<double>(bytes_[datum]);
        const std::size_t from = source(datum, where);
        if (from != host && where != host && !has_peer_links_) {
            fetch(datum, host, at_s);
            return fetch(datum, where, at_s);
        }
        at_s = std::max(at_s, since_s[from]);
        if (from == host) {
            since_s[where] = carry(memory_, gpus_[where - 1].from_host, bytes, at_s);
        } else if (where == host) {
            since_s[where] = carry(gpus_[from - 1].to_host, memory_, bytes, at_s);
        } else {
            since_s[where] = carry(gpus_[from - 1].to_peers, gpus_[where - 1].from_peers, bytes, at_s);
        }
        return since_s[where];
    }
    // What fetching takes where nothing else is on its way; 0: it is there.
    double copy_s(std::uint64_t datum, std::size_t where) const {
        if (since_s_[datum][where] < never) return 0;
        const std::size_t from = source(datum, where);
        const bool with_host = from == host || where == host;
        const GpuLinks& links = gpus_[std::max(from, where) - 1];
        const Link& link = with_host || !has_peer_links_ ? links.to_host : links.to_peers;
        const int ways = with_host ? 1 : 2;
        return ways * link.latency_s + (has_peer_links_ || with_host ? 1 : 2) *
                                           static_cast<double>(bytes_[datum]) * link.seconds_per_byte;
    }
    void write(std::uint64_t datum, std::size_t where, double at_s) {
        since_s_[datum].fill(never);
        since_s_[datum][where] = at_s;
    }

  private:
    struct GpuLinks {
        Link from_host, to_host, from_peers, to_peers;
    };

    std::size_t source(std::uint64_t datum, std::size_t where) const {
        const auto& since_s = since_s_[datum];
        const bool peers_first = has_peer_links_ && where != host;
        for (std::size_t gpu = 1; peers_first && gpu <= gpus_.size(); ++gpu) {
            if (since_s[gpu] < never) return gpu;
        }
        return static_cast<std::size_t>(
            std::ranges::find_if(since_s, [](double time) { return time < never; }) - since_s.begin());
    }

    Link memory_;  // shared by the links of all GPUs
    bool has_peer_links_ = false;
    std::vector<GpuLinks> gpus_;
    const std::vector<std::int64_t>& bytes_;
    std::vector<std::array<double, 1 + max_simulated_gpus>> since_s_;
};

// Tasks that wait for a worker, the most urgent first.
class TaskQueue {
  public:
    void push(std::uint32_t event, int priority, double duration_s, double data_there_s) {
        tasks_.insert({-priority, ++pushed_, event, duration_s, data_there_s});
        length_s_ += duration_s;
    }
    bool empty() const { return tasks_.empty(); }
    // Of equally urgent ones that whose data is there, or will be first.
    std::uint32_t pop(double now_s) {
        auto best = tasks_.begin();
        for (auto it = best; it != tasks_.end() && it->key == tasks_.begin()->key; ++it) {
            if (best->data_there_s <= now_s) break;
            if (it->data_there_s < best->data_there_s) best = it;
        }
        const std::uint32_t event = best->event;
        length_s_ -= best->duration_s;
        tasks_.erase(best);
        return event;
    }
    double length_s() const { return tasks_.empty() ? 0 : length_s_; }

  private:
    struct Waiting {
        int key = 0;  // -priority
        std::uint64_t number = 0;
        std::uint32_t event = 0;
        double duration_s = 0, data_there_s = 0;
        bool operator<(const Waiting& other) const {
            return std::tie(key, number) < std::tie(other.key, other.number);
        }
    };
    std::set<Waiting> tasks_;
    double length_s_ = 0;
    std::uint64_t pushed_ = 0;
};

struct Worker {
    TaskQueue queue;  // of a GPU
    double busy_until_s = 0;
    bool is_busy = false;
};

struct Node {
    NodeMemories memories;
    std::vector<Worker> workers;
    TaskQueue queue;  // of all cores
    Link out, in;
    std::map<std::int32_t, std::vector<std::uint32_t>> not_submitted;  // by iteration
    std::deque<std::uint32_t> to_send;                                 // the first is on its way
    bool is_waking = false;
};

class ListScheduler {
  public:
    ListScheduler(SubmittedGraph graph, const MachineConfig& machine, const Machine& workers,
                  int submit_ahead)
        : graph_(std::move(graph)),
          all_(graph_.schedule),
          has_gpus_(workers.num_gpus > 0),
          submit_ahead_(submit_ahead) {
        make_nodes(machine, static_cast<std::size_t>(has_gpus_ ? workers.num_gpus : workers.num_cpus));
        connect();
    }

    Schedule run() {
        for (std::uint32_t e = 0; e < all_.num_events(); ++e) {
            if (missing_[e] == 0) moments_.push({0, ++number_, e, Moment::ready});
        }
        std::size_t num_done = 0;
        while (!moments_.empty()) {
            const Moment moment = moments_.top();
            moments_.pop();
            switch (moment.kind) {
                case Moment::ready:
                    begin(moment.which, moment.time_s);
                    break;
                case Moment::announced:
                    join_queue(moment.which, moment.time_s);
                    break;
                case Moment::wake:
                    wake(nodes_[moment.which], moment.time_s);
                    break;
                case Moment::done:
                    end(moment.which, moment.time_s);
                    ++num_done;
                    break;
            }
        }
        TESSERA_EXPECT(num_done == all_.num_events());
        return std::move(graph_.schedule);
    }

  private:
    struct Moment {
        double time_s = 0;
        std::uint64_t number = 0;
        std::uint32_t which = 0;  // event; wake: node
        enum Kind : std::int8_t { ready, announced, wake, done } kind = ready;
        bool operator<(const Moment& other) const {  // the queue has the greatest on top
            return std::tie(time_s, number) > std::tie(other.time_s, other.number);
        }
    };

    void make_nodes(const MachineConfig& machine, std::size_t num_workers) {
        Link network = link_of(machine.network);
        network.latency_s /= 2;  // of the way out, and of the way in
        for (std::size_t r = 0; r < graph_.needs.size(); ++r) {
            nodes_.push_back(
                {NodeMemories(machine.node, has_gpus_ ? num_workers : 0, graph_.needs[r].datum_bytes),
                 std::vector<Worker>(num_workers),
                 {},
                 network,
                 network,
                 {},
                 {},
                 false});
            RankSchedule& rank = graph_.schedule.ranks[r];
            for (std::size_t w = 0; w < num_workers; ++w)
                rank.workers.push_back(fmt::format("{} {}", has_gpus_ ? "GPU" : "core", w));
            for (ScheduleEvent& event : rank.events) events_.push_back(&event);
            for (const EventNeeds& needs : graph_.needs[r].of_events) needs_.push_back(&needs);
        }
    }

    // Who waits for whom: for data and messages, and for the host to submit.
    void connect() {
        const auto num_events = static_cast<std::uint32_t>(all_.num_events());
        missing_.assign(num_events, 0);
        arrival_s_.assign(num_events, 0);
        first_after_.assign(num_events + 1, 0);
        for (std::uint32_t e = 0; e < num_events; ++e) {
            for (const std::uint32_t b : all_.before(e)) ++first_after_[b + 1];
        }
        for (std::uint32_t e = 0; e < num_events; ++e) first_after_[e + 1] += first_after_[e];
        after_.resize(first_after_.back());
        std::vector<std::size_t> next(first_after_.begin(), first_after_.end() - 1);
        for (std::uint32_t e = 0; e < num_events; ++e) {
            missing_[e] = static_cast<std::uint32_t>(all_.before(e).size());
            for (const std::uint32_t b : all_.before(e)) after_[next[b]++] = e;
            if (events_[e]->iteration < submit_ahead_) continue;
            ++missing_[e];
            node_of(e).not_submitted[events_[e]->iteration].push_back(e);
        }
    }

    Node& node_of(std::uint32_t e) { return nodes_[all_.rank_of(e)]; }
    Node& peer_of(std::uint32_t e) { return nodes_[static_cast<std::size_t>(events_[e]->peer)]; }

    // The visits: visit(datum, reads, writes).
    template <class Visit>
    void for_each_use(std::uint32_t e, const Visit& visit) const {
        const std::size_t rank = all_.rank_of(e);
        std::size_t use = events_[e]->first_use;
        for (const Use& of_event : graph_.schedule.ranks[rank].uses_of(*events_[e]))
            visit(of_event.datum, graph_.needs[rank].reads[use++], of_event.writes);
    }

    // All that the event depends on is over.
    void begin(std::uint32_t e, double at_s) {
        ScheduleEvent& event = *events_[e];
        event.ready_s = event.start_s = at_s;
        switch (event.kind) {
            case EventKind::task:
                has_gpus_ ? give_to_a_gpu(e, at_s) : give_to_the_cores(e, at_s);
                break;
            case EventKind::send:
                send(e, at_s);
                break;
            case EventKind::receive:
                moments_.push({std::max(at_s, arrival_s_[e]), ++number_, e, Moment::done});
                break;
        }
    }

    // From the host's memory, which other memories copy to first, once it is announced.
    void send(std::uint32_t e, double at_s) {
        Node& node = node_of(e);
        for_each_use(e,
                     [&](std::uint64_t datum, bool, bool) { at_s = node.memories.fetch(datum, host, at_s); });
        at_s += node.out.latency_s + peer_of(e).in.latency_s;
        moments_.push({at_s, ++number_, e, Moment::announced});
    }

    void join_queue(std::uint32_t e, double at_s) {
        Node& node = node_of(e);
        node.to_send.push_back(e);
        if (node.to_send.size() == 1) set_off(e, at_s);
    }

    // The link out is free. The one in is asked for only now, so that it waits for nothing that is still
    // elsewhere. The receive depends on the send and comes next.
    void set_off(std::uint32_t e, double at_s) {
        Node& node = node_of(e);
        const double arrival_s = carry(node.out, peer_of(e).in, static_cast<double>(events_[e]->bytes), at_s);
        for (std::size_t i = first_after_[e]; i < first_after_[e + 1]; ++i) {
            const std::uint32_t next = after_[i];
            if (events_[next]->kind == EventKind::receive && all_.rank_of(next) != all_.rank_of(e))
                arrival_s_[next] = arrival_s;
        }
        moments_.push({node.out.free_s, ++number_, e, Moment::done});
    }

    void give_to_the_cores(std::uint32_t e, double at_s) {
        Node& node = node_of(e);
        node.queue.push(e, events_[e]->priority, needs_[e]->duration_s, at_s);
        wake_soon(e, at_s);
    }

    // Where it is expected to end first, were copies made only then: what StarPU's dmdas assumes.
    void give_to_a_gpu(std::uint32_t e, double at_s) {
        Node& node = node_of(e);
        if (!needs_[e]->on_gpu) {
            throw runtime_failure("{} runs on cores where GPUs compute, which the model does not know",
                                  graph_.schedule.names[static_cast<std::size_t>(events_[e]->name)]);
        }
        std::size_t best = 0;
        double best_s = never;
        for (std::size_t gpu = 0; gpu < node.workers.size(); ++gpu) {
            double copies_s = 0;
            for_each_use(e, [&](std::uint64_t datum, bool reads, bool) {
                if (reads) copies_s += node.memories.copy_s(datum, 1 + gpu);
            });
            const Worker& worker = node.workers[gpu];
            const double end_s = std::max(worker.busy_until_s, at_s) + worker.queue.length_s() + copies_s;
            if (end_s >= best_s) continue;
            best = gpu;
            best_s = end_s;
        }
        double& there_s = arrival_s_[e];
        there_s = at_s;
        for_each_use(e, [&](std::uint64_t datum, bool reads, bool) {
            if (reads) there_s = std::max(there_s, node.memories.fetch(datum, 1 + best, at_s));
        });
        Worker& worker = node.workers[best];
        worker.queue.push(e, events_[e]->priority, needs_[e]->duration_s, there_s);
        wake_soon(e, at_s);
    }

    // When all that the end of this task makes ready has been given out; not what others make ready that end
    // at the same time but come later here.
    void wake_soon(std::uint32_t e, double at_s) {
        Node& node = node_of(e);
        if (node.is_waking) return;
        node.is_waking = true;
        moments_.push({at_s, ++number_, static_cast<std::uint32_t>(all_.rank_of(e)), Moment::wake});
    }

    void wake(Node& node, double at_s) {
        node.is_waking = false;
        for (std::size_t w = 0; w < node.workers.size(); ++w) {
            TaskQueue& queue = has_gpus_ ? node.workers[w].queue : node.queue;
            if (!node.workers[w].is_busy && !queue.empty()) take(node.workers[w], w, queue, at_s);
        }
    }

    void take(Worker& worker, std::size_t w, TaskQueue& queue, double at_s) {
        const std::uint32_t e = queue.pop(at_s);
        ScheduleEvent& event = *events_[e];
        event.worker = static_cast<std::int32_t>(w);
        event.start_s = std::max(at_s, arrival_s_[e]);
        event.end_s = worker.busy_until_s = event.start_s + needs_[e]->duration_s;
        worker.is_busy = true;
        moments_.push({event.end_s, ++number_, e, Moment::done});
    }

    void end(std::uint32_t e, double at_s) {
        ScheduleEvent& event = *events_[e];
        Node& node = node_of(e);
        event.end_s = at_s;
        const std::size_t where =
            has_gpus_ && event.kind == EventKind::task ? 1 + static_cast<std::size_t>(event.worker) : host;
        for_each_use(e, [&](std::uint64_t datum, bool, bool writes) {
            if (writes) node.memories.write(datum, where, at_s);
        });
        for (std::size_t i = first_after_[e]; i < first_after_[e + 1]; ++i) release(after_[i], at_s);
        if (event.kind == EventKind::send) {
            node.to_send.pop_front();
            if (!node.to_send.empty()) set_off(node.to_send.front(), at_s);
        }
        if (event.kind != EventKind::task) return;
        if (graph_.schedule.names[static_cast<std::size_t>(event.name)] == "record")
            submit_iteration(node, event.iteration + submit_ahead_, at_s);
        node.workers[static_cast<std::size_t>(event.worker)].is_busy = false;
        wake_soon(e, at_s);
    }

    void submit_iteration(Node& node, std::int32_t iteration, double at_s) {
        for (const std::uint32_t e : node.not_submitted[iteration]) {
            events_[e]->submitted_s = at_s;
            release(e, at_s);
        }
        node.not_submitted.erase(iteration);
    }

    void release(std::uint32_t e, double at_s) {
        if (--missing_[e] == 0) moments_.push({at_s, ++number_, e, Moment::ready});
    }

    SubmittedGraph graph_;
    Dependencies all_;
    bool has_gpus_;
    int submit_ahead_;
    std::vector<Node> nodes_;
    std::vector<ScheduleEvent*> events_;
    std::vector<const EventNeeds*> needs_;
    std::vector<std::uint32_t> missing_;    // of what it waits for
    std::vector<double> arrival_s_;         // of a receive's message, of a task's data
    std::vector<std::size_t> first_after_;  // who waits for it, in after_
    std::vector<std::uint32_t> after_;
    std::priority_queue<Moment> moments_;
    std::uint64_t number_ = 0;
};

}  // namespace

Schedule list_schedule(SubmittedGraph graph, const MachineConfig& machine, const Machine& workers,
                       int submit_ahead) {
    return ListScheduler(std::move(graph), machine, workers, submit_ahead).run();
}

}  // namespace tessera
