#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tessera {

// What happened in a run, task by task and message by message, measured, simulated or modelled: in submission
// order, which is what the dependencies follow from. Times in seconds from a start that all ranks share.

enum class EventKind : std::int8_t { task, send, receive };

// A piece of data that a task or a message uses.
struct Use {
    std::uint64_t datum = 0;
    bool writes = false;
};

struct ScheduleEvent {
    EventKind kind = EventKind::task;
    std::int32_t name = 0;     // index into Schedule::names
    std::int32_t worker = -1;  // of its rank; -1: a message
    std::int32_t priority = 0;
    std::int32_t iteration = -1;  // of the run; -1: before the first
    std::int32_t peer = -1;       // messages: the other rank
    std::int32_t tag = 0;
    std::int64_t bytes = 0;
    double submitted_s = 0;
    double ready_s = 0;  // given to the scheduler; messages: posted
    double start_s = 0, end_s = 0;
    std::uint32_t first_use = 0, num_uses = 0;  // in RankSchedule::uses
};

struct RankSchedule {
    std::vector<std::string> workers;
    std::vector<ScheduleEvent> events;
    std::vector<Use> uses;

    std::span<const Use> uses_of(const ScheduleEvent& event) const {
        return std::span(uses).subspan(event.first_use, event.num_uses);
    }
};

struct Schedule {
    std::vector<std::string> names;  // of codelets and of kinds of messages
    std::vector<RankSchedule> ranks;

    std::int32_t name_index(const std::string& name);  // adds it where it is new
};

// A rank's part as bytes, to travel to the rank that writes; and into a Schedule, where it is the next rank.
std::vector<std::byte> pack(const Schedule& of_one_rank);
void append_packed(Schedule& schedule, std::span<const std::byte> packed);

// All events of all ranks in one numbering, rank after rank, and the dependencies between them: from the data
// they use (a writer waits for the last writer and all readers since, a reader for the last writer) and from
// messages (a receive for its send).
class Dependencies {
  public:
    explicit Dependencies(const Schedule& schedule);

    std::size_t num_events() const { return events_.size(); }
    const ScheduleEvent& event(std::size_t e) const { return *events_[e]; }
    std::size_t rank_of(std::size_t e) const { return rank_of_[e]; }
    std::span<const std::uint32_t> before(std::size_t e) const {
        return std::span(edges_).subspan(first_edge_[e], first_edge_[e + 1] - first_edge_[e]);
    }
    // Every event after all that it depends on.
    const std::vector<std::uint32_t>& order() const { return order_; }

  private:
    std::vector<const ScheduleEvent*> events_;
    std::vector<std::uint32_t> rank_of_;
    std::vector<std::uint32_t> edges_;
    std::vector<std::size_t> first_edge_;
    std::vector<std::uint32_t> order_;
};

}  // namespace tessera
