#include "config/machine_config.hpp"

#include "config/schema.hpp"

// The schema of the machine file: one describe() per struct of machine_config.hpp, one line per key.
namespace tessera {

static void describe(KeyVisitor& io, WorkerSpeedConfig& c) {
    io.key("gflops", c.gflops, above(0));
    io.key("gb_per_s", c.gb_per_s, above(0));
    io.key("task_us", c.task_us, above(0));
    io.key("calibration", c.calibration);
}

static void describe(KeyVisitor& io, LinkConfig& c) {
    io.key("gb_per_s", c.gb_per_s, above(0));
    io.key("latency_us", c.latency_us, at_least(0));
}

static void describe(KeyVisitor& io, GpusConfig& c) {
    io.key("count", c.count, within(1, max_simulated_gpus));
    io.key("memory", c.memory_bytes, at_least(1).in(Unit::bytes));
    io.group("speed", c.speed);
    io.group("host_link", c.host_link);
    io.optional_group("peer_link", c.peer_link);
}

static void describe(KeyVisitor& io, NodeConfig& c) {
    io.key("cores", c.cores, within(1, max_simulated_cores));
    io.key("memory", c.memory_bytes, at_least(1).in(Unit::bytes));
    io.key("memory_gb_per_s", c.memory_gb_per_s, above(0));
    io.group("core", c.core);
    io.optional_group("gpus", c.gpus);
}

void describe(KeyVisitor& io, MachineConfig& c) {
    io.key("name", c.name);
    io.group("node", c.node);
    io.key("nodes", c.nodes, within(1, 100000));
    io.group("network", c.network);
}

}  // namespace tessera
