#include <gtest/gtest.h>

#include "trace/schedule_analysis.hpp"

namespace tessera {
namespace {

// Schedules written by hand, in milliseconds.
class Scene {
  public:
    explicit Scene(std::size_t num_ranks, std::size_t workers_per_rank) {
        for (std::size_t r = 0; r < num_ranks; ++r)
            schedule_.ranks.emplace_back().workers.assign(workers_per_rank, "worker");
    }

    struct Times {
        double submitted, ready, start, end;
    };
    void task(std::size_t rank, const std::string& name, int worker, const Times& times,
              const std::vector<Use>& uses) {
        ScheduleEvent event;
        event.worker = worker;
        add(rank, event, name, times, uses);
    }
    void message(std::size_t rank, EventKind kind, int peer, const Times& times, std::uint64_t datum) {
        ScheduleEvent event;
        event.kind = kind;
        event.peer = peer;
        event.tag = 7;
        event.bytes = 64;
        add(rank, event, "strip", times, {{datum, kind == EventKind::receive}});
    }
    const Schedule& schedule() const { return schedule_; }
    ScheduleAnalysis analysis() const { return analyse(schedule_, Dependencies(schedule_)); }

  private:
    void add(std::size_t rank, ScheduleEvent event, const std::string& name, const Times& times,
             const std::vector<Use>& uses) {
        RankSchedule& of_rank = schedule_.ranks[rank];
        event.name = schedule_.name_index(name);
        event.submitted_s = 1e-3 * times.submitted;
        event.ready_s = 1e-3 * times.ready;
        event.start_s = 1e-3 * times.start;
        event.end_s = 1e-3 * times.end;
        event.first_use = static_cast<std::uint32_t>(of_rank.uses.size());
        event.num_uses = static_cast<std::uint32_t>(uses.size());
        of_rank.uses.insert(of_rank.uses.end(), uses.begin(), uses.end());
        of_rank.events.push_back(event);
    }

