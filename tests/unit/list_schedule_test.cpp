#include <gtest/gtest.h>

#include "base/error.hpp"
#include "cluster/list_schedule.hpp"

namespace tessera {
namespace {

constexpr double tolerance_ms = 1e-9;

// Graphs written by hand; durations in milliseconds.
class Scene {
  public:
    explicit Scene(std::size_t num_ranks) : graph_{{{}, std::vector<RankSchedule>(num_ranks)}, {}} {
        graph_.needs.resize(num_ranks);
    }

    std::uint64_t datum(std::size_t rank, std::int64_t bytes) {
        graph_.needs[rank].datum_bytes.push_back(bytes);
        return graph_.needs[rank].datum_bytes.size() - 1;
    }
    std::size_t task(std::size_t rank, double ms, const std::vector<std::uint64_t>& read,
                     const std::vector<std::uint64_t>& written = {}, int priority = 0) {
        ScheduleEvent event;
        event.priority = priority;
        add(rank, event, "task", {1e-3 * ms, true});
        for (const std::uint64_t datum : read) use(rank, datum, true, false);
        for (const std::uint64_t datum : written) use(rank, datum, false, true);
        return graph_.schedule.ranks[rank].events.size() - 1;
    }
    void in_iteration(std::size_t rank, int iteration, const char* name) {
        ScheduleEvent& event = graph_.schedule.ranks[rank].events.back();
        event.iteration = iteration;
        event.name = graph_.schedule.name_index(name);
    }
    void on_cores(std::size_t rank) { graph_.needs[rank].of_events.back().on_gpu = false; }
    // Between data of two ranks.
    void message(std::size_t from, std::uint64_t sent, std::size_t to, std::uint64_t received) {
        const std::int64_t bytes = graph_.needs[from].datum_bytes[sent];
        for (const EventKind kind : {EventKind::send, EventKind::receive}) {
            const bool is_send = kind == EventKind::send;
            ScheduleEvent event;
            event.kind = kind;
            event.bytes = bytes;
            event.tag = static_cast<std::int32_t>(sent);
            event.peer = static_cast<std::int32_t>(is_send ? to : from);
            add(is_send ? from : to, event, "strip", {});
            use(is_send ? from : to, is_send ? sent : received, is_send, !is_send);
        }
    }
    Schedule placed(const MachineConfig& machine, const Machine& workers, int submit_ahead = 3) const {
        return list_schedule(graph_, machine, workers, submit_ahead);
    }

  private:
    void add(std::size_t rank, ScheduleEvent event, const char* name, const EventNeeds& needs) {
        event.name = graph_.schedule.name_index(name);
        event.first_use = static_cast<std::uint32_t>(graph_.schedule.ranks[rank].uses.size());
        graph_.schedule.ranks[rank].events.push_back(event);
        graph_.needs[rank].of_events.push_back(needs);
    }
    void use(std::size_t rank, std::uint64_t datum, bool reads, bool writes) {
        graph_.schedule.ranks[rank].uses.push_back({datum, writes});
        graph_.needs[rank].reads.push_back(reads);
        ++graph_.schedule.ranks[rank].events.back().num_uses;
    }

