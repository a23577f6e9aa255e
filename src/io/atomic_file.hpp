#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace tessera {

// What a path means to who writes there: where links lead, whether there is a file yet or not.
std::filesystem::path behind_links(std::filesystem::path path);

// A file that is written beside its target and takes its place when all of it is on disk: an earlier file
// stays whole until then, and nobody ever reads half of the new one. Every failure (no such folder, no
// permission, disk full) is one runtime Error that names the target; what was written so far is removed.
class AtomicFile {
  public:
    // Opens at once: a place that cannot be written should be known before anything is made.
    explicit AtomicFile(const std::filesystem::path& target);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    const std::filesystem::path& beside() const { return beside_; }  // ".result.h5.4711.part"
    void write(std::span<const std::byte> bytes);
    void write_at(std::uint64_t offset, std::span<const std::byte> bytes);
    void read_at(std::uint64_t offset, std::span<std::byte> bytes) const;  // what was written
    void resize(std::uint64_t bytes);                                      // zeros where nothing was written
    // Waits for the disk and puts the file in its place. Nothing may be written afterwards.
    void finish();
    [[noreturn]] void fail(const std::string& reason) const;

  private:
    std::filesystem::path target_, beside_;
    int descriptor_ = -1;  // until finished
};

void write_text_file(const std::filesystem::path& target, std::string_view text);

}  // namespace tessera
