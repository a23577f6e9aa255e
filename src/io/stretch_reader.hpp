#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace tessera {

// Reads stretches of a file of about a mebibyte. `direct`: what the system has in memory is copied from
// there, the rest comes past its cache (O_DIRECT): without a copy, and so that a large file is not in memory
// twice. Falls back to `cached`, reading as everybody does, on file systems that are not a local disk's.
// Several threads may read at once.
class StretchReader {
  public:
    enum class Way { cached, direct };
    // The descriptor must stay open; -1 for none, of which nothing may be read.
    StretchReader(int descriptor, Way way);
    ~StretchReader();
    StretchReader(const StretchReader&) = delete;
    StretchReader& operator=(const StretchReader&) = delete;

    bool is_direct() const { return is_direct_; }

    // Bytes of the file and their memory, which one thread uses again.
    class Stretch {
      public:
        // Null where not all of them are there.
        const std::byte* at(std::int64_t begin, std::size_t bytes) const;
        std::int64_t end() const { return begin_ + static_cast<std::int64_t>(bytes_); }
        void forget() { bytes_ = 0; }  // not the memory
        std::size_t room() const { return room_; }

      private:
        friend class StretchReader;
        std::byte* start_at(std::int64_t begin, std::size_t bytes);  // with nothing there yet
        struct Free {
            void operator()(std::byte* memory) const;
        };
        std::unique_ptr<std::byte[], Free> memory_;
        std::size_t room_ = 0, bytes_ = 0;
        std::int64_t begin_ = 0;
    };

    // Makes the stretch hold these bytes, and maybe some around them; fewer where the file ends. Returns 0,
    // or what errno says, and the stretch ends where reading failed.
    int read(std::int64_t begin, std::size_t bytes, Stretch& stretch) const;

  private:
    int read_direct(std::int64_t begin, std::size_t bytes, Stretch& stretch) const;

    int descriptor_, direct_descriptor_ = -1;
    bool asks_what_is_in_memory_ = false;
    mutable std::atomic<bool> is_direct_ = false;
};

}  // namespace tessera
