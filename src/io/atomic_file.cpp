#include "io/atomic_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "base/error.hpp"

namespace tessera {

AtomicFile::AtomicFile(const std::filesystem::path& target) : target_(target) {
    std::error_code error;
    if (std::filesystem::is_directory(target, error)) fail("it is a folder");
    // A device or a pipe must not be replaced by a file; what a link points to is what the user means.
    if (std::filesystem::exists(target, error) && !std::filesystem::is_regular_file(target, error)) {
        fail("it is not a regular file");
    }
    if (std::filesystem::is_symlink(target, error)) {
        target_ = std::filesystem::weakly_canonical(target, error);
        if (error) fail(error.message());
    }
    beside_ = target_.parent_path() / fmt::format(".{}.{}.part", target_.filename().string(), ::getpid());
    descriptor_ = ::open(beside_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
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
