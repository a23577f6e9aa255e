#pragma once

#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "io/hdf5.hpp"

namespace tessera::hdf5 {

// Makes one HDF5 file in memory, then writes it beside its target and renames it when all of it is on disk,
// so that an earlier file stays whole until then. Every failure (no such folder, no permission, disk full) is
// one runtime Error that names the target; what was written so far is removed. Files are the same bytes for
// the same contents. In memory because HDF5 cannot close a file it failed to write: it would crash the
// program at its end.
class Writer {
  public:
    explicit Writer(const std::filesystem::path& target);
    ~Writer();
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

    // Writes to the disk, waits for it, and puts the file in its place. Nothing may be written afterwards.
    void finish();

  private:
    // Frames may be read meanwhile: HDF5 is this thread's, but while the disk is waited for.
    std::unique_lock<std::recursive_mutex> turn_{library_lock()};
    [[noreturn]] void fail(const std::string& reason) const;
    void check(bool good) const;  // else fails with HDF5's reason
    void write_attribute(const std::string& path, const std::string& name, Id type, Id space,
                         const void* value);

    void write_out(const std::byte* bytes, std::size_t size) const;

    std::filesystem::path target_, beside_;
    int descriptor_ = -1;  // of beside_, until finished
    Handle file_, make_parents_;
};

}  // namespace tessera::hdf5
