#pragma once

#include <cstddef>
#include <string>

namespace tessera {

// What this process may use at most, and who says so.
struct MemoryBound {
    std::size_t bytes = 0;
    std::string from;  // "the machine's memory", "the control group's memory.max", "ulimit -v"
};
MemoryBound memory_bound();

std::size_t available_memory_bytes();  // of the machine, at this moment; SIZE_MAX where it does not say
std::size_t resident_bytes();          // of this process, now
std::size_t peak_resident_bytes();     // and at most, so far

}  // namespace tessera
