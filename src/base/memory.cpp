#include "base/memory.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>

namespace tessera {
namespace {

namespace fs = std::filesystem;

std::size_t page_bytes() {
    const long bytes = sysconf(_SC_PAGE_SIZE);
    return bytes > 0 ? static_cast<std::size_t>(bytes) : 4096;
}

std::size_t physical_memory_bytes() {
    const long pages = sysconf(_SC_PHYS_PAGES);
    return pages > 0 ? static_cast<std::size_t>(pages) * page_bytes() : SIZE_MAX;
}

// "max", or nothing to read: no limit.
std::optional<std::size_t> number_in(const fs::path& file) {
    std::ifstream stream(file);
    std::size_t number = 0;
    if (stream >> number) return number;
    return std::nullopt;
}

// The least limit of the process's control group and those around it, as batch systems and containers set it.
std::optional<std::size_t> control_group_limit() {
    std::optional<std::size_t> least;
    std::ifstream groups("/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {
        const bool is_v2 = line.starts_with("0::");
        const std::size_t path = line.find(":memory:");
        if (!is_v2 && path == line.npos) continue;
        const fs::path root = is_v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
        const char* name = is_v2 ? "memory.max" : "memory.limit_in_bytes";
        fs::path group = line.substr(is_v2 ? 3 : path + std::string_view(":memory:").size());
        for (;; group = group.parent_path()) {
            const auto limit = number_in(root / group.relative_path() / name);
            if (limit && (!least || *limit < *least)) least = limit;
            if (group.empty() || group == group.root_path()) break;
        }
    }
    return least;
}

}  // namespace

MemoryBound memory_bound() {
    MemoryBound bound = {physical_memory_bytes(), "the machine's memory"};
    const auto also = [&](std::size_t bytes, const char* from) {
        if (bytes < bound.bytes) bound = {bytes, from};
    };
    if (const auto limit = control_group_limit()) also(*limit, "the control group's memory limit");
    rlimit address_space{};
    if (getrlimit(RLIMIT_AS, &address_space) == 0 && address_space.rlim_cur != RLIM_INFINITY)
        also(address_space.rlim_cur, "ulimit -v");
    return bound;
}

std::size_t available_memory_bytes() {
    std::ifstream lines("/proc/meminfo");
    constexpr std::string_view key = "MemAvailable:";
    constexpr std::size_t kibibyte = 1024;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(key)) return std::stoull(line.substr(key.size())) * kibibyte;
    }
    return SIZE_MAX;
}

std::size_t resident_bytes() {
    std::ifstream pages("/proc/self/statm");
    std::size_t size = 0, resident = 0;
    return pages >> size >> resident ? resident * page_bytes() : 0;
}

std::size_t peak_resident_bytes() {
    rusage usage{};
    constexpr std::size_t kibibyte = 1024;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? static_cast<std::size_t>(usage.ru_maxrss) * kibibyte : 0;
}

}  // namespace tessera