    SubmittedGraph graph_;
};

constexpr std::int64_t megabyte = 1'000'000;

Machine cores(int number) {
    Machine machine;
    machine.num_cpus = number;
    return machine;
}
Machine gpus(int number) {
    Machine machine;
    machine.num_cpus = 0;
    machine.num_gpus = number;
    return machine;
}

// A megabyte takes 1 ms over the network, 0.1 ms to a GPU, 0.02 ms to another; latencies 0.01 ms each way.
MachineConfig a_machine() {
    MachineConfig machine;
    machine.network = {1, 10};
    machine.node.memory_gb_per_s = 1e6;
    machine.node.gpus = GpusConfig{};
    machine.node.gpus->host_link = {10, 10};
    machine.node.gpus->peer_link = LinkConfig{50, 10};
    return machine;
}

double start_ms(const Schedule& schedule, std::size_t rank, std::size_t event) {
    return 1e3 * schedule.ranks[rank].events[event].start_s;
}
double end_ms(const Schedule& schedule, std::size_t rank, std::size_t event) {
    return 1e3 * schedule.ranks[rank].events[event].end_s;
}

TEST(ListSchedule, TasksWaitForTheirDataAndForACore) {
    Scene scene(1);
    const auto a = scene.datum(0, 64), b = scene.datum(0, 64);
    scene.task(0, 2, {}, {a});
    scene.task(0, 3, {a}, {b});
    scene.task(0, 4, {a});
    scene.task(0, 1, {a});
    const Schedule one = scene.placed(a_machine(), cores(1));
    EXPECT_NEAR(end_ms(one, 0, 3), 10, tolerance_ms);
    EXPECT_EQ(one.ranks[0].workers.size(), 1U);
    const Schedule two = scene.placed(a_machine(), cores(2));
    EXPECT_NEAR(start_ms(two, 0, 1), 2, tolerance_ms);
    EXPECT_NEAR(end_ms(two, 0, 2), 6, tolerance_ms);
    EXPECT_NEAR(start_ms(two, 0, 3), 5, tolerance_ms);  // on the core of the second
    EXPECT_EQ(two.ranks[0].events[3].worker, two.ranks[0].events[1].worker);
}

TEST(ListSchedule, UrgentTasksComeFirst) {
    Scene scene(1);
    const auto a = scene.datum(0, 64);
    scene.task(0, 1, {}, {a});
    scene.task(0, 1, {a});
    scene.task(0, 1, {a}, {}, 2);
    for (const Machine& workers : {cores(1), gpus(1)}) {
        const Schedule schedule = scene.placed(a_machine(), workers);
        EXPECT_LT(start_ms(schedule, 0, 2), start_ms(schedule, 0, 1));
    }
}

TEST(ListSchedule, MessagesTakeTurnsOnALink) {
    Scene scene(3);
    const auto a = scene.datum(0, megabyte), b = scene.datum(0, 2 * megabyte);
    const auto in_1 = scene.datum(1, megabyte), in_2 = scene.datum(2, 2 * megabyte);
    scene.task(0, 5, {}, {a, b});
    scene.message(0, a, 1, in_1);
    scene.message(0, b, 2, in_2);
    scene.task(1, 1, {in_1});
    scene.task(2, 1, {in_2});
    const Schedule schedule = scene.placed(a_machine(), cores(1));
    EXPECT_NEAR(start_ms(schedule, 1, 1), 5 + 1 + 0.02, tolerance_ms);      // announced, sent
    EXPECT_NEAR(start_ms(schedule, 2, 1), 5 + 1 + 2 + 0.02, tolerance_ms);  // behind the other
}

TEST(ListSchedule, ALinkIsNotKeptForMessagesThatHaveNotSetOff) {
    Scene scene(4);
    const auto a = scene.datum(0, 5 * megabyte), b = scene.datum(0, megabyte), c = scene.datum(3, megabyte);
    const auto in_1 = scene.datum(1, 5 * megabyte), b_in_2 = scene.datum(2, megabyte),
               c_in_2 = scene.datum(2, megabyte);
    scene.message(0, a, 1, in_1);
    scene.message(0, b, 2, b_in_2);
    scene.task(3, 1, {}, {c});
    scene.message(3, c, 2, c_in_2);
    scene.task(2, 1, {b_in_2});
    scene.task(2, 1, {c_in_2});
    const Schedule schedule = scene.placed(a_machine(), cores(1));
    EXPECT_NEAR(start_ms(schedule, 2, 3), 1 + 1 + 0.02, tolerance_ms);  // b, behind a, is not in its way
    EXPECT_NEAR(start_ms(schedule, 2, 2), 5 + 1 + 0.02, tolerance_ms);
}

TEST(ListSchedule, ACopyIsMadeOnceAndWhereItIsCheapest) {
    Scene scene(1);
    const auto a = scene.datum(0, 10 * megabyte), b = scene.datum(0, 64);
    scene.task(0, 3, {a});
    scene.task(0, 3, {a}, {b});
    const Schedule one = scene.placed(a_machine(), gpus(1));
    EXPECT_NEAR(start_ms(one, 0, 0), 1 + 0.01, tolerance_ms);
    EXPECT_NEAR(end_ms(one, 0, 1), 1.01 + 6, tolerance_ms);
    // The other GPU gets its copy from the first, as soon as that has it.
    const Schedule two = scene.placed(a_machine(), gpus(2));
    EXPECT_NE(two.ranks[0].events[0].worker, two.ranks[0].events[1].worker);
    EXPECT_NEAR(start_ms(two, 0, 1), 1.01 + 0.2 + 0.01, tolerance_ms);
}

TEST(ListSchedule, WithoutPeerLinksCopiesGoThroughTheHost) {
    Scene scene(1);
    const auto a = scene.datum(0, megabyte), b = scene.datum(0, 64);
    scene.task(0, 1, {}, {a});
    scene.task(0, 3, {a}, {b});
    scene.task(0, 3, {a});
    MachineConfig machine = a_machine();
    machine.node.gpus->peer_link.reset();
    const Schedule schedule = scene.placed(machine, gpus(2));
    EXPECT_NEAR(start_ms(schedule, 0, 1), 1, tolerance_ms);
    EXPECT_NEAR(start_ms(schedule, 0, 2), 1 + 2 * (0.1 + 0.01), tolerance_ms);
}

TEST(ListSchedule, WhatAGpuMadeLeavesTheNodeFromTheHost) {
    Scene scene(2);
    const auto a = scene.datum(0, megabyte), in = scene.datum(1, megabyte);
    scene.task(0, 1, {}, {a});
    scene.message(0, a, 1, in);
    scene.task(1, 1, {in});
    const Schedule schedule = scene.placed(a_machine(), gpus(1));
    EXPECT_NEAR(start_ms(schedule, 1, 1), 1 + 0.11 + 1.02 + 0.11, tolerance_ms);
}

TEST(ListSchedule, HostsStayAheadOfTheirRecordsByNoMoreThanThat) {
    Scene scene(1);
    const auto state = scene.datum(0, 64);
    for (int n = 0; n < 4; ++n) {
        scene.task(0, 1, {});
        scene.in_iteration(0, n, "gradient");
        scene.task(0, 10, {}, {state});
        scene.in_iteration(0, n, "record");
    }
    const Schedule schedule = scene.placed(a_machine(), cores(8), 2);
    EXPECT_NEAR(start_ms(schedule, 0, 2), 0, tolerance_ms);
    EXPECT_NEAR(start_ms(schedule, 0, 4), 10,
                tolerance_ms);  // the third iteration, when the first is recorded
    EXPECT_NEAR(1e3 * schedule.ranks[0].events[4].submitted_s, 10, tolerance_ms);
}

TEST(ListSchedule, RefusesTasksOnCoresWhereGpusCompute) {
    Scene scene(1);
    scene.task(0, 1, {});
    scene.on_cores(0);
    EXPECT_THROW(static_cast<void>(scene.placed(a_machine(), gpus(1))), Error);
}

}  // namespace
}  // namespace tessera
