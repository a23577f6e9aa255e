#include "base/memory.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
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

struct GroupLimit {
    std::size_t bytes = SIZE_MAX;
    fs::path group, own_group;
};

// The least limit of the process's control group and those around it, as batch systems and containers set it.
GroupLimit control_group_limit() {
    GroupLimit least;
    std::ifstream groups("/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {
        const bool is_v2 = line.starts_with("0::");
        const std::size_t path = line.find(":memory:");
        if (!is_v2 && path == line.npos) continue;
        const fs::path root = is_v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
        const char* name = is_v2 ? "memory.max" : "memory.limit_in_bytes";
        fs::path group = line.substr(is_v2 ? 3 : path + std::string_view(":memory:").size());
        const fs::path own = root / group.relative_path();
        for (;; group = group.parent_path()) {
            const fs::path folder = root / group.relative_path();
            const auto limit = number_in(folder / name);
            if (limit && *limit < least.bytes) least = {*limit, folder, own};
            if (group.empty() || group == group.root_path()) break;
        }
    }
    return least;
}

// Of a file with a line "key number" each.
std::optional<std::size_t> number_after(const fs::path& file, std::string_view key) {
    std::ifstream lines(file);
    std::string found;
    for (std::size_t number = 0; lines >> found >> number;) {
        if (found == key) return number;
    }
    return std::nullopt;
}

constexpr std::string_view address_space_limit = "ulimit -v";

}  // namespace

MemoryBound memory_bound() {
    MemoryBound bound = {physical_memory_bytes(), "the machine's memory", {}, {}};
    if (const auto limit = control_group_limit(); limit.bytes < bound.bytes)
        bound = {limit.bytes, "the control group's memory limit", limit.group, limit.own_group};
    rlimit address_space{};
    if (getrlimit(RLIMIT_AS, &address_space) == 0 && address_space.rlim_cur != RLIM_INFINITY &&
        address_space.rlim_cur < bound.bytes)
        bound = {address_space.rlim_cur, std::string(address_space_limit), {}, {}};
    return bound;
}

// Pages of files, which the system takes back at need, are left out.
std::size_t memory_in_use(const MemoryBound& bound) {
    if (bound.from == address_space_limit) return resident_bytes();
    if (bound.group.empty()) return bound.bytes - std::min(bound.bytes, available_memory_bytes());
    const auto statistics = bound.group / "memory.stat";
    if (const auto anonymous = number_after(statistics, "anon"))  // version 2
        return *anonymous + number_after(statistics, "shmem").value_or(0);
    return number_after(statistics, "total_rss").value_or(0) +
           number_after(statistics, "total_shmem").value_or(0);
}

std::int64_t num_killed_for_memory(const fs::path& group) {
    constexpr std::string_view key = "oom_kill";
    if (group.empty()) return 0;
    auto number = number_after(group / "memory.events", key);               // version 2
    if (!number) number = number_after(group / "memory.oom_control", key);  // version 1
    return static_cast<std::int64_t>(number.value_or(0));
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
