#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

// The file that says what `tessera forecast` simulates, as plain structs. A new key is one member here and
// one line in machine_config.cpp. Rates are of each direction.
namespace tessera {

// StarPU's simulator is built for as many.
inline constexpr int max_simulated_cores = 128;
inline constexpr int max_simulated_gpus = 8;

// How fast tasks run: the longer of what their flops and their bytes take, and a little more.
struct WorkerSpeedConfig {
    double gflops = 15;
    double gb_per_s = 8;
    double task_us = 2;
    // A result made on such a core or GPU: codelets that ran there take what they took, scaled by flops and
    // bytes.
    std::optional<std::filesystem::path> calibration;
    bool operator==(const WorkerSpeedConfig&) const = default;
};

struct LinkConfig {
    double gb_per_s = 50;
    double latency_us = 2;
    bool operator==(const LinkConfig&) const = default;
};

struct GpusConfig {
    int count = 1;
    std::uint64_t memory_bytes = std::uint64_t{80} << 30;  // of each
    WorkerSpeedConfig speed = {4000, 2000, 15, {}};
    LinkConfig host_link = {25, 8};       // between each GPU and the host
    std::optional<LinkConfig> peer_link;  // between each GPU and the others; null: through the host
    bool operator==(const GpusConfig&) const = default;
};

struct NodeConfig {
    int cores = 1;
    std::uint64_t memory_bytes = std::uint64_t{64} << 30;
    double memory_gb_per_s = 300;  // of the host, shared by its GPUs' links
    WorkerSpeedConfig core;
    std::optional<GpusConfig> gpus;
    bool operator==(const NodeConfig&) const = default;
};

struct MachineConfig {
    std::string name = "a machine";
    NodeConfig node;
    int nodes = 1;
    LinkConfig network = {12.5, 2};  // of each node into a network that no traffic fills
    bool operator==(const MachineConfig&) const = default;
};

}  // namespace tessera
