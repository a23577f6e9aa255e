#pragma once

#include <cstddef>
#include <filesystem>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "io/atomic_file.hpp"
#include "io/hdf5.hpp"

namespace tessera::hdf5 {

// Makes one HDF5 file in memory, then puts it on disk in one go (io/atomic_file.hpp: an earlier file stays
// whole until then). Files are the same bytes for the same contents. In memory because HDF5 cannot close a
// file it failed to write: it would crash the program at its end.
class Writer {
  public:
    explicit Writer(const std::filesystem::path& target);
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    // Missing groups above a path are made. `nx_class`: the NeXus class, empty for none.
    void group(const std::string& path, const std::string& nx_class);
    // `chunk` empty: contiguous.
    template <Element T>
    void create(const std::string& path, const Shape& shape, const Shape& chunk);
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

    // The file as it is so far; before finish().
    std::span<const std::byte> image() const;
    // Writes to the disk, waits for it, and puts the file in its place. Nothing may be written afterwards.
    void finish();

  private:
    class Pause;
    // Frames may be read meanwhile: HDF5 is this thread's, but while the disk is waited for.
    std::unique_lock<std::recursive_mutex> turn_{library_lock()};
    void check(bool good) const;  // else fails with HDF5's reason
    void write_attribute(const std::string& path, const std::string& name, Id type, Id space,
                         const void* value);

    AtomicFile on_disk_;
    Handle file_, make_parents_;
};

}  // namespace tessera::hdf5
