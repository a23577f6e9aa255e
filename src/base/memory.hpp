#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace tessera {

// What this process may use at most, and who says so.
struct MemoryBound {
    std::size_t bytes = 0;
    std::string from;             // "the machine's memory", "the control group's memory limit", "ulimit -v"
    std::filesystem::path group;  // the folder of the control group whose limit it is; empty: none
    std::filesystem::path own_group;  // and of the one that the process is in
};
MemoryBound memory_bound();
// By all that share the bound: the processes of the control group, or of the machine.
std::size_t memory_in_use(const MemoryBound& bound);
// Processes of the control group (in version 2 also of those inside it) that the system has ended so far for
// lack of memory; 0 where it is gone, or none.
std::int64_t num_killed_for_memory(const std::filesystem::path& group);

std::size_t available_memory_bytes();  // of the machine, at this moment; SIZE_MAX where it does not say
std::size_t resident_bytes();          // of this process, now
std::size_t peak_resident_bytes();     // and at most, so far

}  // namespace tessera
