// A disk that fails: preloaded into a program, it lets the reads of one file fail with EIO from some read on.
//
//   LD_PRELOAD=.../failing_reads.so FAILING_READS_FILE=scan.cxi FAILING_READS_AFTER=20 tessera ...
//
// FAILING_READS_COUNT=FILE: how many there were, at the end of the process.
#include <dlfcn.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace {

bool is_of_the_file(int descriptor) {
    const char* name = std::getenv("FAILING_READS_FILE");
    if (name == nullptr) return false;
    std::array<char, 32> link{};
    std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", descriptor);
    std::array<char, 4096> target{};
    const ssize_t length = readlink(link.data(), target.data(), target.size());
    return length > 0 && std::string_view(target.data(), static_cast<std::size_t>(length)).ends_with(name);
}

std::atomic<long> num_reads = 0;

struct Count {
    ~Count() {
        const char* name = std::getenv("FAILING_READS_COUNT");
        std::FILE* file = name != nullptr && num_reads > 0 ? std::fopen(name, "w") : nullptr;
        if (file == nullptr) return;
        std::fprintf(file, "%ld reads\n", num_reads.load());
        std::fclose(file);
    }
} count;

bool must_fail(int descriptor) {
    if (!is_of_the_file(descriptor)) return false;
    const char* after = std::getenv("FAILING_READS_AFTER");
    return num_reads++ >= (after != nullptr ? std::atol(after) : 0);
}

template <class... Arguments>
ssize_t read_or_fail(const char* function, int descriptor, Arguments... arguments) {
    if (must_fail(descriptor)) {
        errno = EIO;
        return -1;
    }
    using Function = ssize_t (*)(int, Arguments...);
    return reinterpret_cast<Function>(dlsym(RTLD_NEXT, function))(descriptor, arguments...);
}

}  // namespace

extern "C" {
ssize_t read(int descriptor, void* to, std::size_t bytes) {
    return read_or_fail("read", descriptor, to, bytes);
}
ssize_t pread(int descriptor, void* to, std::size_t bytes, off_t offset) {
    return read_or_fail("pread", descriptor, to, bytes, offset);
}
ssize_t pread64(int descriptor, void* to, std::size_t bytes, off64_t offset) {
    return read_or_fail("pread64", descriptor, to, bytes, offset);
}
}
