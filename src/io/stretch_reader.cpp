#include "io/stretch_reader.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <vector>

namespace tessera {
namespace {

// Any disk's, network's and system's blocks are parts of it.
constexpr std::size_t block = 4096;

// Local disks, whose own fetching ahead does not make up for the copy. Others (NFS, Lustre, GPFS) have
// clients that fetch far ahead, and reading past those waits for the network.
bool is_on_local_disk(int descriptor) {
    constexpr unsigned long ext4 = 0xEF53, xfs = 0x58465342, btrfs = 0x9123683E;
    struct statfs system {};
    if (fstatfs(descriptor, &system) != 0) return false;
    const auto type = static_cast<unsigned long>(system.f_type);
    return type == ext4 || type == xfs || type == btrfs;
}

// Linux tells it to a file's owner alone; to others all of it seems to be there.
bool tells_what_is_in_memory(int descriptor) {
    struct stat status {};
    return fstat(descriptor, &status) == 0 && (status.st_uid == geteuid() || geteuid() == 0);
}

bool is_in_memory(int descriptor, std::int64_t begin, std::size_t bytes) {
    void* const mapped = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, descriptor, begin);
    if (mapped == MAP_FAILED) return false;
    std::vector<unsigned char> pages((bytes + block - 1) / block);  // of 4 KiB or larger
    const bool is_known = mincore(mapped, bytes, pages.data()) == 0;
    munmap(mapped, bytes);
    const auto num_pages =
        static_cast<std::ptrdiff_t>((bytes - 1) / static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) + 1);
    return is_known &&
           std::all_of(pages.begin(), pages.begin() + num_pages, [](unsigned char page) { return page & 1; });
}

// Reads what is there of the bytes from `begin` on; `done` of them. What is no whole number of `unit` ends
// it: past the cache nothing goes on from there. Returns errno.
int read_all(int descriptor, std::byte* to, std::size_t bytes, std::int64_t begin, std::size_t unit,
             std::size_t& done) {
    for (done = 0; done < bytes && done % unit == 0;) {
        const auto from = static_cast<off_t>(begin + static_cast<std::int64_t>(done));
        const ssize_t got = pread(descriptor, to + done, bytes - done, from);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno;
        if (got == 0) break;
        done += static_cast<std::size_t>(got);
    }
    return 0;
}

}  // namespace

void StretchReader::Stretch::Free::operator()(std::byte* memory) const {
    operator delete[](memory, std::align_val_t{block});
}

const std::byte* StretchReader::Stretch::at(std::int64_t begin, std::size_t bytes) const {
    const bool is_there = begin >= begin_ && begin + static_cast<std::int64_t>(bytes) <= end();
    return is_there ? memory_.get() + (begin - begin_) : nullptr;
}

std::byte* StretchReader::Stretch::start_at(std::int64_t begin, std::size_t bytes) {
    if (bytes > room_) {
        memory_.reset(static_cast<std::byte*>(operator new[](bytes, std::align_val_t{block})));
        room_ = bytes;
    }
    begin_ = begin;
    bytes_ = 0;
    return memory_.get();
}

StretchReader::StretchReader(int descriptor, Way way) : descriptor_(descriptor) {
    if (descriptor < 0 || way == Way::cached) return;
    if (!is_on_local_disk(descriptor)) return;
    direct_descriptor_ =
        open(fmt::format("/proc/self/fd/{}", descriptor).c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC);
    is_direct_ = direct_descriptor_ >= 0;
    asks_what_is_in_memory_ = tells_what_is_in_memory(descriptor);
}

StretchReader::~StretchReader() {
    if (direct_descriptor_ >= 0) close(direct_descriptor_);
}

int StretchReader::read(std::int64_t begin, std::size_t bytes, Stretch& stretch) const {
    if (stretch.at(begin, bytes) != nullptr) return 0;
    if (is_direct_) {
        const int failure = read_direct(begin, bytes, stretch);
        if (failure != EINVAL) return failure;
        is_direct_ = false;  // the file system opens such files and does not read them
    }
    return read_all(descriptor_, stretch.start_at(begin, bytes), bytes, begin, 1, stretch.bytes_);
}

int StretchReader::read_direct(std::int64_t begin, std::size_t bytes, Stretch& stretch) const {
    constexpr auto unit = static_cast<std::int64_t>(block);
    const std::int64_t first = begin / unit * unit;
    const std::int64_t end = (begin + static_cast<std::int64_t>(bytes) + unit - 1) / unit * unit;
    const auto size = static_cast<std::size_t>(end - first);
    std::byte* const to = stretch.start_at(first, size);
    const bool is_there = asks_what_is_in_memory_ && is_in_memory(descriptor_, first, size);
    return is_there ? read_all(descriptor_, to, size, first, 1, stretch.bytes_)
                    : read_all(direct_descriptor_, to, size, first, block, stretch.bytes_);
}

}  // namespace tessera
