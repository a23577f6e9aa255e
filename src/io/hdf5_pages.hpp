#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>

#include "io/hdf5.hpp"

namespace tessera::hdf5 {

// The bytes of a file that HDF5 makes, in memory, a page wherever something was written: what HDF5 only
// reserves takes no room. A file driver of our own, since HDF5's driver for memory allocates all up to the
// end of the file. It cannot fail but for want of memory, so HDF5 can always close the file.
class FilePages {
  public:
    FilePages() = default;
    FilePages(const FilePages&) = delete;
    FilePages& operator=(const FilePages&) = delete;

    // A file access list with this driver; the file lives as long as both.
    Handle access();

    void write(std::uint64_t at, std::span<const std::byte> bytes);
    void read(std::uint64_t at, std::span<std::byte> bytes) const;  // zeros where nothing was written
    std::uint64_t size() const { return size_; }
    void set_size(std::uint64_t size) { size_ = size; }

    // visit(at, bytes) of all that was written, in order, in pieces.
    template <class Visit>
    void for_each(const Visit& visit) const {
        for (const auto& [number, page] : pages_) {
            const std::uint64_t at = number * page_bytes;
            if (at >= size_) return;
            visit(at, std::span(*page).first(std::min<std::uint64_t>(page_bytes, size_ - at)));
        }
    }

  private:
    static constexpr std::size_t page_bytes = std::size_t{1} << 14;
    using Page = std::array<std::byte, page_bytes>;

    std::map<std::uint64_t, std::unique_ptr<Page>> pages_;
    std::uint64_t size_ = 0;
};

}  // namespace tessera::hdf5
