#pragma once

#include <cstddef>
#include <cstdint>

namespace tessera {

// A 64-bit checksum of bytes, against torn and damaged files (not against forgery): FNV-1a over words of
// eight bytes, rotated so that high bits spread too. A single changed word always changes it.
class Checksum {
  public:
    // Pieces are multiples of eight bytes, but for the last.
    void add(const void* data, std::size_t bytes);
    std::uint64_t value() const { return hash_ ^ bytes_; }

  private:
    std::uint64_t hash_ = 0xcbf29ce484222325U;
    std::uint64_t bytes_ = 0;
};

}  // namespace tessera
