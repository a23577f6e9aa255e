#pragma once

#include <filesystem>
#include <string>

#include "config/machine_config.hpp"

// What SimGrid and StarPU read of a machine that is to be simulated: one rank a node, which has all of its
// cores and GPUs.
namespace tessera {

// What the simulator's StarPU takes the node for (STARPU_HOSTNAME).
inline constexpr const char* simulated_host_name = "node";

// All nodes and what connects them, as XML. Every node twice: as the host of its rank, where messages begin
// and end, and as a zone of its own, StarPU-MPI<rank>, with hosts for its cores, GPUs and memory.
std::string platform_text(const MachineConfig& machine);
// The nodes of the ranks, in their order, a line each.
std::string hosts_text(const MachineConfig& machine);
// What StarPU's schedulers expect of the links between host and GPUs: rates in MB/s, latencies in us, from
// row to column, the host first. With a row and a column too many: StarPU 1.3 ruins the last of each.
std::string bandwidth_text(const NodeConfig& node);
std::string latency_text(const NodeConfig& node);

// All of them into a folder: platform.xml, hosts, bus/.
void write_platform(const std::filesystem::path& folder, const MachineConfig& machine);

}  // namespace tessera
