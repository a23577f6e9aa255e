#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "io/atomic_file.hpp"
#include "io/hdf5.hpp"
#include "io/hdf5_pages.hpp"

namespace tessera::hdf5 {

// Makes one HDF5 file (io/atomic_file.hpp: an earlier file stays whole until it is on disk). HDF5 makes it in
// memory, because it cannot close a file that it failed to write: it would crash the program at its end.
// Large datasets go to the disk directly, where HDF5 has reserved their place, and take no memory. Files are
// the same bytes for the same contents. HDF5 is this thread's only within a call, and never while the disk is
// waited for: frames may be read meanwhile.
class Writer {
  public:
    explicit Writer(const std::filesystem::path& target);
    ~Writer();
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    // Missing groups above a path are made. `nx_class`: the NeXus class, empty for none.
    void group(const std::string& path, const std::string& nx_class);
    // Contiguous, its values to come.
    template <Element T>
    void create(const std::string& path, const Shape& shape);
    template <Element T>
    void write_block(const std::string& path, const Shape& start, const Shape& count, const T* values);
    template <Element T>
    void write(const std::string& path, const Shape& shape, const T* values);
    template <Element T>
    void write(const std::string& path, const std::vector<T>& values) {
        write(path, {static_cast<std::ptrdiff_t>(values.size())}, values.data());
    }
    template <Element T>
    void write_scalar(const std::string& path, T value) {
        write(path, Shape{}, &value);
    }
    void write_text(const std::string& path, const std::string& text);

    void attribute(const std::string& path, const std::string& name, const std::string& text);
    void attribute(const std::string& path, const std::string& name, const std::vector<std::string>& texts);
    void attribute(const std::string& path, const std::string& name, const std::vector<double>& numbers);
    void link(const std::string& path, const std::string& target);  // soft

    // A dataset of which write_on_disk() writes all, in pieces of any order.
    template <Element T>
    void create_on_disk(const std::string& path, const Shape& shape);
    template <Element T>
    void write_on_disk(const std::string& path, const Shape& start, const Shape& count, const T* values);

    // Writes what is in memory, waits for the disk, and puts the file in its place. Nothing may be written
    // afterwards.
    void finish();
    struct Contents {
        std::uint64_t bytes = 0, checksum = 0;
    };
    Contents finish_and_sum();

  private:
    // A dataset on the disk.
    struct Reserved {
        std::uint64_t begin = 0, end = 0;  // in the file
        Shape shape;
    };
    void check(bool good) const;  // else fails with HDF5's reason
    void write_attribute(const std::string& path, const std::string& name, Id type, Id space,
                         const void* value);
    void put_on_disk();
    void write_pages();

    AtomicFile on_disk_;
    FilePages in_memory_;
    std::map<std::string, Reserved> reserved_;
    Handle file_, make_parents_;
};

}  // namespace tessera::hdf5
