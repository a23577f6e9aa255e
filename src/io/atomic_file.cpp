#include "io/atomic_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "base/error.hpp"

namespace tessera {

std::filesystem::path behind_links(std::filesystem::path path) {
    constexpr int most_links = 40;  // as the kernel; beyond it opening the file fails
    std::error_code failed;
    for (int i = 0; i < most_links && std::filesystem::is_symlink(path, failed); ++i) {
        const auto to = std::filesystem::read_symlink(path, failed);
        if (failed) break;
        path = path.parent_path() / to;
    }
    return path;
}

AtomicFile::AtomicFile(const std::filesystem::path& target) : target_(behind_links(target)) {
    std::error_code error;
    if (std::filesystem::is_directory(target, error)) fail("it is a folder");
    // A device or a pipe must not be replaced by a file.
    if (std::filesystem::exists(target, error) && !std::filesystem::is_regular_file(target, error)) {
        fail("it is not a regular file");
    }
    beside_ = target_.parent_path() / fmt::format(".{}.{}.part", target_.filename().string(), ::getpid());
    descriptor_ = ::open(beside_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor_ < 0) fail(std::strerror(errno));
}

AtomicFile::~AtomicFile() {
    if (descriptor_ < 0) return;
    std::error_code ignored;
    ::close(descriptor_);
    std::filesystem::remove(beside_, ignored);
}

void AtomicFile::fail(const std::string& reason) const {
    throw runtime_failure("{}: cannot be written ({})", target_.string(), reason);
}

void AtomicFile::write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) fail(std::strerror(errno));
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
}

void AtomicFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) fail(std::strerror(errno));
        bytes = bytes.subspan(static_cast<std::size_t>(written));
        offset += static_cast<std::uint64_t>(written);
    }
}

void AtomicFile::read_at(std::uint64_t offset, std::span<std::byte> bytes) const {
    while (!bytes.empty()) {
        const ssize_t count = ::pread(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) fail(count < 0 ? std::strerror(errno) : "what was written is not there");
        bytes = bytes.subspan(static_cast<std::size_t>(count));
        offset += static_cast<std::uint64_t>(count);
    }
}

void AtomicFile::resize(std::uint64_t bytes) {
    if (::ftruncate(descriptor_, static_cast<off_t>(bytes)) != 0) fail(std::strerror(errno));
}

void AtomicFile::finish() {
    if (::fsync(descriptor_) != 0) fail(std::strerror(errno));
    const int descriptor = std::exchange(descriptor_, -1);
    std::error_code error, ignored;
    if (::close(descriptor) != 0) error.assign(errno, std::system_category());
    if (!error) std::filesystem::rename(beside_, target_, error);
    if (error) {
        std::filesystem::remove(beside_, ignored);
        fail(error.message());
    }
    // The new name itself; not every file system can do this, and the contents are safe already.
    const auto folder = target_.has_parent_path() ? target_.parent_path() : std::filesystem::path(".");
    const int folder_descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder_descriptor < 0) return;
    ::fsync(folder_descriptor);
    ::close(folder_descriptor);
}

void write_text_file(const std::filesystem::path& target, std::string_view text) {
    AtomicFile file(target);
    file.write(std::as_bytes(std::span(text)));
    file.finish();
}

}  // namespace tessera