    Schedule schedule_;
};

double idle_ms(const ScheduleAnalysis& analysis, std::size_t worker, IdleCause cause) {
    return 1e3 * analysis.workers[worker].idle_s[static_cast<std::size_t>(cause)];
}

TEST(Dependencies, FollowFromTheUseOfData) {
    Scene scene(1, 1);
    scene.task(0, "write", 0, {0, 0, 0, 1}, {{1, true}});
    scene.task(0, "read", 0, {0, 0, 1, 2}, {{1, false}, {2, true}});
    scene.task(0, "read", 0, {0, 0, 2, 3}, {{1, false}, {3, true}});
    scene.task(0, "write again", 0, {0, 0, 3, 4}, {{1, true}});
    scene.task(0, "apart", 0, {0, 0, 4, 5}, {{4, true}});
    const Dependencies all(scene.schedule());
    using Events = std::vector<std::uint32_t>;
    const auto before = [&](std::size_t e) { return Events(all.before(e).begin(), all.before(e).end()); };
    EXPECT_EQ(before(1), Events({0}));
    EXPECT_EQ(before(2), Events({0}));
    EXPECT_EQ(before(3), Events({0, 1, 2}));
    EXPECT_EQ(before(4), Events());
}

TEST(Dependencies, GoFromASendToItsReceive) {
    Scene scene(2, 1);
    scene.message(1, EventKind::receive, 0, {0, 0, 0, 5}, 9);
    scene.message(1, EventKind::receive, 0, {0, 0, 0, 8}, 9);
    scene.message(0, EventKind::send, 1, {0, 0, 0, 4}, 1);
    scene.message(0, EventKind::send, 1, {0, 0, 0, 7}, 2);
    const Dependencies all(scene.schedule());
    ASSERT_EQ(all.num_events(), 4u);  // rank after rank: 0 and 1 are the sends
    EXPECT_EQ(all.before(2).size(), 1u);
    EXPECT_EQ(all.before(2)[0], 0u);
    EXPECT_EQ(all.before(3).size(), 2u);  // the second send, and the receive that wrote there before
    EXPECT_EQ(all.before(3)[0], 1u);
}

// Worker 0: a (0-4), c (6-8); worker 1: b (0-6), which c needs too.
TEST(ScheduleAnalysis, KnowsBoundsAndTheLongestChain) {
    Scene scene(1, 2);
    scene.task(0, "a", 0, {0, 0, 0, 4}, {{1, true}});
    scene.task(0, "b", 1, {0, 0, 0, 6}, {{2, true}});
    scene.task(0, "c", 0, {0, 6, 6, 8}, {{1, false}, {2, false}, {3, true}});
    const ScheduleAnalysis analysis = scene.analysis();
    EXPECT_DOUBLE_EQ(analysis.makespan_s, 8e-3);
    EXPECT_DOUBLE_EQ(analysis.work_s, 12e-3);
    EXPECT_DOUBLE_EQ(analysis.area_s, 6e-3);
    EXPECT_DOUBLE_EQ(analysis.critical_path_s, 8e-3);
    EXPECT_EQ(analysis.critical_path, std::vector<std::uint32_t>({1, 2}));
    EXPECT_DOUBLE_EQ(analysis.of_the_best_possible(), 1);
    EXPECT_DOUBLE_EQ(analysis.busy_share(), 0.75);
    EXPECT_NEAR(idle_ms(analysis, 0, IdleCause::other_task), 2, 1e-9);
    EXPECT_NEAR(idle_ms(analysis, 1, IdleCause::end), 2, 1e-9);
}

TEST(ScheduleAnalysis, TellsSubmissionFromScheduling) {
    Scene scene(1, 1);
    scene.task(0, "a", 0, {0, 0, 0, 1}, {{1, true}});
    scene.task(0, "b", 0, {4, 5, 7, 8}, {{1, true}});
    const ScheduleAnalysis analysis = scene.analysis();
    EXPECT_NEAR(idle_ms(analysis, 0, IdleCause::submission) + idle_ms(analysis, 0, IdleCause::scheduling), 6,
                1e-9);
    EXPECT_NEAR(idle_ms(analysis, 0, IdleCause::scheduling), 2, 1e-9);
}

// Rank 1 waits for what rank 0 makes until 5 and what is there at 6; landing it is a task of its own.
TEST(ScheduleAnalysis, TellsWaitingForMessages) {
    Scene scene(2, 1);
    scene.task(0, "make", 0, {0, 0, 0, 5}, {{1, true}});
    scene.message(0, EventKind::send, 1, {0, 0, 0, 6}, 1);
    scene.task(1, "other", 0, {0, 0, 0, 2}, {{5, true}});
    scene.message(1, EventKind::receive, 0, {0, 0, 0, 6}, 4);
    scene.task(1, "land", 0, {0, 6, 6.5, 7}, {{4, false}, {6, true}});
    const ScheduleAnalysis analysis = scene.analysis();
    EXPECT_NEAR(idle_ms(analysis, 1, IdleCause::message), 1, 1e-9);
    EXPECT_NEAR(idle_ms(analysis, 1, IdleCause::other_task), 3, 1e-9);  // until it was made
    ASSERT_EQ(analysis.messages.size(), 1u);
    EXPECT_NEAR(1e3 * analysis.messages[0].waited_for_s, 1, 1e-9);
    EXPECT_NEAR(idle_ms(analysis, 1, IdleCause::scheduling), 0.5, 1e-9);
    EXPECT_EQ(analysis.num_messages, 1u);
    EXPECT_EQ(analysis.message_bytes, 64);
    EXPECT_DOUBLE_EQ(analysis.critical_path_s, 5.5e-3);  // the message itself for nothing
}

TEST(ScheduleAnalysis, AccountsForAllTime) {
    Scene scene(1, 2);
    scene.task(0, "a", 0, {0, 0, 0.5, 3}, {{1, true}});
    scene.task(0, "b", 1, {1, 1, 1.5, 2}, {{2, true}});
    scene.task(0, "c", 1, {1, 3, 3.5, 9}, {{1, false}, {2, true}});
    const ScheduleAnalysis analysis = scene.analysis();
    for (const WorkerTime& worker : analysis.workers) {
        double all_s = worker.busy_s;
        for (const double idle_s : worker.idle_s) all_s += idle_s;
        EXPECT_NEAR(all_s, analysis.makespan_s, 1e-12);
    }
}

TEST(ScheduleAnalysis, OfNothingIsNothing) {
    EXPECT_EQ(Scene(1, 2).analysis().makespan_s, 0);
}

TEST(Schedule, TravelsAsBytes) {
    Scene first(1, 2), second(1, 1);
    first.task(0, "a", 1, {0, 1, 2, 3}, {{1, true}, {2, false}});
    second.task(0, "b", 0, {0, 1, 2, 4}, {{1, true}});
    second.task(0, "a", 0, {0, 1, 4, 5}, {});
    Schedule all;
    append_packed(all, pack(first.schedule()));
    append_packed(all, pack(second.schedule()));
    ASSERT_EQ(all.ranks.size(), 2u);
    EXPECT_EQ(all.names, std::vector<std::string>({"a", "b"}));
    EXPECT_EQ(all.ranks[0].workers.size(), 2u);
    EXPECT_EQ(all.ranks[1].events[1].name, 0);
    EXPECT_EQ(all.ranks[1].events[0].end_s, 4e-3);
    ASSERT_EQ(all.ranks[0].uses_of(all.ranks[0].events[0]).size(), 2u);
    EXPECT_FALSE(all.ranks[0].uses_of(all.ranks[0].events[0])[1].writes);
}

}  // namespace
}  // namespace tessera
